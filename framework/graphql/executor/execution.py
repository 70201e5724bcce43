"""The execution of one operation: root fields, values that are loaded in batches, the deadline, and errors.

A resolver may return a Deferred, alone or within a list. Its place in the result stays open (Pending) while the
rest of the level is completed; then all batches of the level are fetched and the open places are filled.

The result equals the one that plain values would give, for two reasons. Errors are collected until the end and
reported in the order of depth-first execution, because that order decides which errors a nulled ancestor hides.
And a null that propagates from a late value is applied at the end.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Protocol

from graphql import (
    ExecutionContext,
    FieldNode,
    GraphQLError,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    located_error,
)
from graphql.execution.collect_fields import collect_fields
from graphql.execution.execute import SELECTIONS_NESTED_TOO_DEEPLY
from graphql.pyutils import Path

from framework.context import check_deadline
from framework.data import outage
from framework.errors import DeadlineExceeded
from framework.graphql.executor.failures import Failure, Fields, execution_order, make_null, nullable_ancestor
from framework.graphql.loaders import Deferred

ITEMS_BETWEEN_CHECKS = 64

new_path = partial(tuple.__new__, Path)


class ExecutionAborted(BaseException):
    """Ends the whole execution; not an Exception, or the next field up would report it and carry on."""

    def __init__(self, error: GraphQLError) -> None:
        super().__init__(error)
        self.error = error


class Pending:
    """An open place in the result. Without a container it lies in a part that has been nulled."""

    __slots__ = ("container", "deferred", "path", "place")

    def __init__(self, deferred: Deferred[Any], path: Path, place: "Place") -> None:
        self.deferred = deferred
        self.path = path
        self.place = place
        self.container: Any = None


class Place(Protocol):
    """What is known of a place in the result, apart from its path."""

    @property
    def type(self) -> GraphQLOutputType: ...

    @property
    def nodes(self) -> list[FieldNode]: ...

    def complete(self, context: Any, value: Any, path: Path) -> Any:
        """Complete a value that has been loaded. Raises what keeps it from being completed."""


class Execution(ExecutionContext):
    """What the interpreter and the compiled execution share. Synchronous only: awaitables are not awaited."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._root_fields: Fields = {}
        self.pending: list[Pending] = []
        self._failures: list[Failure] = []
        self._late_nulls: list[Path] = []
        self._deferred_seen = False

    def execute_operation(self, operation: OperationDefinitionNode, root_value: Any) -> Any:
        """Execute an operation. Raises GraphQLError for a failure of the operation as a whole."""
        root_type = self._root_type(operation)
        self._root_fields = self._collect_root_fields(operation, root_type)
        try:
            data = self._execute_root(operation, root_type, root_value)
        except ExecutionAborted as aborted:
            raise aborted.error from None
        return self._publish(data)

    def _root_type(self, operation: OperationDefinitionNode) -> GraphQLObjectType:
        root_type = self.schema.get_root_type(operation.operation)
        if root_type is None:
            kind = operation.operation.value
            raise GraphQLError(f"Schema is not configured to execute {kind} operation.", operation)
        return root_type

    def _collect_root_fields(self, operation: OperationDefinitionNode, root_type: GraphQLObjectType) -> Fields:
        try:
            return collect_fields(self.schema, self.fragments, self.variable_values, root_type, operation.selection_set)
        except RecursionError:
            pass
        # Raised outside of the handler, so that it does not keep the frames of the recursion alive.
        raise GraphQLError(SELECTIONS_NESTED_TOO_DEEPLY, operation)

    def _execute_root(
        self, operation: OperationDefinitionNode, root_type: GraphQLObjectType, root_value: Any
    ) -> dict[str, Any] | None:
        if operation.operation == OperationType.MUTATION:
            return self._execute_serially(root_type, root_value)
        return self._execute_and_drain(root_type, root_value, self._root_fields)

    def _execute_serially(self, root_type: GraphQLObjectType, root_value: Any) -> dict[str, Any] | None:
        data: dict[str, Any] = {}
        for response_name, nodes in self._root_fields.items():
            result = self._execute_and_drain(root_type, root_value, {response_name: nodes})
            if result is None:
                return None
            data.update(result)
        return data

    def _execute_and_drain(
        self, root_type: GraphQLObjectType, root_value: Any, fields: Fields
    ) -> dict[str, Any] | None:
        data: dict[str, Any] | None
        try:
            data = self.execute_fields(root_type, root_value, None, fields)
        except GraphQLError as error:
            self._failures.append(Failure(error, None, None))
            data = None
        self._drain()
        return None if any(failure.nulled is None for failure in self._failures) else data

    def execute_fields(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Path | None, fields: Fields
    ) -> Any:
        """Execute the fields of one object."""
        results: dict[str, Any] = {}
        for response_name, nodes in fields.items():
            field_path = Path(path, response_name, parent_type.name)
            result = self.execute_field(parent_type, source_value, nodes, field_path)
            if result is Undefined:
                continue
            results[response_name] = result
            if result.__class__ is Pending:
                result.container = results
        return results

    def suspend(self, deferred: Deferred[Any], path: Path, place: Place) -> Any:
        """Leave the place open until the value is loaded; complete it at once if it already is."""
        if deferred.settle():
            return place.complete(self, deferred.result(), path)
        self._deferred_seen = True
        pending = Pending(deferred, path, place)
        self.pending.append(pending)
        return pending

    def fail(
        self, raw_error: Exception, field_nodes: list[FieldNode], return_type: GraphQLOutputType, path: Path
    ) -> Any:
        """Note an error and answer null for the place. Raises GraphQLError where null is not allowed."""
        error = located_error(raw_error, field_nodes, path.as_list())
        self.handle_field_error(error, return_type, path)
        return None

    def handle_field_error(self, error: GraphQLError, return_type: GraphQLOutputType, path: Path) -> None:
        """Note an error, or pass it on to the parent where null is not allowed."""
        if isinstance(error.original_error, DeadlineExceeded) or outage.is_outage(error.original_error):
            raise ExecutionAborted(error)
        if isinstance(return_type, GraphQLNonNull):
            raise error
        self._failures.append(Failure(error, path, path))

    def _drain(self) -> None:
        while self.pending:
            level, self.pending = self.pending, []
            for pending in level:
                self._fetch(pending)
            for pending in level:
                self._fill(pending)

    def _fetch(self, pending: Pending) -> None:
        while pending.deferred.awaits_fetch():
            try:
                check_deadline()
            except DeadlineExceeded as exceeded:
                error = located_error(exceeded, pending.place.nodes, pending.path.as_list())
                raise ExecutionAborted(error) from None
            pending.deferred.fetch()

    def _fill(self, pending: Pending) -> None:
        if not pending.deferred.settle():
            self.pending.append(pending)
            return
        value = None
        try:
            value = pending.place.complete(self, pending.deferred.result(), pending.path)
        except Exception as raw_error:
            self._fail_late(pending, raw_error)
        if pending.container is not None:
            pending.container[pending.path.key] = value

    def _fail_late(self, pending: Pending, raw_error: Exception) -> None:
        try:
            self.fail(raw_error, pending.place.nodes, pending.place.type, pending.path)
        except GraphQLError as error:
            nulled = nullable_ancestor(self, self._root_fields, pending.path)
            self._failures.append(Failure(error, pending.path, nulled))
            if nulled is not None:
                self._late_nulls.append(nulled)

    def _publish(self, data: dict[str, Any] | None) -> dict[str, Any] | None:
        failures, self._failures = self._failures, []
        if self._deferred_seen and len(failures) > 1:
            failures.sort(key=partial(execution_order, self, self._root_fields))
        for failure in failures:
            self.collected_errors.add(failure.error, failure.nulled)
        for path in self._late_nulls:
            make_null(data, path)
        return data


def not_iterable(type_name: str, field_name: str) -> GraphQLError:
    return GraphQLError(f"Expected Iterable, but did not find one for field '{type_name}.{field_name}'.")


def watched(items: Any) -> Iterator[tuple[int, Any]]:
    """The items numbered, with an eye on the deadline. Raises DeadlineExceeded."""
    for index, item in enumerate(items):
        if not index % ITEMS_BETWEEN_CHECKS:
            check_deadline()
        yield index, item
