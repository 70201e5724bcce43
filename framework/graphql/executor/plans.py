"""How the selection sets of one document are executed, worked out once and kept with the document.

A plan knows the schema and the document, never a request: what belongs to a request comes in as the context.
"""

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

from graphene.types.resolver import dict_or_attr_resolver
from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    TypeNameMetaFieldDef,
    Undefined,
    default_field_resolver,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.execute import get_field_def, invalid_return_type_error
from graphql.pyutils import Path, is_iterable

from framework.context import check_deadline
from framework.graphql.executor import source
from framework.graphql.executor.deferred import Pending, not_iterable, watched
from framework.graphql.loaders import Deferred

OBJECTS_BEFORE_COMPILING = 2
FIELDS_COMPILED_AT_MOST = 200
UNUSUAL = (Exception, Deferred, type(None), type(Undefined))
NO_ARGUMENTS: dict[str, Any] = {}
CLASSES_KNOWN_AT_MOST = 64

Context = Any  # a CompiledExecutionContext; its module imports this one
Fields = dict[str, list[FieldNode]]

new_path = partial(tuple.__new__, Path)
new_info = partial(tuple.__new__, GraphQLResolveInfo)


class DocumentPlans:
    """The plans of one document, for one schema and one choice of what @skip and @include leave.

    They are made on first use, because what a document says is unbounded by what its data need.
    """

    def __init__(self, anchors: tuple[object, ...]) -> None:
        # The cache goes by identity, so these must live as long as the plans do.
        self.anchors = anchors
        self.objects: dict[tuple[Any, ...], ObjectPlan] = {}
        self.fields: dict[tuple[Any, ...], FieldPlan] = {}

    def object(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> "ObjectPlan":
        """The plan for objects of the type that the fields select."""
        key = (type_, *map(id, nodes))
        plan = self.objects.get(key)
        return plan or self.objects.setdefault(key, ObjectPlan(self, type_, nodes))

    def field(self, context: Context, parent: GraphQLObjectType, nodes: list[FieldNode]) -> "FieldPlan | None":
        """The plan for one field; None when the type has no such field."""
        key = (parent, *map(id, nodes))
        plan = self.fields.get(key)
        if plan is None:
            field = get_field_def(context.schema, parent, nodes[0])
            if not field:
                return None
            plan = self.fields.setdefault(key, FieldPlan(self, parent, field, nodes))
        return plan


class Getters(dict[type, Callable[[Any], Any] | None]):
    """For each class of sources what reads all plain fields in one go; None where that could run code."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._getter = getter_of(names)

    def __missing__(self, class_: type) -> Callable[[Any], Any] | None:
        getter = self._getter if is_plain_row(class_, self._names) else None
        if len(self) < CLASSES_KNOWN_AT_MOST:
            self[class_] = getter
        return getter


def getter_of(names: tuple[str, ...]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _source: ()


_field_descriptor = type(GraphQLResolveInfo.__dict__["field_name"])


def is_plain_row(class_: type, names: tuple[str, ...]) -> bool:
    """Whether it is a named tuple class for which reading the names off an instance is no more than that."""
    return (
        issubclass(class_, tuple)
        and class_.__getattribute__ is tuple.__getattribute__
        and all(type(static_attribute(class_, name)) is _field_descriptor for name in names)
    )


def static_attribute(class_: type, name: str) -> Any:
    return next((base.__dict__[name] for base in class_.__mro__ if name in base.__dict__), None)


class ObjectPlan:
    """How objects of one type are completed: the first few field by field, then by generated code."""

    def __init__(self, plans: DocumentPlans, type_: GraphQLObjectType, nodes: list[FieldNode]) -> None:
        self.run: source.Run = self._run_by_field
        self._plans = plans
        self._type = type_
        self._nodes = nodes
        self._fields: list[FieldPlan] | None = None
        self._objects = 0

    def fields(self, context: Context) -> "list[FieldPlan]":
        """The plans of the selected fields. Raises GraphQLError for a bad @skip or @include."""
        if self._fields is None:
            selected: Fields = context.collect_subfields(self._type, self._nodes)
            plans = (self._plans.field(context, self._type, nodes) for nodes in selected.values())
            self._fields = [plan for plan in plans if plan]
        return self._fields

    def _run_by_field(self, context: Context, value: Any, path: Path) -> Any:
        if value is None or value is Undefined:
            return None
        if isinstance(value, Exception):
            raise value
        fields = self.fields(context)
        self._objects += 1
        if self._objects > OBJECTS_BEFORE_COMPILING and len(fields) <= FIELDS_COMPILED_AT_MOST:
            self.run = compiled(fields)
            return self.run(context, value, path)
        results: dict[str, Any] = {}
        for field in fields:
            result = results[field.key] = field.execute(context, value, path)
            if result.__class__ is Pending:
                result.container = results
        return results


def compiled(fields: "list[FieldPlan]") -> source.Run:
    slots = [field.slot() for field in fields]
    names = tuple(field.attribute for field, slot in zip(fields, slots, strict=True) if slot.kind == source.READ)
    return source.generate(slots, Getters(names))


class Position:
    """A place in the result: what completes a value there, and whether it may be null."""

    __slots__ = ("message", "nodes", "nullable", "target", "type")

    def __init__(self, plan: "FieldPlan", type_: Any) -> None:
        self.type = type_
        self.nodes = plan.nodes
        self.nullable = not isinstance(type_, GraphQLNonNull)
        self.message = f"Cannot return null for non-nullable field {plan.parent.name}.{plan.name}."
        self.target = target(plan, type_ if self.nullable else type_.of_type)

    def complete(self, context: Context, value: Any, path: Path) -> Any:
        """Complete a value that may be null. Raises TypeError where it must not."""
        completed = self.target.run(context, value, path)
        if completed is None and not self.nullable:
            raise TypeError(self.message)
        return completed


class LeafTarget:
    def __init__(self, type_: Any) -> None:
        self.type = type_

    def run(self, context: Context, value: Any, _path: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return None
        return context.complete_leaf_value(self.type, value)


class CheckedTarget:
    """Objects of a type that has its own say in what is of it."""

    def __init__(self, plan: "FieldPlan", type_: GraphQLObjectType) -> None:
        self.plan = plan
        self.type = type_

    def run(self, context: Context, value: Any, path: Path) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return None
        info = self.plan.info(context, field_path(path))
        return checked(context, self.plan, self.type, value, info).run(context, value, path)


class AbstractTarget:
    """Objects whose type is found out from the value."""

    def __init__(self, plan: "FieldPlan", type_: GraphQLAbstractType) -> None:
        self.plan = plan
        self.type = type_

    def run(self, context: Context, value: Any, path: Path) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return None
        info = self.plan.info(context, field_path(path))
        name = (self.type.resolve_type or context.type_resolver)(value, info, self.type)
        type_ = context.ensure_valid_runtime_type(name, self.type, self.plan.nodes, info, value)
        return checked(context, self.plan, type_, value, info).run(context, value, path)


def checked(
    context: Context, plan: "FieldPlan", type_: GraphQLObjectType, value: Any, info: GraphQLResolveInfo
) -> ObjectPlan:
    """The plan for the value. Raises GraphQLError when the type does not accept it."""
    objects = plan.plans.object(type_, plan.nodes)
    # As in graphql-core, a bad @skip or @include comes before a wrong type.
    objects.fields(context)
    check: Any = type_.is_type_of
    if check and not check(value, info):
        raise invalid_return_type_error(type_, value, plan.nodes)
    return objects


def field_path(path: Path) -> Path:
    """The path of the field that a list item belongs to."""
    while isinstance(path.key, int):
        path = path.prev
    return path


class ListTarget:
    def __init__(self, plan: "FieldPlan", type_: GraphQLList[Any]) -> None:
        self.plan = plan
        self.item = Position(plan, type_.of_type)

    def run(self, context: Context, value: Any, path: Path) -> Any:
        if type(value) is not list:
            value = self._items(value)
            if value is None:
                return None
        position, target, nullable = self.item, self.item.target, self.item.nullable
        completed: list[Any] = []
        for index, item in watched(value):
            item_path = new_path((path, index, None))
            try:
                if item.__class__ is Deferred:
                    result = context.suspend(item, item_path, position)
                else:
                    result = target.run(context, item, item_path)
                    if result is None and not nullable:
                        raise TypeError(position.message)
            except Exception as raw_error:
                result = context.fail(raw_error, position.nodes, position.type, item_path)
            completed.append(result)
            if result.__class__ is Pending:
                result.container = completed
        return completed

    def _items(self, value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None or value is Undefined:
            return None
        if not is_iterable(value):
            raise not_iterable(self.plan.parent.name, self.plan.name)
        return value


def target(plan: "FieldPlan", type_: Any) -> Any:
    """What completes values of a nullable type."""
    if isinstance(type_, GraphQLList):
        return ListTarget(plan, type_)
    if is_leaf_type(type_):
        return LeafTarget(type_)
    if is_abstract_type(type_):
        return AbstractTarget(plan, type_)
    return CheckedTarget(plan, type_) if type_.is_type_of else plan.plans.object(type_, plan.nodes)


class FieldPlan:
    """How one field is executed: `execute(context, source, path of the object)`.

    `finish(context, value, path of the object)` is the part of it that comes after the reading of a plain
    attribute; only fields with a default resolver have it.
    """

    def __init__(
        self, plans: DocumentPlans, parent: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode]
    ) -> None:
        self.plans = plans
        self.parent = parent
        self.field = field
        self.nodes = nodes
        self.name = nodes[0].name.value
        self.key = nodes[0].alias.value if nodes[0].alias else self.name
        self.attribute, self.read = reader(field, self.name)
        self.finish: source.Run | None = None
        self.execute = self._executor()

    def slot(self) -> source.Slot:
        """The field as the generated code is to treat it."""
        if self.field is TypeNameMetaFieldDef:
            return source.Slot(source.CONSTANT, self.key, read=self.parent.name)
        if self.finish is None:
            return source.Slot(source.CALL, self.key, finish=self.execute)
        type_ = self.nullable_type()
        nullable = type_ is self.field.type
        changes = source.changes(type_) if isinstance(type_, GraphQLScalarType) else source.ANYTHING_ELSE
        exact = getattr(getattr(type_, "graphene_type", None), "exact", None)
        return source.Slot(source.READ, self.key, changes, nullable, self.read, self.finish, exact)

    def nullable_type(self) -> Any:
        type_: Any = self.field.type
        return type_.of_type if isinstance(type_, GraphQLNonNull) else type_

    def info(self, context: Context, path: Path) -> GraphQLResolveInfo:
        """What a resolver is told."""
        own = (self.name, self.nodes, self.field.type, self.parent, path)
        return new_info(own + context.info_of_operation)

    def _executor(self) -> source.Run:
        if self.field is TypeNameMetaFieldDef:
            return lambda _context, _source, _path: self.parent.name
        if self.read is None:
            return by_resolver(self, Position(self, self.field.type))
        self.finish = by_attribute(self, Position(self, self.field.type))
        if self.field.resolve is not None and is_leaf_type(self.nullable_type()):
            self.finish = by_leaf(self, self.finish)
        return reading(self.read, self.finish)


def by_resolver(plan: FieldPlan, position: Position) -> source.Run:
    key, parent_name, arguments_known = plan.key, plan.parent.name, not plan.field.args
    resolve = plan.field.resolve or default_field_resolver
    target, nullable = position.target, position.nullable
    own = (plan.name, plan.nodes, plan.field.type, plan.parent)

    def execute(context: Context, source: Any, parent_path: Path | None) -> Any:
        path = new_path((parent_path, key, parent_name))
        try:
            check_deadline()
            info = new_info((*own, path, *context.info_of_operation))
            arguments = NO_ARGUMENTS if arguments_known else context.arguments(plan)
            value = resolve(source, info, **arguments)
            if value.__class__ is Deferred:
                return context.suspend(value, path, position)
            completed = target.run(context, value, path)
            if completed is None and not nullable:
                raise TypeError(position.message)
        except Exception as raw_error:
            return context.fail(raw_error, position.nodes, position.type, path)
        return completed

    return execute


def by_attribute(plan: FieldPlan, position: Position) -> source.Run:
    key, parent_name, may_be_called = plan.key, plan.parent.name, plan.field.resolve is None
    target, nullable = position.target, position.nullable

    def finish(context: Context, value: Any, parent_path: Path | None) -> Any:
        path = new_path((parent_path, key, parent_name))
        try:
            if may_be_called and callable(value):
                check_deadline()
                value = value(plan.info(context, path))
            if value.__class__ is Deferred:
                return context.suspend(value, path, position)
            completed = target.run(context, value, path)
            if completed is None and not nullable:
                raise TypeError(position.message)
        except Exception as raw_error:
            return context.fail(raw_error, position.nodes, position.type, path)
        return completed

    return finish


def by_leaf(plan: FieldPlan, finish_anything: source.Run) -> source.Run:
    """A shorter way for the values scalars and enums usually have."""
    key, parent_name, nodes, type_ = plan.key, plan.parent.name, plan.nodes, plan.field.type
    serialize = plan.nullable_type().serialize

    def finish(context: Context, value: Any, parent_path: Path | None) -> Any:
        if isinstance(value, UNUSUAL):
            return finish_anything(context, value, parent_path)
        try:
            completed = serialize(value)
        except Exception as raw_error:
            return context.fail(raw_error, nodes, type_, new_path((parent_path, key, parent_name)))
        if completed is None or completed is Undefined:
            return finish_anything(context, value, parent_path)
        return completed

    return finish


def reading(read: Callable[[Any], Any], finish: source.Run) -> source.Run:
    return lambda context, source, path: finish(context, read(source), path)


def reader(field: GraphQLField, name: str) -> tuple[str, Callable[[Any], Any] | None]:
    """The attribute a default resolver reads, and a function that reads it; None for other resolvers.

    The function returns an exception instead of raising it: completing one raises it.
    """
    resolve = field.resolve
    if field.args:
        return "", None
    if resolve is None:
        return name, partial(read_as_core, name)
    if type(resolve) is partial and resolve.func is dict_or_attr_resolver and not resolve.keywords:
        attribute, default = resolve.args
        return attribute, partial(read_as_graphene, attribute, default)
    return "", None


def read_as_core(name: str, source: Any) -> Any:
    try:
        return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
    except Exception as error:
        return error


def read_as_graphene(attribute: str, default: Any, source: Any) -> Any:
    try:
        if isinstance(source, dict):
            return source.get(attribute, default)
        return getattr(source, attribute, default)
    except Exception as error:
        return error
