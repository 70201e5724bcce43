"""Random schemas and documents, to compare our executor with graphql-core. A seed gives the same case again.

A field name has one type in the whole schema, so selections on different types never conflict. A resolver derives
its value from its source and arguments alone, so that each execution sees the same data.
"""

import datetime
import zlib
from collections import namedtuple
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any, NamedTuple

from graphene.types.definitions import GrapheneScalarType
from graphene.types.resolver import dict_or_attr_resolver
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    Undefined,
    execute_sync,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    parse,
    print_ast,
)

from framework.graphql import types
from framework.graphql.executor import Plans, execute
from framework.graphql.loaders import Loaders

DOCUMENTS_PER_SCHEMA = 10
DEPTH = 4
PARTS_AT_MOST = 20


def serialize_odd(value: Any) -> Any:
    """A scalar that refuses some values and loses others."""
    if value == 3:
        raise ValueError("Three is not odd enough.")
    return None if value == 5 else f"odd:{value}"


COLOR = GraphQLEnumType("Color", {"RED": 1, "GREEN": 2, "BLUE": "blue"})
ODD = GraphQLScalarType("Odd", serialize=serialize_odd)


class Euro(types.Decimal):
    """A subclass of a scalar of ours that serializes in its own way, and refuses some values."""

    @staticmethod
    def serialize(value: Any) -> str:
        return f"{value:.2f} EUR"


class Day(types.DateTime):
    @staticmethod
    def serialize(value: Any) -> str:
        return value.strftime("%d.%m.%Y")


class SameDecimal(types.Decimal):
    """A subclass that changes nothing."""


def graphene_scalar(class_: Any) -> GraphQLScalarType:
    """A scalar as graphene makes it."""
    return GrapheneScalarType(
        graphene_type=class_,
        name=class_.__name__,
        serialize=class_.serialize,
        parse_value=class_.parse_value,
        parse_literal=class_.parse_literal,
    )


CUSTOM = [graphene_scalar(class_) for class_ in (types.Decimal, SameDecimal, Euro, types.DateTime, Day)]
SCALARS = (GraphQLInt, GraphQLFloat, GraphQLString, GraphQLBoolean, GraphQLID, COLOR, ODD, *CUSTOM)
FILTER = GraphQLInputObjectType(
    "Filter",
    {
        "atLeast": GraphQLInputField(GraphQLInt, default_value=2, out_name="at_least"),
        "tags": GraphQLInputField(GraphQLList(GraphQLNonNull(GraphQLString))),
        "color": GraphQLInputField(COLOR),
    },
)
# Each argument with literals that fit it, and a variable of its type with values.
ARGUMENTS = {
    "first": (GraphQLArgument(GraphQLInt, default_value=7), ["1", "null", "$count"]),
    "must": (GraphQLArgument(GraphQLNonNull(GraphQLString), default_value="m"), ['"x"', "$word"]),
    "hue": (GraphQLArgument(COLOR, out_name="colour"), ["RED", "BLUE", "null", "$hue"]),
    "ratio": (GraphQLArgument(GraphQLNonNull(GraphQLFloat), default_value=1.5), ["2", "0.25", "$ratio"]),
    "price": (GraphQLArgument(CUSTOM[0]), ['"1.50"', "7", "null", "$price"]),
    "ids": (GraphQLArgument(GraphQLList(GraphQLID), default_value=None), ["[1, null]", '"a"', "$ids"]),
    "only": (
        GraphQLArgument(FILTER, default_value={"tags": ["d"]}),
        ["{}", '{atLeast: 1, tags: ["a"]}', "{color: $hue, atLeast: $count}", "$only"],
    ),
}
VARIABLES: dict[str, tuple[str, list[Any]]] = {
    "yes": ("Boolean!", [True, False]),
    "maybe": ("Boolean! = true", [True, False]),
    "perhaps": ("Boolean = false", [True, False, None]),
    "count": ("Int = 5", [1, 2.0, None]),
    "ratio": ("Float = 0.5", [1, 2.5, None]),
    "price": ("Decimal", ["1.20", 3, None]),
    "ids": ("[ID]", [["x", 1], 7, None, [None]]),
    "word": ('String! = "w"', ["a", "b"]),
    "hue": ("Color", ["RED", "GREEN", None]),
    "only": ("Filter", [{}, {"atLeast": 4}, {"tags": ["t"], "color": "BLUE"}, None]),
}
REQUIRED = {"yes"}


