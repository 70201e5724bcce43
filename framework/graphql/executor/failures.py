"""Errors of an execution, in the order in which depth-first execution would have met them."""

import math
from typing import Any, NamedTuple

from graphql import ExecutionContext, FieldNode, GraphQLError, GraphQLNonNull, GraphQLOutputType
from graphql.execution.execute import get_field_def
from graphql.pyutils import Path

Fields = dict[str, list[FieldNode]]


class Failure(NamedTuple):
    """An error, where its propagation was (or would have been) caught in its turn, and the place made null.

    The two differ for a late value, whose parents had long been completed. None stands for the whole data.
    """

    error: GraphQLError
    caught: Path | None
    nulled: Path | None


class Step(NamedTuple):
    """One segment of a path: its type, and its rank among its siblings."""

    path: Path
    type: GraphQLOutputType
    rank: int


def execution_order(execution: ExecutionContext, root: Fields, failure: Failure) -> list[float]:
    """What failures are sorted by."""
    # What a place was made null for comes after the errors below it.
    return [*(step.rank for step in _steps(execution, root, failure.caught)), math.inf]


def nullable_ancestor(execution: ExecutionContext, root: Fields, path: Path) -> Path | None:
    """The place that becomes null when the one at the path must not; None for the whole data."""
    steps = _steps(execution, root, path)
    nullable = [step.path for step in steps if not isinstance(step.type, GraphQLNonNull)]
    return nullable[-1] if nullable else None


def make_null(data: Any, path: Path) -> None:
    """Set the place to null, unless something above it already is."""
    *above, key = path.as_list()
    for step in above:
        if data is None:
            return
        data = data[step]
    if data is not None:
        data[key] = None


def _steps(execution: ExecutionContext, root: Fields, path: Path | None) -> list[Step]:
    """The types and ranks along a path, found by following the document from its root fields."""
    fields, steps, nodes = root, list[Step](), list[FieldNode]()
    for segment in _segments(path):
        key, type_name = segment.key, segment.typename
        if isinstance(key, int):
            list_type: Any = steps[-1].type
            list_type = list_type.of_type if isinstance(list_type, GraphQLNonNull) else list_type
            steps.append(Step(segment, list_type.of_type, key))
            continue
        parent: Any = execution.schema.type_map[type_name or ""]
        if steps:
            fields = execution.collect_subfields(parent, nodes)
        nodes = fields[key]
        type_ = get_field_def(execution.schema, parent, nodes[0]).type
        steps.append(Step(segment, type_, list(fields).index(key)))
    return steps


def _segments(path: Path | None) -> list[Path]:
    """The path's segments from the root down."""
    found: list[Path] = []
    while path is not None:
        found.append(path)
        path = path.prev
    return found[::-1]
