import gc
import sys
import threading
import weakref
from collections import namedtuple
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace

import graphene
import pytest
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    Undefined,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from framework import context
from framework.errors import DeadlineExceeded
from framework.graphql import executor as executor_module
from framework.graphql.bounded import BoundedCache
from framework.graphql.executor import Plans, compiled, execute, source
from framework.graphql.loaders import Loaders
from framework.graphql.tests.generated import cases, difference, graphene_scalar, outcome
from framework.graphql.types import DateTime
from framework.graphql.types import Decimal as DecimalType

DOCUMENTS = 400  # finds each defect that executors have had; more by `python -m benchmarks.graphql_equality`


def stock(schema, document, root=None, context=None, variables=None):
    """graphql-core's own result."""
    return execute_sync(schema, document, root, context, variables)


def interpreted(schema, document, root=None, context=None, variables=None):
    return execute(schema, document, root=root, context=context, variables=variables)


def compiled_at_once(schema, document, root=None, context=None, variables=None, plans=None):
    """Executed by plans the first time: the counting of uses is left out."""
    plans = plans or Plans()
    plans.of_operation(document, None, variables or {})
    return execute(schema, document, plans=plans, root=root, context=context, variables=variables)


BOTH = pytest.mark.parametrize("executor", [interpreted, compiled_at_once])

Line = namedtuple("Line", "id product_id")
Product = namedtuple("Product", "id name owner_id")


class Shop:
    """Data behind batch getters that remember how they were called."""

    def __init__(self):
        self.calls = []

    def get_products(self, ids):
        self.calls.append(("products", sorted(ids)))
        return {id_: Product(id_, f"product {id_}", id_ % 2) for id_ in ids if id_ < 100}

    def get_owners(self, ids):
        self.calls.append(("owners", sorted(ids)))
        return {id_: {"name": f"owner {id_}"} for id_ in ids}

    def fail(self, ids):
        self.calls.append(("fail", sorted(ids)))
        raise LookupError("down")


class OwnerType(graphene.ObjectType):
    name = graphene.String(required=True)


class ProductType(graphene.ObjectType):
    id = graphene.ID(required=True)
    name = graphene.String(required=True)
    owner = graphene.Field(OwnerType)

    @staticmethod
    def resolve_owner(root, info):
        return info.context.loaders.load(info.context.shop.get_owners, root.owner_id)


class LineType(graphene.ObjectType):
    id = graphene.ID(required=True)
    product = graphene.Field(ProductType)
    must = graphene.Field(ProductType, required=True)
    broken = graphene.Field(ProductType)

    @staticmethod
    def resolve_product(root, info):
        return info.context.loaders.load(info.context.shop.get_products, root.product_id)

    @staticmethod
    def resolve_must(root, info):
        return LineType.resolve_product(root, info)

    @staticmethod
    def resolve_broken(root, info):
        return info.context.loaders.load(info.context.shop.fail, root.product_id)


class Query(graphene.ObjectType):
    lines = graphene.List(LineType)
    products = graphene.List(ProductType)

    @staticmethod
    def resolve_lines(root, info):
        return info.context.lines

    @staticmethod
    def resolve_products(root, info):
        load, shop = info.context.loaders.load, info.context.shop
        return [load(shop.get_products, line.product_id) for line in info.context.lines]


class Buy(graphene.Mutation):
    class Arguments:
        product = graphene.Int(required=True)

    Output = ProductType

    @staticmethod
    def mutate(root, info, product):
        info.context.shop.calls.append(("buy", product))
        return info.context.loaders.load(info.context.shop.get_products, product)


class Mutation(graphene.ObjectType):
    buy = Buy.Field()
    must_buy = Buy.Field(required=True)


SHOP = graphene.Schema(query=Query, mutation=Mutation).graphql_schema


def run_shop(executor, document, product_ids=(1, 2, 3), variables=None):
    lines = [Line(number, id_) for number, id_ in enumerate(product_ids)]
    context = SimpleNamespace(loaders=Loaders(), shop=Shop(), lines=lines)
    result = executor(SHOP, parse(document), None, context, variables)
    return result, context.shop.calls