class Source:
    """What a resolver finds besides named tuples and dicts: an object, with a property that may raise."""

    def __init__(self, values: dict[str, Any], bad: str | None) -> None:
        self._values = values
        self._bad = bad

    def __getattr__(self, name: str) -> Any:
        if name == self._bad:
            raise LookupError(f"No {name} to be had.")
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None


class Context:
    """One execution's context: whether resolvers defer, and a log of what they were told."""

    def __init__(self, *, defers: bool) -> None:
        self.defers = defers
        self.loaders = Loaders(max_batch_size=3)
        self.calls: list[Any] = []


class Case(NamedTuple):
    seed: int
    schema: GraphQLSchema
    document: DocumentNode
    variables: dict[str, Any]
    other_variables: dict[str, Any]
    root: Any

    def stock(self) -> tuple[ExecutionResult, Context]:
        """The result of graphql-core."""
        context = Context(defers=False)
        return execute_sync(self.schema, self.document, self.root, context, self.variables), context

    def execute(self, plans: Plans | None, *, defers: bool = False) -> tuple[ExecutionResult, Context]:
        """The result of ours."""
        context = Context(defers=defers)
        result = execute(
            self.schema, self.document, plans=plans, context=context, variables=self.variables, root=self.root
        )
        return result, context

    def __str__(self) -> str:
        return f"seed {self.seed}, variables {self.variables}\n{print_ast(self.document)}"


def digest(*parts: Any) -> int:
    return zlib.crc32(repr(parts).encode())


