"""Executes GraphQL operations: `execute` is the one function of this package that others call.

Results equal those of graphql-core, which tests/generated.py compares on random schemas and documents. Two things
are added: resolvers may return a Deferred (framework.graphql.loaders), and documents that come again are compiled.
"""

from collections.abc import Mapping
from typing import Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    Undefined,
)
from graphql.execution.execute import assume_not_awaitable

from framework.graphql.bounded import BoundedCache
from framework.graphql.cost import variable_uses
from framework.graphql.executor.compiled import Compiled, OperationPlans
from framework.graphql.executor.interpreter import Interpreted

MAX_VARIANTS = 8


class Plans:
    """What has been compiled of one document. Keep it beside the document; threads may share it.

    An operation is compiled when it is executed for the second time, so that a document which never comes again
    costs no more than with graphql-core. Each combination of its @skip and @include is compiled for itself; the
    last eight that were asked for are kept.
    """

    def __init__(self) -> None:
        self._conditions: list[str] | None = None
        self._variants: BoundedCache[OperationPlans] = BoundedCache(MAX_VARIANTS)

    @property
    def size(self) -> int:
        """About how many bytes of memory they take. Grows while the document is executed."""
        return sum(plans.size for plans in self._variants.values())

    def of_operation(
        self, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
    ) -> OperationPlans | None:
        """The plans for an operation with these variables; None when it is executed for the first time."""
        if self._conditions is None:
            self._conditions = sorted({variable for name, variable in variable_uses(document) if name == "if"})
        chosen = [_truth(variables.get(variable, Undefined)) for variable in self._conditions]
        plans = self._variants.get_or_make((name, *chosen), OperationPlans)
        if plans.was_used:
            return plans
        plans.was_used = True
        return None


def execute(
    schema: GraphQLSchema,
    document: DocumentNode,
    *,
    plans: Plans | None = None,
    context: Any = None,
    variables: Mapping[str, Any] | None = None,
    operation_name: str | None = None,
    root: Any = None,
    hide_suggestions: bool = False,
) -> ExecutionResult:
    """Execute one operation of a validated document, with graphql-core's semantics.

    `plans` is what earlier executions of the same document have compiled, and may be changed; without it the
    operation is interpreted, as with GRAPHQL_EXECUTOR=stock. `context` becomes `info.context`. `variables` are as
    received. `hide_suggestions` leaves out "Did you mean ...?". Errors are in the result; nothing is raised, but
    for what is no Exception.
    """
    given = dict(variables or {})
    compiled = plans.of_operation(document, operation_name, given) if plans is not None else None
    execution_class = Interpreted if compiled is None else Compiled
    execution: Any = execution_class.build(
        schema,
        document,
        root,
        context,
        given,
        operation_name,
        is_awaitable=assume_not_awaitable,
        hide_suggestions=hide_suggestions,
    )
    if isinstance(execution, list):
        return ExecutionResult(None, execution)
    if compiled is not None:
        execution.plans = compiled
    data, errors = None, execution.collected_errors
    try:
        data = execution.execute_operation(execution.operation, root)
    except GraphQLError as error:
        errors.add(error, None)
    return cast("ExecutionResult", execution.build_response(data, errors.errors))


def _truth(value: Any) -> Any:
    """A key for the value of a condition. Values that are neither boolean nor null are refused when coerced."""
    return value if value is None or value is Undefined else bool(value)