def run(executor, schema, document, root=None):
    return executor(schema, parse(document), root)


def messages(result):
    return [(error.message, error.path) for error in result.errors or []]


@pytest.fixture
def deadline():
    yield lambda seconds: context.begin("test", seconds=seconds)
    context.begin("test")


# Equality


def test_random_documents_give_what_graphql_core_gives():
    assert next(filter(None, map(difference, cases(1, DOCUMENTS))), None) is None


def test_random_documents_are_valid():
    assert [error for case in cases(1, 50) for error in validate(case.schema, case.document)] == []


# Loading


@BOTH
def test_each_level_is_one_call_of_its_batch_function(executor):
    result, calls = run_shop(executor, "{ lines { id product { name owner { name } } } }")
    assert result.errors is None
    assert calls == [("products", [1, 2, 3]), ("owners", [0, 1])]
    assert result.data["lines"][2] == {
        "id": "2",
        "product": {"name": "product 3", "owner": {"name": "owner 1"}},
    }


@BOTH
def test_a_list_may_hold_deferred_items(executor):
    result, calls = run_shop(executor, "{ products { id } }")
    assert result.data == {"products": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}
    assert calls == [("products", [1, 2, 3])]


@BOTH
def test_a_missing_row_is_null(executor):
    result, _ = run_shop(executor, "{ lines { product { id } } }", [1, 200])
    assert (result.data, result.errors) == ({"lines": [{"product": {"id": "1"}}, {"product": None}]}, None)


@BOTH
def test_a_missing_row_makes_the_nearest_nullable_parent_null(executor):
    result, _ = run_shop(executor, "{ lines { id must { id } } }", [1, 200])
    assert result.data == {"lines": [{"id": "0", "must": {"id": "1"}}, None]}
    message = "Cannot return null for non-nullable field LineType.must."
    assert messages(result) == [(message, ["lines", 1, "must"])]


@BOTH
def test_a_failing_batch_is_reported_for_each_place(executor):
    result, calls = run_shop(executor, "{ lines { broken { id } } }", [1, 2])
    assert result.data == {"lines": [{"broken": None}, {"broken": None}]}
    assert messages(result) == [("down", ["lines", 0, "broken"]), ("down", ["lines", 1, "broken"])]
    assert calls == [("fail", [1, 2])]


@BOTH
def test_fields_keep_the_order_of_the_document(executor):
    result, _ = run_shop(executor, "{ lines { product { id } id } }", [1])
    assert list(result.data["lines"][0]) == ["product", "id"]


@BOTH
def test_a_mutation_is_finished_before_the_next_begins(executor):
    document = "mutation { a: buy(product: 1) { owner { name } } b: buy(product: 2) { id } }"
    result, calls = run_shop(executor, document)
    assert result.data == {"a": {"owner": {"name": "owner 1"}}, "b": {"id": "2"}}
    assert calls == [("buy", 1), ("products", [1]), ("owners", [1]), ("buy", 2), ("products", [2])]


@BOTH
def test_no_mutation_follows_one_that_made_the_data_null(executor):
    result, calls = run_shop(executor, "mutation { a: mustBuy(product: 200) { id } b: buy(product: 2) { id } }")
    assert result.data is None
    assert calls == [("buy", 200), ("products", [200])]


@BOTH
@pytest.mark.parametrize("late", [(), ("a",), ("x",), ("b",), ("a", "x", "b")])
def test_errors_hidden_by_a_null_are_the_same_for_late_values(executor, late):
    schema = build_schema("type Query { n: N } type N { a: Int inner: Inner! b: Int } type Inner { x: Int! }")
    loaders = Loaders()

    def value(name):
        error = ValueError(name)
        return loaders.load(lambda keys: {1: error}, 1) if name in late else error

    root = {"n": {"a": value("a"), "inner": {"x": value("x")}, "b": value("b")}}
    result = run(executor, schema, "{ n { a inner { x } b } }", root)
    assert result.data == {"n": None}
    assert messages(result) == [("a", ["n", "a"]), ("x", ["n", "inner", "x"])]