class World:
    """A random schema and the data behind it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        # How much goes wrong; without calm worlds most data would be null near the root.
        self.trouble = self.random.choice([0.0, 0.2, 1.0])
        self.rows: dict[str, type] = {}
        self.kinds: dict[str, str] = {}
        self.types: dict[str, Any] = {}
        self.objects: list[GraphQLObjectType] = []
        self.definitions = self._fields()
        self.schema = self._schema()

    def _schema(self) -> GraphQLSchema:
        random = self.random
        names = list(self.definitions)
        shared = random.sample(names, 3)
        resolve = random.choice([None, resolve_type])
        self.interface = GraphQLInterfaceType("Thing", lambda: self._definitions(shared[:2]), resolve_type=resolve)
        self.narrow = GraphQLInterfaceType(
            "Narrow", lambda: self._definitions(shared), interfaces=[self.interface], resolve_type=resolve
        )
        for number in range(random.randint(2, 4)):
            own = random.sample(names, random.randint(3, 8))
            implements = [[self.interface, self.narrow], [self.interface], []][min(number, random.randint(0, 2))]
            self.objects.append(self._object(f"O{number}", own + (shared if implements else []), implements))
        self.union = GraphQLUnionType("Any", self.objects, resolve_type=resolve_type)
        query = self._object("Query", names, [])
        mutation = self._object("Mutation", names, [])
        return GraphQLSchema(query, mutation, types=[*self.objects, self.union, *CUSTOM])

    def _object(self, name: str, fields: list[str], interfaces: list[Any]) -> GraphQLObjectType:
        chosen = list(dict.fromkeys(fields))
        self.rows[name] = namedtuple(name, [*chosen, "seed", "typename"])  # type: ignore[misc]
        checks_type = self.random.random() < 0.25 and name.startswith("O")
        return GraphQLObjectType(
            name,
            lambda: self._definitions(chosen),
            interfaces=interfaces,
            is_type_of=partial(is_of_type, name) if checks_type else None,
        )

    def _fields(self) -> dict[str, tuple[Any, list[str]]]:
        random = self.random
        found: dict[str, tuple[Any, list[str]]] = {}
        for number in range(random.randint(9, 14)):
            arguments = random.sample(list(ARGUMENTS), random.randint(1, 3)) if random.random() < 0.3 else []
            wrap = random.choices(WRAPPERS, WEIGHTS)[0]
            base = random.choice(SCALARS if number % 2 else ["Thing", "Narrow", "Any", "O0", "O1", "O0", "O1"])
            found[f"f{number}"] = ((wrap, base), arguments)
            self.kinds[f"f{number}"] = random.choice(["graphene", "core", "custom", "custom"])
        return found

    def _definitions(self, names: list[str]) -> dict[str, GraphQLField]:
        return {name: self._definition(name) for name in names}

    def _definition(self, name: str) -> GraphQLField:
        resolve: Any = {
            "graphene": partial(dict_or_attr_resolver, name, None),
            "core": None,
            "custom": partial(self.resolve, name),
        }[self.kinds[name]]
        arguments = {argument: ARGUMENTS[argument][0] for argument in self.definitions[name][1]}
        return GraphQLField(self.type_of(name), arguments, resolve=resolve)

    def type_of(self, name: str) -> Any:
        if name not in self.types:
            wrap, base = self.definitions[name][0]
            abstract = (self.interface, self.narrow, self.union)
            named = {type_.name: type_ for type_ in abstract} | {type_.name: type_ for type_ in self.objects}
            self.types[name] = wrap(named[base] if isinstance(base, str) else base)
        return self.types[name]

    def resolve(self, name: str, source: Any, info: Any, **arguments: Any) -> Any:
        """A custom resolver: a value, an error, or either of them later."""
        info.context.calls.append(told(info, arguments))
        key = digest(seed_of(source), name, arguments)
        failure = self.failure(key)
        if failure:
            if info.context.defers and key % 3:
                return failing(info.context.loaders, failure, key)
            raise failure
        if not info.context.defers or key % 3 == 0:
            return self.value_of((name, key), fresh=key % 2 == 0 and key % 3 == 0)
        return self.deferred(info.context.loaders, name, key)

    def failure(self, key: int) -> Exception | None:
        if Random(key).random() >= self.trouble or key % 13 > 1:
            return None
        if key % 13:
            return ValueError(f"Failed: {key % 100}")
        return GraphQLError("Refused.", extensions={"code": "REFUSED"})

    def deferred(self, loaders: Loaders, name: str, key: int) -> Any:
        """The value of `value_of`, in one of the ways in which it may come late."""
        way = key % 4
        if way == 0:
            return loaders.load(self.load_values, (name, key))
        if way == 1:
            return loaders.load(load_same, (name, key)).then(partial(loaders.load, self.load_values))
        if way == 2:
            return loaders.load(load_same, (name, key)).then(self.value_of)
        value = self.value_of((name, key))
        if is_list_type(get_nullable_type(self.type_of(name))) and isinstance(value, list):
            return [loaders.load(load_item, (name, key, n, Held(item))).then(released) for n, item in enumerate(value)]
        return value

    def load_values(self, keys: Any) -> dict[Any, Any]:
        return {key: value for key in keys if (value := self.value_of(key)) is not None}

    def value_of(self, name_and_key: tuple[str, int], *, fresh: bool = False) -> Any:
        name, key = name_and_key
        return self.value(Random(key), self.type_of(name), key, 1, fresh)

    def value(self, random: Random, type_: Any, seed: int, depth: int, fresh: bool = False) -> Any:
        """Something for the type, now and then something wrong for it."""
        if is_non_null_type(type_):
            if random.random() > 0.03 * self.trouble:
                return self.present(random, type_.of_type, seed, depth, fresh)
            return None
        return None if random.random() < 0.12 else self.present(random, type_, seed, depth, fresh)

    def present(self, random: Random, type_: Any, seed: int, depth: int, fresh: bool) -> Any:
        roll = random.random()
        if roll < 0.02 * self.trouble:
            return KeyError(f"lost {seed % 10}")
        if roll < 0.03 * self.trouble:
            return 12.5
        if roll < 0.06 * self.trouble:
            return Undefined
        if is_list_type(type_):
            count = random.randint(0, 3)
            items = [self.value(random, type_.of_type, digest(seed, n), depth) for n in range(count)]
            return breaking(items, roll) if fresh else random.choice([list, tuple])(items)
        if is_leaf_type(type_):
            return random.choice(self.leaves(random, type_.name))
        if is_abstract_type(type_):
            # Now and then a type that is not a possible one.
            type_ = random.choice(self.objects)
        return self.source(random, type_, seed, depth)

    def leaves(self, random: Random, name: str) -> list[Any]:
        roll = random.random()
        if roll < 0.06 * self.trouble:
            return ODDITIES
        return ODD_LEAVES.get(name, ODDITIES) if roll < 0.15 * self.trouble else LEAVES[name]

    def source(self, random: Random, type_: GraphQLObjectType, seed: int, depth: int) -> Any:
        values: dict[str, Any] = {"seed": seed, "typename": type_.name}
        for name in self.rows[type_.name]._fields[:-2]:  # type: ignore[attr-defined]
            if self.kinds[name] != "custom":
                values[name] = self.attribute(random, name, digest(seed, name), depth)
        kind = random.choice(["row", "row", "row", "dict", "object"])
        if kind == "row":
            row = self.rows[type_.name]
            return row(**{name: values.get(name) for name in row._fields})  # type: ignore[attr-defined]
        values["__typename"] = type_.name
        if kind == "dict":
            return values
        return Source(values, random.choice([*self.definitions]) if random.random() < self.trouble else None)

    def attribute(self, random: Random, name: str, seed: int, depth: int) -> Any:
        type_ = self.type_of(name)
        if depth >= 2 and not is_leaf_type(get_named_type(type_)):
            return [] if is_list_type(get_nullable_type(type_)) else None
        value = self.value(random, type_, seed, depth + 1)
        if self.kinds[name] == "core" and random.random() < 0.2:
            return partial(called, value)
        return value


def failing(loaders: Loaders, failure: Exception, key: int) -> Any:
    """A value that fails to load: for its key, with its whole batch, or in what follows the loading."""
    if key % 2:
        return loaders.load(load_item, (0, 0, key, Held(failure))).then(released)
    broken = partial(throw, failure)
    return loaders.load(broken, key) if key % 4 else loaders.load(load_same, key).then(broken)


def throw(failure: Exception, _keys: Any) -> Any:
    raise failure


def called(value: Any, info: Any, **arguments: Any) -> Any:
    """What graphql-core's default resolver finds when an attribute is a method."""
    info.context.calls.append(told(info, arguments))
    if not info.context.defers:
        return value
    return info.context.loaders.load(load_item, (0, 0, 0, Held(value))).then(released)


