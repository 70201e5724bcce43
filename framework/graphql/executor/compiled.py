"""Execution by plans: a generated Python function for each selection set, kept with the document.

A plan knows the schema and the document, never a request: everything of a request is in the execution handed in.
"""

import datetime
import decimal
import enum
import uuid
from functools import partial
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    TypeNameMetaFieldDef,
    Undefined,
    default_field_resolver,
    is_leaf_type,
)
from graphql.execution.execute import get_field_def
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path

from framework.context import check_deadline
from framework.graphql.executor import source
from framework.graphql.executor.attributes import Getters, reader
from framework.graphql.executor.execution import Execution, Pending, new_path
from framework.graphql.executor.targets import Position
from framework.graphql.loaders import Deferred

MAX_COMPILED_FIELDS = 200  # of one selection set; longer ones are executed field by field
BYTES_PER_FIELD = 1_600  # of memory, about: the plan of a field with its share of the generated code
IMMUTABLE = (
    str, int, float, bool, bytes, type(None), decimal.Decimal, uuid.UUID, enum.Enum, datetime.date, datetime.time
)  # fmt: skip
NO_ARGUMENTS: dict[str, Any] = {}
UNUSUAL = (Exception, Deferred, type(None))

new_info = partial(tuple.__new__, GraphQLResolveInfo)


class Compiled(Execution):
    plans: "OperationPlans"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arguments: dict[FieldPlan, dict[str, Any]] = {}
        self.info_of_operation = (
            self.schema,
            self.fragments,
            self.root_value,
            self.operation,
            self.variable_values,
            self.context_value,
            self.is_awaitable,
        )

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_nodes: list[FieldNode], path: Path
    ) -> Any:
        """Execute one field by its plan."""
        plan = self.plans.field(self.schema, parent_type, field_nodes)
        return plan.execute(self, source, path.prev) if plan else Undefined

    def arguments(self, plan: "FieldPlan") -> dict[str, Any]:
        """The arguments of a field, coerced once a request unless a resolver could change them."""
        arguments = self._arguments.get(plan)
        if arguments is None:
            arguments = get_argument_values(plan.field, plan.nodes[0], self.variable_values)
            if all(isinstance(value, IMMUTABLE) for value in arguments.values()):
                self._arguments[plan] = arguments
        return arguments


class OperationPlans:
    """The plans of one operation, for one choice of what @skip and @include leave of it.

    Each is made when it is first needed, because the data may need only a small part of what the document says.
    """

    def __init__(self) -> None:
        self.was_used = False
        self._objects: dict[tuple[Any, ...], ObjectPlan] = {}
        self._fields: dict[tuple[Any, ...], FieldPlan] = {}

    @property
    def size(self) -> int:
        """About how many bytes of memory the plans take."""
        return len(self._fields) * BYTES_PER_FIELD

    def object(self, type_: GraphQLObjectType, nodes: list[FieldNode]) -> "ObjectPlan":
        """The plan for objects of the type that the fields select."""
        key = (type_, *map(id, nodes))
        plan = self._objects.get(key)
        return plan or self._objects.setdefault(key, ObjectPlan(self, type_, nodes))

    def field(self, schema: GraphQLSchema, parent: GraphQLObjectType, nodes: list[FieldNode]) -> "FieldPlan | None":
        """The plan for one field; None when the type has no such field."""
        key = (parent, *map(id, nodes))
        plan = self._fields.get(key)
        if plan is None:
            field = get_field_def(schema, parent, nodes[0])
            if not field:
                return None
            plan = self._fields.setdefault(key, FieldPlan(self, parent, field, nodes))
        return plan


class ObjectPlan:
    """How objects of one type are completed. `run(execution, source, path)` is replaced by generated code."""

    __slots__ = ("_fields", "_nodes", "_plans", "_type", "run")

    def __init__(self, plans: OperationPlans, type_: GraphQLObjectType, nodes: list[FieldNode]) -> None:
        self.run: source.Run = self._compile_and_run
        self._plans = plans
        self._type = type_
        self._nodes = nodes
        self._fields: list[FieldPlan] | None = None

    def fields(self, execution: Compiled) -> "list[FieldPlan]":
        """The plans of the selected fields. Raises GraphQLError for a bad @skip or @include."""
        if self._fields is None:
            selected = execution.collect_subfields(self._type, self._nodes)
            plans = (self._plans.field(execution.schema, self._type, nodes) for nodes in selected.values())
            self._fields = [plan for plan in plans if plan]
        return self._fields

    def _compile_and_run(self, execution: Compiled, value: Any, path: Path) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None:
            return None
        fields = self.fields(execution)
        self.run = _compile(fields) if len(fields) <= MAX_COMPILED_FIELDS else self._run_by_field
        return self.run(execution, value, path)

    def _run_by_field(self, execution: Compiled, value: Any, path: Path) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None:
            return None
        results: dict[str, Any] = {}
        for field in self.fields(execution):
            result = results[field.key] = field.execute(execution, value, path)
            if result.__class__ is Pending:
                result.container = results
        return results