# Deadline


@BOTH
def test_the_deadline_ends_the_execution_with_one_error(executor, deadline):
    deadline(-1)
    result, calls = run_shop(executor, "{ lines { product { id } } products { id } }")
    assert result.data is None
    assert messages(result) == [("This took longer than allowed.", ["lines"])]
    assert isinstance(result.errors[0].original_error, DeadlineExceeded)
    assert calls == []


@BOTH
@pytest.mark.parametrize("resolve", [None, lambda root, info: root["word"](info)])
def test_no_resolver_is_called_after_the_deadline(executor, deadline, resolve):
    calls, schema = [], build_schema("type Query { word: String }")
    schema.query_type.fields["word"].resolve = resolve
    deadline(-1)
    result = run(executor, schema, "{ word }", {"word": calls.append})
    assert messages(result) == [("This took longer than allowed.", ["word"])]
    assert calls == []


@BOTH
def test_the_deadline_is_looked_at_before_each_batch(executor, deadline):
    schema = build_schema("type Query { value: String }")

    def value(info):
        deadline(-1)
        return Loaders().load(lambda keys: {1: "late"}, 1)

    result = run(executor, schema, "{ value }", {"value": value})
    assert (result.data, messages(result)) == (None, [("This took longer than allowed.", ["value"])])


@BOTH
def test_the_deadline_is_looked_at_within_a_long_list(executor, deadline):
    schema = build_schema("type Query { values: [Int] }")
    given = []

    def values(info):
        for number in range(10_000):
            if number == 100:
                deadline(-1)
            given.append(number)
            yield number

    result = run(executor, schema, "{ values }", {"values": values})
    assert result.data is None
    assert messages(result) == [("This took longer than allowed.", ["values"])]
    assert len(given) == 129


@BOTH
def test_errors_before_the_deadline_are_not_reported(executor, deadline):
    schema = build_schema("type Query { first: String second: String }")

    def second(info):
        raise DeadlineExceeded("too late")

    result = run(executor, schema, "{ first second }", {"first": ValueError("no"), "second": second})
    assert (result.data, messages(result)) == (None, [("too late", ["second"])])


# Requests that fail, and introspection


@BOTH
def test_introspection_answers_as_ever(executor):
    document = "{ __schema { types { name kind fields { name type { name ofType { name } } } } } }"
    assert run(executor, SHOP, document) == run(stock, SHOP, document)


@BOTH
@pytest.mark.parametrize(
    "document", ["mutation { x }", "subscription { x }", "query A { x } query B { x }", "fragment F on Query { x }"]
)
def test_a_request_that_cannot_be_executed_is_refused_as_ever(executor, document):
    schema = build_schema("type Query { x: Int }")
    assert run(executor, schema, document) == run(stock, schema, document)


@BOTH
def test_a_bad_condition_is_an_error_as_ever(executor):
    schema = build_schema("type Query { x: Int me: Query }")
    document = "query ($on: Boolean) { me { x @include(if: $on) } }"
    expected = run(stock, schema, document, {"me": {}})
    assert messages(expected) != []
    assert run(executor, schema, document, {"me": {}}) == expected


def test_one_field_merged_differently_for_two_types():
    schema = build_schema("""
        type Query { things: [Thing] }
        interface Thing { child: Child }
        type Child { a: Int b: Int }
        type X implements Thing { child: Child }
        type Y implements Thing { child: Child }
    """)
    document = "{ things { child { a } ... on X { child { b } } ... on Y { __typename } } }"
    things = [{"__typename": name, "child": {"a": 1, "b": 2}} for name in ("Y", "X", "Y", "X")]
    result = run(compiled_at_once, schema, document, {"things": things})
    x, y = {"child": {"a": 1, "b": 2}}, {"child": {"a": 1}, "__typename": "Y"}
    assert result.data == {"things": [y, x, y, x]}