def told(info: Any, arguments: dict[str, Any]) -> Any:
    """What a resolver can see, in a form that can be compared."""
    return (
        info.field_name,
        info.path.as_list(),
        info.path.typename,
        [id(node) for node in info.field_nodes],
        info.return_type,
        info.parent_type,
        info.variable_values,
        repr(arguments),
        info.is_awaitable,
    )


def seed_of(source: Any) -> int:
    return source["seed"] if isinstance(source, dict) else getattr(source, "seed", 0)


def resolve_type(value: Any, _info: Any, _type: Any) -> str | None:
    if isinstance(value, dict):
        return value.get("typename")
    return getattr(value, "typename", None)


def is_of_type(name: str, value: Any, _info: Any) -> bool:
    # Wrong about some, so that the refusal is met too.
    return resolve_type(value, None, None) == name and seed_of(value) % 11 != 0


def breaking(items: list[Any], roll: float) -> Iterator[Any]:
    """The items from an iterator, which may fail after the last."""
    yield from items
    if roll < 0.2:
        raise RuntimeError("The list broke.")


class Held:
    """Hides a value from comparison, as keys are compared."""

    def __init__(self, value: Any) -> None:
        self.value = value


def released(held: Held) -> Any:
    return held.value


def load_item(keys: Any) -> dict[Any, Any]:
    return {key: key[3] for key in keys}


def load_same(keys: Any) -> dict[Any, Any]:
    return {key: key for key in keys}


