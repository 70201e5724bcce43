"""What completes a value at its place in the result: scalars, objects, interfaces and unions, lists."""

from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLAbstractType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.execute import invalid_return_type_error
from graphql.pyutils import Path, is_iterable

from framework.graphql.executor.execution import Pending, new_path, not_iterable, watched
from framework.graphql.loaders import Deferred

if TYPE_CHECKING:
    from framework.graphql.executor.compiled import Compiled, FieldPlan, ObjectPlan


class Position:
    """A place in the result: what completes a value there, and whether it may be null."""

    __slots__ = ("nodes", "nullable", "plan", "target", "type")

    def __init__(self, plan: "FieldPlan", type_: Any) -> None:
        self.plan = plan
        self.type = type_
        self.nodes = plan.nodes
        self.nullable = not isinstance(type_, GraphQLNonNull)
        self.target = target(plan, type_ if self.nullable else type_.of_type)

    def complete(self, execution: "Compiled", value: Any, path: Path) -> Any:
        """Complete a value that may be null. Raises TypeError where it must not."""
        completed = self.target.run(execution, value, path)
        if completed is None and not self.nullable:
            raise self.null_error()
        return completed

    def null_error(self) -> TypeError:
        return TypeError(f"Cannot return null for non-nullable field {self.plan.parent.name}.{self.plan.name}.")


class LeafTarget:
    __slots__ = ("type",)

    def __init__(self, type_: Any) -> None:
        self.type = type_

    def run(self, execution: "Compiled", value: Any, _path: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None:
            return None
        return execution.complete_leaf_value(self.type, value)


class CheckedTarget:
    """Objects of a type with `is_type_of`."""

    __slots__ = ("plan", "type")

    def __init__(self, plan: "FieldPlan", type_: GraphQLObjectType) -> None:
        self.plan = plan
        self.type = type_

    def run(self, execution: "Compiled", value: Any, path: Path) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None:
            return None
        info = self.plan.info(execution, field_path(path))
        return checked(execution, self.plan, self.type, value, info).run(execution, value, path)


class AbstractTarget:
    """Objects of an interface or union, whose type is resolved from the value."""

    __slots__ = ("plan", "type")

    def __init__(self, plan: "FieldPlan", type_: GraphQLAbstractType) -> None:
        self.plan = plan
        self.type = type_

    def run(self, execution: "Compiled", value: Any, path: Path) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None:
            return None
        info = self.plan.info(execution, field_path(path))
        name = (self.type.resolve_type or execution.type_resolver)(value, info, self.type)
        type_ = execution.ensure_valid_runtime_type(name, self.type, self.plan.nodes, info, value)
        return checked(execution, self.plan, type_, value, info).run(execution, value, path)


def checked(
    execution: "Compiled", plan: "FieldPlan", type_: GraphQLObjectType, value: Any, info: GraphQLResolveInfo
) -> "ObjectPlan":
    """The plan for the value. Raises GraphQLError when the type does not accept it."""
    objects = plan.plans.object(type_, plan.nodes)
    # As in graphql-core, a bad @skip or @include comes before a wrong type.
    objects.fields(execution)
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
    __slots__ = ("item", "plan")

    def __init__(self, plan: "FieldPlan", type_: GraphQLList[Any]) -> None:
        self.plan = plan
        self.item = Position(plan, type_.of_type)

    def run(self, execution: "Compiled", value: Any, path: Path) -> Any:
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
                    result = execution.suspend(item, item_path, position)
                else:
                    result = target.run(execution, item, item_path)
                    if result is None and not nullable:
                        raise position.null_error()
            except Exception as raw_error:
                result = execution.fail(raw_error, position.nodes, position.type, item_path)
            completed.append(result)
            if result.__class__ is Pending:
                result.container = completed
        return completed

    def _items(self, value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None:
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
