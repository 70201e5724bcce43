"""graphql-core's field-by-field interpreter, extended by late values and the deadline."""

from collections.abc import Callable
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    located_error,
)
from graphql.pyutils import Path, is_iterable

from framework.context import check_deadline
from framework.errors import DeadlineExceeded
from framework.graphql.executor.execution import Execution, ExecutionAborted, Pending, not_iterable, watched
from framework.graphql.loaders import Deferred


class InterpretedPlace(NamedTuple):
    type: GraphQLOutputType
    nodes: list[FieldNode]
    info: GraphQLResolveInfo

    def complete(self, context: Any, value: Any, path: Path) -> Any:
        return context.complete_value(self.type, self.nodes, self.info, path, value)


class Interpreted(Execution):
    def build_resolve_info(
        self,
        field_def: GraphQLField,
        field_nodes: list[FieldNode],
        parent_type: GraphQLObjectType,
        path: Path,
    ) -> GraphQLResolveInfo:
        """The `info` of a resolver. graphql-core makes it right before each call, so it checks the deadline too."""
        try:
            check_deadline()
        except DeadlineExceeded as exceeded:
            raise ExecutionAborted(located_error(exceeded, field_nodes, path.as_list())) from None
        return super().build_resolve_info(field_def, field_nodes, parent_type, path)

    def complete_value(
        self,
        return_type: GraphQLOutputType,
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        result: Any,
    ) -> Any:
        """Complete a value, or leave its place open while it is still to be loaded."""
        if result.__class__ is Deferred:
            return self.suspend(result, path, InterpretedPlace(return_type, field_nodes, info))
        if isinstance(result, Exception):  # graphql-core's Undefined is one
            raise result
        nullable: Any = return_type.of_type if isinstance(return_type, GraphQLNonNull) else return_type
        completed = None
        if result is not None:
            # Called directly, not through a helper: each frame less lets documents nest as deep as in graphql-core.
            if is_leaf_type(nullable):
                completed = self.complete_leaf_value(nullable, result)
            else:
                completed = self._completer(nullable)(nullable, field_nodes, info, path, result)
        if completed is None and nullable is not return_type:
            name = f"{info.parent_type.name}.{info.field_name}"
            raise TypeError(f"Cannot return null for non-nullable field {name}.")
        return completed

    def _completer(self, type_: GraphQLOutputType) -> Callable[..., Any]:
        if is_list_type(type_):
            return self.complete_list_value
        return self.complete_abstract_value if is_abstract_type(type_) else self.complete_object_value

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        result: Any,
    ) -> Any:
        """Complete each item of a list. Raises GraphQLError when the result is no list."""
        if not is_iterable(result):
            raise not_iterable(info.parent_type.name, info.field_name)
        item_type = return_type.of_type
        completed: list[Any] = []
        for index, item in watched(result):
            item_path = Path(path, index, None)
            try:
                value = self.complete_value(item_type, field_nodes, info, item_path, item)
            except Exception as raw_error:
                value = self.fail(raw_error, field_nodes, item_type, item_path)
            completed.append(value)
            if value.__class__ is Pending:
                value.container = completed
        return completed
