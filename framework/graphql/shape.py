"""Checks a parsed document before it reaches the validation rules: how deep, wide and repetitive it is."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from framework.graphql.errors import ErrorCode, client_error
from framework.graphql.limits import Limits, refused_by


class Shape(NamedTuple):
    """The extent of an operation or a fragment, with the fragments it uses spread out."""

    depth: int
    nesting: int
    selections: int
    aliases: int
    root_fields: int


class _Spread(NamedTuple):
    """Where a definition spreads a fragment."""

    fragment: str
    depth: int
    nesting: int
    at_root: bool


def check_document(document: DocumentNode, limits: Limits) -> dict[str, Shape]:
    """Refuse a parsed document that must not reach the rules of validation.

    Returns the shape of each operation by its name (empty for an anonymous one). Takes time linear in the
    document, however often its fragments spread each other. Raises GraphQLError.
    """
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if len(operations) > limits.operations:
        raise refused_by(limits, "operations", "The document has more than {} operations")
    fragments = _fragments_by_name(document)
    if len(fragments) > limits.fragments:
        raise refused_by(limits, "fragments", "The document has more than {} fragments")
    of_fragments = _shapes_of_fragments(fragments)
    shapes = {
        operation.name.value if operation.name else "": _spread_out(*_outline(operation), of_fragments)
        for operation in operations
    }
    for shape in [*of_fragments.values(), *shapes.values()]:
        _check_shape(shape, limits)
    if any(shape.root_fields > limits.root_fields for shape in shapes.values()):
        raise refused_by(limits, "root_fields", "An operation has more than {} root fields")
    if sum(shape.selections for shape in shapes.values()) > limits.selections:
        raise refused_by(limits, "selections", "The document has more than {} fields and spreads")
    for definition in [*operations, *fragments.values()]:
        _check_comparisons(definition.selection_set, fragments, limits)
    return shapes


def _fragments_by_name(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    fragments: dict[str, FragmentDefinitionNode] = {}
    for node in document.definitions:
        if not isinstance(node, FragmentDefinitionNode):
            continue
        name = node.name.value
        if name in fragments:
            message = f"There can be only one fragment named '{name}'."
            raise client_error(message, ErrorCode.GRAPHQL_VALIDATION_FAILED, [fragments[name].name, node.name])
        fragments[name] = node
    return fragments


def _shapes_of_fragments(fragments: Mapping[str, FragmentDefinitionNode]) -> dict[str, Shape]:
    outlines = {name: _outline(node) for name, node in fragments.items()}
    uses = {name: dict.fromkeys(at.fragment for at in spreads) for name, (_, spreads) in outlines.items()}
    shapes: dict[str, Shape] = {}
    try:
        for name in TopologicalSorter(uses).static_order():
            if name in outlines:
                shapes[name] = _spread_out(*outlines[name], shapes)
    except CycleError as error:
        name = error.args[1][0]
        message = f"Cannot spread fragment '{name}' within itself."
        raise client_error(message, ErrorCode.GRAPHQL_VALIDATION_FAILED, [fragments[name]]) from None
    return shapes


def _outline(definition: OperationDefinitionNode | FragmentDefinitionNode) -> tuple[Shape, list[_Spread]]:
    """The shape of a definition without its fragments, and where they go."""
    depth = nesting = selections = aliases = root_fields = 0
    spreads: list[_Spread] = []
    on_meta_type = isinstance(definition, FragmentDefinitionNode) and _is_meta(definition.type_condition.name.value)
    for level in _levels(definition.selection_set, on_meta_type):
        nesting = max(nesting, level.nesting)
        selections += len(level.selection_set.selections)
        for node in level.selection_set.selections:
            if isinstance(node, FieldNode):
                aliases += node.alias is not None
                root_fields += level.at_root
                depth = max(depth, level.depth + (not level.meta))
            elif isinstance(node, FragmentSpreadNode):
                spreads.append(_Spread(node.name.value, level.depth, level.nesting, level.at_root))
    return Shape(depth, nesting, selections, aliases, root_fields), spreads


class _Level(NamedTuple):
    """A selection set, and where in its definition it stands."""

    selection_set: SelectionSetNode
    depth: int  # fields around it
    nesting: int  # selection sets, itself included
    at_root: bool
    meta: bool  # inside introspection


def _levels(selection_set: SelectionSetNode, meta: bool) -> Iterator[_Level]:
    stack = [_Level(selection_set, 0, 1, True, meta)]
    while stack:
        level = stack.pop()
        yield level
        for node in level.selection_set.selections:
            if isinstance(node, InlineFragmentNode):
                stack.append(level._replace(selection_set=node.selection_set, nesting=level.nesting + 1))
            elif isinstance(node, FieldNode) and node.selection_set:
                meta = level.meta or _is_meta(node.name.value)
                inner = level.depth + (not level.meta)
                stack.append(_Level(node.selection_set, inner, level.nesting + 1, False, meta))


def _is_meta(name: str) -> bool:
    return name.startswith("__")


def _spread_out(own: Shape, spreads: list[_Spread], of_fragments: Mapping[str, Shape]) -> Shape:
    depth, nesting, selections, aliases, root_fields = own
    for spread in spreads:
        fragment = of_fragments.get(spread.fragment)
        if fragment is None:
            continue  # unknown: validation says so
        depth = max(depth, spread.depth + fragment.depth)
        nesting = max(nesting, spread.nesting + fragment.nesting)
        selections += fragment.selections
        aliases += fragment.aliases
        root_fields += fragment.root_fields if spread.at_root else 0
    return Shape(depth, nesting, selections, aliases, root_fields)


def _check_shape(shape: Shape, limits: Limits) -> None:
    if shape.depth > limits.depth:
        raise refused_by(limits, "depth", f"Fields are nested {shape.depth} deep, more than {{}}")
    if shape.nesting > limits.nesting:
        raise refused_by(limits, "nesting", f"Selections are nested {shape.nesting} deep, more than {{}}")
    if shape.selections > limits.selections:
        raise refused_by(limits, "selections", "The document has more than {} fields and spreads")
    if shape.aliases > limits.aliases:
        raise refused_by(limits, "aliases", "The document has more than {} aliases")


class _Merged:
    """The fields that one response object gets, by response name: how many are merged, and what is inside."""

    __slots__ = ("count", "inside")

    def __init__(self) -> None:
        self.count = 0
        self.inside: dict[str, _Merged] = {}


def _check_comparisons(root: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], limits: Limits) -> None:
    """Refuse what would make the merging of fields slow: validation compares equal names in pairs.

    Walks with all fragments spread out, so only after the number of selections is known to be within bounds.
    """
    comparisons = 0
    stack = [(root, _Merged())]
    while stack:
        selection_set, parent = stack.pop()
        for node in selection_set.selections:
            target = parent
            if isinstance(node, FieldNode):
                name = (node.alias or node.name).value
                target = parent.inside.setdefault(name, _Merged())
                comparisons += target.count
                target.count += 1
            inner = _selection_set(node, fragments)
            if inner is not None:
                stack.append((inner, target))
        if comparisons > limits.comparisons:
            raise refused_by(limits, "comparisons", "Merging fields of one name takes more than {} comparisons")


def _selection_set(node: SelectionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> SelectionSetNode | None:
    if isinstance(node, FragmentSpreadNode):
        fragment = fragments.get(node.name.value)
        return fragment.selection_set if fragment else None
    assert isinstance(node, FieldNode | InlineFragmentNode)
    return node.selection_set
