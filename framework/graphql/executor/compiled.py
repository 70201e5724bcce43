"""Execution by generated code: one Python function for each selection set, kept with the document."""

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    VariableNode,
    default_field_resolver,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path

from framework.graphql.cache import BoundedCache
from framework.graphql.executor.deferred import DeferredExecutionContext
from framework.graphql.executor.plans import DocumentPlans, FieldPlan

PLANS_KEPT = 512
IMMUTABLE = (
    str, int, float, bool, bytes, type(None), decimal.Decimal, uuid.UUID, enum.Enum, datetime.date, datetime.time
)  # fmt: skip

Document = tuple[OperationDefinitionNode | FragmentDefinitionNode, ...]

_plans: BoundedCache[DocumentPlans] = BoundedCache(PLANS_KEPT)
_conditions: BoundedCache["Conditions"] = BoundedCache(PLANS_KEPT)


class CompiledExecutionContext(DeferredExecutionContext):
    """DeferredExecutionContext's results from generated code.

    An operation with middleware, another default resolver or awaitables is left to the interpreter as a whole.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.compiles = (
            self.synchronous and self.middleware_manager is None and self.field_resolver is default_field_resolver
        )
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
        if self.compiles:
            self.plans = plans_for(self)

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_nodes: list[FieldNode], path: Path
    ) -> Any:
        """Execute one field by its plan."""
        if not self.compiles:
            return super().execute_field(parent_type, source, field_nodes, path)
        plan = self.plans.field(self, parent_type, field_nodes)
        return plan.execute(self, source, path.prev) if plan else Undefined

    def arguments(self, plan: FieldPlan) -> dict[str, Any]:
        """The arguments of a field, coerced once a request unless a resolver could change them."""
        arguments = self._arguments.get(plan)
        if arguments is None:
            arguments = get_argument_values(plan.field, plan.nodes[0], self.variable_values)
            if all(isinstance(value, IMMUTABLE) for value in arguments.values()):
                self._arguments[plan] = arguments
        return arguments


class Conditions:
    """The variables that decide what @skip and @include leave of a document."""

    def __init__(self, document: Document) -> None:
        # The cache goes by identity, so these must live as long as this does.
        self.document = document
        self.names = sorted(set(condition_names(document)))

    def chosen(self, values: dict[str, Any]) -> tuple[bool | None, ...]:
        return tuple(truth(values.get(name)) for name in self.names)


def condition_names(document: Document) -> Iterator[str]:
    """The names of variables in @skip and @include. Not recursive: documents can be deep."""
    selection_sets = [definition.selection_set for definition in document]
    while selection_sets:
        for selection in selection_sets.pop().selections:
            for directive in selection.directives:
                if directive.name.value in ("skip", "include"):
                    values = (argument.value for argument in directive.arguments)
                    yield from (value.name.value for value in values if isinstance(value, VariableNode))
            inner: SelectionSetNode | None = getattr(selection, "selection_set", None)
            if inner:
                selection_sets.append(inner)


def plans_for(context: CompiledExecutionContext) -> DocumentPlans:
    """The plans for what the context is to execute."""
    document: Document = (context.operation, *context.fragments.values())
    identity = tuple(map(id, document))
    conditions = _conditions.get_or_make(identity, lambda: Conditions(document))
    key = (id(context.schema), identity, conditions.chosen(context.variable_values))
    return _plans.get_or_make(key, lambda: DocumentPlans((context.schema, *document)))


def truth(value: Any) -> bool | None:
    return None if value is None else bool(value)