def _compile(fields: "list[FieldPlan]") -> source.Run:
    slots = [field.slot() for field in fields]
    names = tuple(field.attribute for field, slot in zip(fields, slots, strict=True) if slot.kind == source.READ)
    return source.generate(slots, Getters(names))


class FieldPlan:
    """How one field is executed: `execute(execution, source, path of the object)`.

    For a field with a default resolver, `read(source)` is its first part and `finish(execution, value, path of the
    object)` the second. `read` is None for other resolvers.
    """

    __slots__ = ("attribute", "execute", "field", "finish", "key", "name", "nodes", "parent", "plans", "read")

    def __init__(
        self, plans: OperationPlans, parent: GraphQLObjectType, field: GraphQLField, nodes: list[FieldNode]
    ) -> None:
        self.plans = plans
        self.parent = parent
        self.field = field
        self.nodes = nodes
        self.name = nodes[0].name.value
        self.key = nodes[0].alias.value if nodes[0].alias else self.name
        self.attribute, self.read = reader(field, self.name)
        self.finish: source.Run = self._finish_leaf
        self.execute: source.Run = self._read_and_finish
        self._prepare()

    def _prepare(self) -> None:
        if self.field is TypeNameMetaFieldDef:
            self.execute = self._type_name
        elif self.read is None:
            self.execute = by_resolver(self, Position(self, self.field.type))
        elif self.field.resolve is None or not is_leaf_type(self.nullable_type()):
            self.finish = by_attribute(self, Position(self, self.field.type))

    def slot(self) -> source.Slot:
        """The field as the generated code is to treat it."""
        if self.field is TypeNameMetaFieldDef:
            return source.Slot(source.CONSTANT, self.key, read=self.parent.name)
        if self.read is None:
            return source.Slot(source.CALL, self.key, finish=self.execute)
        type_ = self.nullable_type()
        nullable = type_ is self.field.type
        return source.Slot(
            source.READ, self.key, source.changes(type_), nullable, self.read, self.finish, source.exact(type_)
        )

    def nullable_type(self) -> Any:
        type_: Any = self.field.type
        return type_.of_type if isinstance(type_, GraphQLNonNull) else type_

    def info(self, execution: Compiled, path: Path) -> GraphQLResolveInfo:
        """The `info` of the field's resolver."""
        own = (self.name, self.nodes, self.field.type, self.parent, path)
        return new_info(own + execution.info_of_operation)

    def _type_name(self, _execution: Compiled, _source: Any, _path: Path | None) -> str:
        return self.parent.name

    def _read_and_finish(self, execution: Compiled, source: Any, path: Path | None) -> Any:
        assert self.read is not None
        return self.finish(execution, self.read(source), path)

    def _finish_leaf(self, execution: Compiled, value: Any, parent_path: Path | None) -> Any:
        """A shorter way for the values that scalars and enums usually have."""
        if not isinstance(value, UNUSUAL):
            try:
                completed = self.nullable_type().serialize(value)
            except Exception as raw_error:
                path = new_path((parent_path, self.key, self.parent.name))
                return execution.fail(raw_error, self.nodes, self.field.type, path)
            if completed is not None and completed is not Undefined:
                return completed
        return by_attribute(self, Position(self, self.field.type))(execution, value, parent_path)


def by_resolver(plan: FieldPlan, position: Position) -> source.Run:
    key, parent_name, arguments_known = plan.key, plan.parent.name, not plan.field.args
    resolve = plan.field.resolve or default_field_resolver
    target, nullable = position.target, position.nullable
    own = (plan.name, plan.nodes, plan.field.type, plan.parent)

    def execute(execution: Compiled, source: Any, parent_path: Path | None) -> Any:
        path = new_path((parent_path, key, parent_name))
        try:
            check_deadline()
            info = new_info((*own, path, *execution.info_of_operation))
            arguments = NO_ARGUMENTS if arguments_known else execution.arguments(plan)
            value = resolve(source, info, **arguments)
            if value.__class__ is Deferred:
                return execution.suspend(value, path, position)
            completed = target.run(execution, value, path)
            if completed is None and not nullable:
                raise position.null_error()
        except Exception as raw_error:
            return execution.fail(raw_error, position.nodes, position.type, path)
        return completed

    return execute


def by_attribute(plan: FieldPlan, position: Position) -> source.Run:
    key, parent_name, may_be_called = plan.key, plan.parent.name, plan.field.resolve is None
    target, nullable = position.target, position.nullable

    def finish(execution: Compiled, value: Any, parent_path: Path | None) -> Any:
        path = new_path((parent_path, key, parent_name))
        try:
            if may_be_called and callable(value):
                check_deadline()
                value = value(plan.info(execution, path))
            if value.__class__ is Deferred:
                return execution.suspend(value, path, position)
            completed = target.run(execution, value, path)
            if completed is None and not nullable:
                raise position.null_error()
        except Exception as raw_error:
            return execution.fail(raw_error, position.nodes, position.type, path)
        return completed

    return finish