# Bounds


def nested(depth):
    return "{ me " * depth + "{ x }" + " }" * depth


def me_types(kind):
    """A schema whose objects hold themselves: plainly, behind an interface, checked, or in lists."""
    item = {"x": "x", "__typename": "Me"}
    interface = GraphQLInterfaceType("Self", lambda: {"me": GraphQLField(me_type())})
    checks = (lambda value, info: True) if kind == "checked" else None

    def me_type():
        types = {"interface": interface, "list": GraphQLList(me), "non-null": GraphQLNonNull(me)}
        return types.get(kind, me)

    def fields():
        value = [item] if kind == "list" else item
        return {"me": GraphQLField(me_type(), resolve=lambda *_: value), "x": GraphQLField(GraphQLString)}

    me = GraphQLObjectType("Me", fields, interfaces=[interface], is_type_of=checks)
    return GraphQLSchema(GraphQLObjectType("Query", fields), types=[me])


@BOTH
@pytest.mark.parametrize("kind", ["plain", "interface", "checked", "list", "non-null"])
def test_nesting_that_graphql_core_can_bear_can_be_borne(executor, kind):
    schema, borne = me_types(kind), []

    def document(depth):
        return "{ me " * depth + "{ __typename }" + " }" * depth

    for depth in range(50, 190, 7):
        # A few frames are spent once an operation, which is less than two levels.
        if run(stock, schema, document(depth + 2)).errors is None:
            borne.append(depth)
            assert messages(run(executor, schema, document(depth))) == []
    assert borne


def test_selection_sets_of_one_shape_share_their_code(monkeypatch):
    monkeypatch.setattr(source, "_makers", BoundedCache(8))
    for alias in ("a", "b", "c"):
        run(compiled_at_once, SHOP, f'{{ __type(name: "Query") {{ {alias}: name }} }}')
    assert len(source._makers) == 1


def test_generated_source_holds_nothing_of_the_document(monkeypatch):
    texts = []

    def keep(slots, _source=source._source):
        texts.append(_source(slots))
        return _source(slots)

    monkeypatch.setattr(source, "_makers", BoundedCache(8))
    monkeypatch.setattr(source, "_source", keep)
    result, _ = run_shop(compiled_at_once, "{ lines { evil: id __import__: __typename } }")
    assert result.data["lines"][0] == {"evil": "0", "__import__": "LineType"}
    assert texts
    assert not any(word in text for text in texts for word in ("evil", "import", "LineType", "lines"))


def test_a_huge_selection_set_is_not_compiled(monkeypatch):
    monkeypatch.setattr(source, "_makers", BoundedCache(8))
    aliases = [f"a{number}" for number in range(compiled.MAX_COMPILED_FIELDS + 1)]
    document = "{ lines { " + " ".join(f"{alias}: id" for alias in aliases) + " } }"
    result, _ = run_shop(compiled_at_once, document, [1])
    assert result.data == {"lines": [dict.fromkeys(aliases, "0")]}
    assert len(source._makers) == 0


def lines_context():
    return SimpleNamespace(loaders=Loaders(), shop=Shop(), lines=[Line(1, 1)])


def test_conditions_choose_their_own_plan():
    document = parse("query ($full: Boolean!) { lines { id product @include(if: $full) { id } } }")
    plans = Plans()

    def fields(full):
        result = execute(SHOP, document, plans=plans, context=lines_context(), variables={"full": full})
        return list(result.data["lines"][0])

    found = [fields(full) for full in (True, False, True, False, True)]
    assert found == [["id", "product"], ["id"], ["id", "product"], ["id"], ["id", "product"]]