WRAPPERS = (
    lambda type_: type_,
    GraphQLNonNull,
    GraphQLList,
    lambda type_: GraphQLNonNull(GraphQLList(type_)),
    lambda type_: GraphQLNonNull(GraphQLList(GraphQLNonNull(type_))),
    lambda type_: GraphQLList(GraphQLNonNull(type_)),
    lambda type_: GraphQLList(GraphQLNonNull(GraphQLList(type_))),
)
WEIGHTS = (6, 4, 3, 2, 2, 2, 1)
MOMENT = datetime.datetime(2024, 2, 29, 23, 59, 59, 7, tzinfo=datetime.UTC)


class Amount(Decimal):
    """Not exactly a decimal."""

    def __str__(self) -> str:
        return "an amount"


LEAVES: dict[str, list[Any]] = {
    "Int": [0, 1, -5, 2147483647],
    "Float": [0.0, 1.5, -2.25, 3],
    "String": ["", "text", "x\ny"],
    "Boolean": [True, False],
    "ID": ["id", 7, 9007199254740993],
    "Color": [1, 2, "blue"],
    "Odd": [1, 7, 9, 11, 13, 15, 17, 19, 3, 5],
    "Decimal": [Decimal("1.50"), Decimal(0), Decimal("1E+2")],
    "SameDecimal": [Decimal("1.50"), Decimal("-0")],
    "Euro": [Decimal("1.5"), Decimal(2)],
    "DateTime": [MOMENT, MOMENT.replace(tzinfo=None)],
    "Day": [MOMENT, MOMENT + datetime.timedelta(days=400)],
}
# At the edge of a type, or of another one.
ODD_LEAVES: dict[str, list[Any]] = {
    "Int": [2**31, -(2**31) - 1, 3.0],
    "Float": [float("nan"), float("inf"), 7],
    "Boolean": [0, 1, 2.5],
    "ID": [7.0, True],
    "Decimal": [Amount(3), 3],
    "SameDecimal": [Amount(3), 3],
    "Euro": [Amount(3), 3, "x"],
    "DateTime": [MOMENT.date(), "2024"],
    "Day": [MOMENT.date(), "2024"],
}
ODDITIES: list[Any] = [True, "12", [], {}, 2.5, b"x", "RED", object(), "", Undefined]


