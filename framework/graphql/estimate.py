"""The cost of an operation, computed from the document and its variables before anything is executed.

The unit is one call that leads to an object: a field that returns objects costs 1 point, a scalar 0, and either
costs what `@cost(...)` declares on its resolver. A selection inside a list counts once for each item; the number of
items is the page size asked for (`first` or `last`), or `Limits.list_size` where the field has no page size. The page
size of a connection counts once, at the list inside it (`edges`).
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    value_from_ast_untyped,
)
from graphql.execution.execute import get_field_def

from framework.graphql.cost import PAGE_SIZES, python_names
from framework.graphql.errors import ErrorCode
from framework.graphql.limits import Limits, limit_exceeded

METADATA_DISCOUNT = 10  # introspection reads what is in memory already, and its lists are as long as the schema
_SATURATED = 10**12


class Cost(NamedTuple):
    """Of a selection: what it costs once, and what it adds for each item of the page it stands in."""

    once: int = 0
    per_item: int = 0

    def of_page(self, size: int) -> int:
        return min(self.once + size * self.per_item, _SATURATED)


def cost_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
    variables: Mapping[str, Any],
    limits: Limits,
) -> int:
    """The cost of a validated operation that passed `check_document`, in the units of this module.

    `variables` may be as received or coerced. Fields left out by @skip and @include cost nothing. Takes time
    linear in the document. Raises GraphQLError (BAD_USER_INPUT) for a page size that is missing, negative or
    too large, and for a cost above the limit.
    """
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 0  # the executor says that the schema has no such operations
    values = {**_variable_defaults(operation), **variables}
    estimate = _Estimate(schema, fragments, values, limits)
    cost = estimate.of_selections(root, operation.selection_set).of_page(limits.list_size)
    if cost > limits.cost:
        raise limit_exceeded(
            limits, "cost", f"The operation would cost {cost}, more than {{}}", ErrorCode.BAD_USER_INPUT
        )
    return cost


def _variable_defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    return {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions or ()
        if definition.default_value
    }


class _Estimate:
    """One walk over one operation; each fragment is walked once, however often it is spread."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        variables: Mapping[str, Any],
        limits: Limits,
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.variables = variables
        self.limits = limits
        self.of_fragments: dict[str, Cost] = {}

    def of_selections(self, parent: GraphQLCompositeType, selections: SelectionSetNode) -> Cost:
        once = per_item = 0
        for node in selections.selections:
            if not node.directives or not self.is_left_out(node):
                cost = self.of_selection(parent, node)
                once += cost.once
                per_item += cost.per_item
        return Cost(min(once, _SATURATED), min(per_item, _SATURATED))

    def of_selection(self, parent: GraphQLCompositeType, node: SelectionNode) -> Cost:
        if isinstance(node, FieldNode):
            return self.of_field(parent, node)
        if isinstance(node, FragmentSpreadNode):
            return self.of_fragment(node.name.value)
        assert isinstance(node, InlineFragmentNode)
        condition = node.type_condition
        return self.of_selections(self.type(condition.name.value) if condition else parent, node.selection_set)

    def of_fragment(self, name: str) -> Cost:
        cost = self.of_fragments.get(name)
        if cost is None:
            fragment = self.fragments[name]
            on = self.type(fragment.type_condition.name.value)
            cost = self.of_fragments[name] = self.of_selections(on, fragment.selection_set)
        return cost

    def type(self, name: str) -> GraphQLCompositeType:
        named = self.schema.type_map[name]
        assert is_composite_type(named)
        return named  # type: ignore[return-value]  # the predicate of graphql-core narrows nothing

    def of_field(self, parent: GraphQLCompositeType, node: FieldNode) -> Cost:
        field: GraphQLField | None = get_field_def(self.schema, parent, node)  # type: ignore[arg-type]
        assert field is not None
        if node.selection_set is None:
            return Cost(self.of_call(field, node, 0))
        own = self.of_call(field, node, 1)
        named = get_named_type(field.type)
        inside = self.of_selections(named, node.selection_set)  # type: ignore[arg-type]
        is_list = is_list_type(get_nullable_type(field.type))  # type: ignore[arg-type]
        if named.name.startswith("__"):
            return self.of_metadata(parent, node.name.value, inside.once, is_list)
        size = self.page_size(field, node)
        if not is_list:
            return Cost(own + inside.of_page(self.limits.list_size if size is None else size))
        one_item = inside.of_page(self.limits.list_size)
        return Cost(own, one_item) if size is None else Cost(own + size * one_item)

    def of_call(self, field: GraphQLField, node: FieldNode, usual: int) -> int:
        """The points of one call of the resolver, `usual` if it declares none."""
        points: int = getattr(field.resolve, "cost", usual)
        costs = getattr(field.resolve, "argument_costs", None)
        if costs:
            names = python_names(field)
            points += sum(more for name, more in costs.items() if self.argument(field, node, names[name]))
        return points

    def of_metadata(self, parent: GraphQLNamedType, name: str, inside: int, is_list: bool) -> Cost:
        cost = 1 + inside * (_metadata_size(self.schema, name) if is_list else 1)
        return Cost(cost if parent.name.startswith("__") else -(-cost // METADATA_DISCOUNT))

    def page_size(self, field: GraphQLField, node: FieldNode) -> int | None:
        """How many items the field was asked for; None if it has no argument for that."""
        names = [name for name in PAGE_SIZES if name in field.args]
        if not names:
            return None
        sizes = [size for name in names if (size := self.size(self.argument(field, node, name))) is not None]
        if not sizes:
            raise self.bad_page_size(node, f"needs {' or '.join(names)} of at most {{}}")
        if min(sizes) < 0:
            raise self.bad_page_size(node, "was asked for fewer than 0 items; ask for at most {}")
        if max(sizes) > self.limits.page_size:
            raise self.bad_page_size(node, f"was asked for {max(sizes)} items, more than {{}}")
        return max(sizes)

    def bad_page_size(self, node: FieldNode, what: str) -> GraphQLError:
        error = limit_exceeded(self.limits, "page_size", f"'{node.name.value}' {what}", ErrorCode.BAD_USER_INPUT)
        return GraphQLError(error.message, node, extensions=error.extensions)

    def size(self, value: Any) -> int | None:
        if value is None or isinstance(value, int):
            return value
        # 500.0 is an Int for GraphQL. Other types are refused when the arguments are coerced.
        return math.ceil(value) if isinstance(value, float) else self.limits.page_size

    def argument(self, field: GraphQLField, node: FieldNode, name: str) -> Any:
        """The value of an argument as it was sent, or its default; None without either."""
        value = field.args[name].default_value
        for argument in node.arguments:
            if argument.name.value == name:
                value = self.value(argument.value, value)
        return None if value is Undefined else value

    def value(self, node: ValueNode, default: Any = None) -> Any:
        """A literal or the value of a variable; `default` for a variable that was not given."""
        if isinstance(node, VariableNode):
            return self.variables.get(node.name.value, default)
        return value_from_ast_untyped(node)

    def is_left_out(self, node: SelectionNode) -> bool:
        for directive in node.directives:
            skips_if = {"skip": True, "include": False}.get(directive.name.value)
            if skips_if is not None and self.value(directive.arguments[0].value) is skips_if:
                return True
        return False


def _metadata_size(schema: GraphQLSchema, name: str) -> int:
    """How long a list of introspection is: exactly for the types, on average (rounded up) for all others."""
    types = schema.type_map.values()
    if name == "types":
        return len(types)
    if name == "directives":
        return len(schema.directives)
    fields = [field for named in types for field in getattr(named, "fields", {}).values()]
    if name == "args":
        return 1 + sum(len(getattr(field, "args", ())) for field in fields) // max(len(fields), 1)
    if name == "enumValues":
        return 1 + sum(len(getattr(named, "values", ())) for named in types) // len(types)
    return 1 + len(fields) // len(types)