def test_an_operation_is_compiled_when_it_comes_for_the_second_time(monkeypatch):
    monkeypatch.setattr(source, "_makers", BoundedCache(100))
    document, plans = parse("{ lines { id } }"), Plans()
    sizes = []
    for _ in range(3):
        assert execute(SHOP, document, plans=plans, context=lines_context()).data == {"lines": [{"id": "1"}]}
        sizes.append((len(source._makers), plans.size))
    assert sizes == [(0, 0), (1, 2 * compiled.BYTES_PER_FIELD), (1, 2 * compiled.BYTES_PER_FIELD)]


def test_without_plans_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(source, "_makers", BoundedCache(100))
    for _ in range(3):
        run_shop(interpreted, "{ lines { id } }")
    assert len(source._makers) == 0


def test_a_document_has_a_bounded_number_of_variants():
    names = "abcde"
    declared = " ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: id @include(if: ${name})" for name in names)
    document, plans = parse(f"query ({declared}) {{ lines {{ id {fields} }} }}"), Plans()
    for number in range(32):
        chosen = {name: bool(number >> place & 1) for place, name in enumerate(names)}
        for _ in range(2):
            result = execute(SHOP, document, plans=plans, context=lines_context(), variables=chosen)
            assert list(result.data["lines"][0]) == ["id", *(name for name in names if chosen[name])]
    assert len(plans._variants) == executor_module.MAX_VARIANTS
    assert plans.size <= executor_module.MAX_VARIANTS * (2 + len(names)) * compiled.BYTES_PER_FIELD


def test_nothing_of_a_request_outlives_it():
    parsed = parse("query ($n: Int) { lines { id product { name } } }")
    context = type("Context", (), {})()
    context.loaders, context.shop, context.lines = Loaders(), Shop(), [Line(1, 1)]
    gone = weakref.ref(context)
    compiled_at_once(SHOP, parsed, None, context, {"n": 1})
    del context
    gc.collect()
    assert gone() is None


def test_a_resolver_cannot_change_the_arguments_of_another():
    seen = []

    def resolve(_source, _info, tags):
        seen.append(list(tags))
        tags.append("mine")
        return "x"

    text = GraphQLField(GraphQLString, resolve=resolve)
    schema = build_schema("type Query { items: [Item] } type Item { text(tags: [String]): String }")
    schema.type_map["Item"].fields["text"].resolve = text.resolve
    run(compiled_at_once, schema, '{ items { text(tags: ["a"]) } }', {"items": [{}, {}]})
    assert seen == [["a"], ["a"]]


def test_threads_share_plans_without_mixing_requests():
    parsed = parse("query ($full: Boolean!) { lines { id product @include(if: $full) { name } } }")
    plans, wrong = Plans(), []

    def work(number):
        for turn in range(30):
            lines = [Line(number, number), Line(number, number)]
            context = SimpleNamespace(loaders=Loaders(), shop=Shop(), lines=lines)
            full = bool((number + turn) % 2)
            result = execute(SHOP, parsed, plans=plans, context=context, variables={"full": full})
            line = {"id": str(number), **({"product": {"name": f"product {number}"}} if full else {})}
            if result.data != {"lines": [line, line]}:
                wrong.append(result)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert wrong == []


# Sources


EDGES = [
    *(None, "", "text", "12", "1.5", b"x", [], {}, (), object(), ValueError("bad"), Undefined, Decimal("2.5")),
    *(0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**53 + 1, 2**63, -(2**63) - 1, 10**5000),
    *(True, False, 0.0, -0.0, 1.0, 2.5, 1e300, float("nan"), float("inf"), float("-inf")),
]


@BOTH
@pytest.mark.parametrize("type_name", ["Int", "Float", "String", "Boolean", "ID"])
@pytest.mark.parametrize("mark", ["", "!"])
def test_scalars_are_serialized_alike_at_their_edges(executor, type_name, mark):
    schema = build_schema(f"type Query {{ items: [Item] }} type Item {{ a: {type_name}{mark} }}")
    row = namedtuple("row", "a")
    for make in (row, lambda value: {"a": value}):
        root = {"items": [make(value) for value in EDGES]}
        expected = run(stock, schema, "{ items { a } }", root)
        result = run(executor, schema, "{ items { a } }", root)
        assert outcome(result) == outcome(expected)