class Writer:
    """Writes one random document for a world."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.random = Random(seed)
        self.fragments: dict[str, str] = {}
        self.parts = 0
        self.used: set[str] = set()

    def case(self, seed: int) -> Case:
        kind = "mutation" if self.random.random() < 0.2 else "query"
        root: Any = self.world.schema.mutation_type if kind == "mutation" else self.world.schema.query_type
        body = self.selection(root, DEPTH)
        declared = ", ".join(f"${name}: {VARIABLES[name][0]}" for name in sorted(self.used))
        head = f"{kind} Q({declared})" if declared else kind
        document = parse(" ".join([f"{head} {body}", *self.fragments.values()]))
        source = self.world.source(Random(seed), root, seed, 0)
        return Case(seed, self.world.schema, document, self.variables(), self.variables(), source)

    def variables(self) -> dict[str, Any]:
        given = [name for name in sorted(self.used) if name in REQUIRED or self.random.random() < 0.7]
        return {name: self.random.choice(VARIABLES[name][1]) for name in given}

    def selection(self, type_: Any, depth: int) -> str:
        parts = [self.part(type_, depth) for _ in range(self.random.randint(1, 4))]
        return "{ " + " ".join([*parts, *self.random.sample(parts, len(parts) // 3)]) + " }"

    def part(self, type_: Any, depth: int) -> str:
        self.parts += 1
        if self.parts > PARTS_AT_MOST:
            return "__typename"
        roll = self.random.random()
        if roll < 0.08:
            return self.random.choice(["__typename", "t: __typename"])
        if roll < 0.13 and depth > 0:
            return f"... {self.directive()} {self.selection(type_, depth - 1)}"
        if roll < 0.25 and depth > 0:
            return self.fragment(type_, depth)
        if not getattr(type_, "fields", None):
            return self.fragment(type_, depth)
        return self.field(self.random.choice(list(type_.fields)), type_, depth)

    def fragment(self, type_: Any, depth: int) -> str:
        on = self.random.choice(self.overlapping(type_))
        if self.random.random() < 0.5:
            return f"... on {on.name} {self.directive()} {self.selection(on, depth - 1)}"
        same = [name for name in self.fragments if name.startswith(f"F{on.name}_")]
        if same and self.random.random() < 0.5:
            return f"...{self.random.choice(same)} {self.directive()}"
        text = self.selection(on, depth - 1)
        name = f"F{on.name}_{len(self.fragments)}"
        self.fragments[name] = f"fragment {name} on {on.name} {text}"
        return f"...{name} {self.directive()}"

    def overlapping(self, type_: Any) -> list[Any]:
        """The types that a fragment inside of this type can be on: itself, and all that share an object with it."""
        if type_.name in ("Query", "Mutation"):
            return [type_]
        world = self.world
        candidates = (*world.objects, world.interface, world.narrow, world.union)
        return [other for other in candidates if self.objects(other) & self.objects(type_)]

    def objects(self, type_: Any) -> set[str]:
        possible = self.world.schema.get_possible_types(type_) if is_abstract_type(type_) else [type_]
        return {each.name for each in possible}

    def field(self, name: str, type_: Any, depth: int) -> str:
        field = type_.fields[name]
        given = self.arguments(list(field.args))
        alias = f"a{digest(name, given)}: " if given else self.random.choice(["", "", f"b_{name}: "])
        named = get_named_type(field.type)
        if is_leaf_type(named):
            return f"{alias}{name}{given} {self.directive()}"
        if depth <= 0:
            return f"{alias}{name}{given} {{ __typename }}"
        return f"{alias}{name}{given} {self.directive()} {self.selection(named, depth - 1)}"

    def arguments(self, names: list[str]) -> str:
        given = []
        for name in names:
            if self.random.random() < 0.6:
                literal = self.random.choice(ARGUMENTS[name][1])
                self.used |= {variable for variable in VARIABLES if f"${variable}" in literal}
                given.append(f"{name}: {literal}")
        return f"({', '.join(given)})" if given else ""

    def directive(self) -> str:
        if self.random.random() > 0.15:
            return ""
        condition = self.random.choice(["true", "false", "$yes", "$maybe", "$yes", "$perhaps"])
        if condition.startswith("$"):
            self.used.add(condition[1:])
        return f"@{self.random.choice(['skip', 'include'])}(if: {condition})"


def cases(seed: int, count: int) -> Iterator[Case]:
    """Documents with their schemas; those of one schema follow each other."""
    for number in range(count):
        if number % DOCUMENTS_PER_SCHEMA == 0:
            world = World(seed + number)
        yield Writer(world, seed + number).case(seed + number)


def outcome(result: ExecutionResult) -> Any:
    """All of a result that a client can tell, in its order."""
    errors = [(error.message, error.path, error.locations, error.extensions) for error in result.errors or []]
    return ordered(result.data), errors


def ordered(data: Any) -> Any:
    """Data in which the order of keys, and the types of numbers, count."""
    if isinstance(data, dict):
        return [(key, ordered(value)) for key, value in data.items()]
    if isinstance(data, list):
        return [ordered(value) for value in data]
    return repr(data)


# How often a document is executed with the same plans, and whether resolvers defer.
RUNS = (
    ("interpreted", False),
    ("compiled", False),
    ("compiled again", False),
    ("compiled, deferred", True),
)


def difference(case: Case) -> str | None:
    """How an execution departs from graphql-core's on this case; None when none does."""
    plans = Plans()
    other = case._replace(variables=case.other_variables)
    return (
        departure(case, None, (("interpreted, deferred", True),))
        or departure(case, plans, RUNS)
        or departure(other, plans, RUNS)
    )


def departure(case: Case, plans: Plans | None, runs: Any) -> str | None:
    stock, stock_context = case.stock()
    expected = outcome(stock)
    for name, defers in runs:
        result, context = case.execute(plans, defers=defers)
        if outcome(result) != expected:
            return f"{name}\n{case}\nexpected {expected}\ngot      {outcome(result)}"
        if not defers and context.calls != stock_context.calls:
            return f"{name}: resolvers were called differently\n{case}"
    return None