class Euro(DecimalType):
    @staticmethod
    def serialize(value):
        return f"{value:.2f} EUR"


class Day(DateTime):
    @staticmethod
    def serialize(value):
        return value.strftime("%d.%m.%Y")


class SameDecimal(DecimalType):
    """Changes nothing."""


@BOTH
@pytest.mark.parametrize(
    ("scalar", "value", "serialized"),
    [
        (Euro, Decimal(1), "1.00 EUR"),
        (Day, datetime(2024, 2, 29), "29.02.2024"),
        (SameDecimal, Decimal("1.50"), "1.50"),
    ],
)
def test_a_subclass_of_a_scalar_serializes_in_its_own_way(executor, scalar, value, serialized):
    item = GraphQLObjectType("Item", {"a": GraphQLField(graphene_scalar(scalar))})
    schema = GraphQLSchema(GraphQLObjectType("Query", {"items": GraphQLField(GraphQLList(item))}))
    row = namedtuple("row", "a")
    for make in (row, lambda value: {"a": value}):
        result = run(executor, schema, "{ items { a } }", {"items": [make(value)] * 5})
        assert result.data == {"items": [{"a": serialized}] * 5}


@BOTH
@pytest.mark.parametrize("text", ["{ me { x } }", "{ must { x } }", "{ all { x } }", "{ all { me { x } } }"])
def test_undefined_is_no_object(executor, text):
    schema = build_schema("type Query { me: Me must: Me! all: [Me] } type Me { x: Int me: Me }")
    row = namedtuple("row", "x me")
    root = {"me": Undefined, "must": Undefined, "all": [Undefined, row(1, Undefined), {"x": 1, "me": Undefined}]}
    expected = run(stock, schema, text, root)
    assert expected.errors
    assert outcome(run(executor, schema, text, root)) == outcome(expected)


class Priced(namedtuple("Priced", "name cents")):
    @property
    def price(self):
        if self.cents < 0:
            raise ValueError("A price cannot be negative.")
        return self.cents / 100


@pytest.mark.parametrize("item", [Priced("a", 150), {"name": "a", "price": 1.5}, SimpleNamespace(name="a", price=1.5)])
def test_rows_dicts_and_objects_are_read_alike(item):
    schema = build_schema("type Query { items: [Item] } type Item { name: String price: Float none: Int }")
    result = run(compiled_at_once, schema, "{ items { name price none } }", {"items": [item]})
    assert result.data == {"items": [{"name": "a", "price": 1.5, "none": None}]}


def test_a_property_that_raises_is_an_error_of_its_field():
    schema = build_schema("type Query { items: [Item] } type Item { name: String price: Float }")
    items = [Priced("a", -1), Priced("b", 100)]
    result = run(compiled_at_once, schema, "{ items { name price } }", {"items": items})
    assert result.data == {"items": [{"name": "a", "price": None}, {"name": "b", "price": 1.0}]}
    assert messages(result) == [("A price cannot be negative.", ["items", 0, "price"])]


def test_a_row_changed_by_a_resolver_is_read_afterwards():
    def change(item, _info):
        item["after"] = "changed"
        return "x"

    fields = {"change": GraphQLField(GraphQLString, resolve=change), "after": GraphQLField(GraphQLString)}
    item_type = GraphQLObjectType("Item", fields)
    schema = GraphQLSchema(GraphQLObjectType("Query", {"items": GraphQLField(GraphQLList(GraphQLNonNull(item_type)))}))
    result = run(compiled_at_once, schema, "{ items { change after } }", {"items": [{"after": "old"}]})
    assert result.data == {"items": [{"change": "x", "after": "changed"}]}


def test_extensions_of_an_error_are_kept():
    schema = build_schema("type Query { x: Int }")
    error = GraphQLError("no", extensions={"code": "NOPE"})
    result = run(compiled_at_once, schema, "{ x }", {"x": error})
    assert result.errors[0].extensions == {"code": "NOPE"}
