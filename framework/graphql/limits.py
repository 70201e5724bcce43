"""How much one request may ask for, refused at the cheapest place that can tell.

In the order of a request: `framework.graphql.body` on the JSON, `check_text` before the parser (which recurses),
`check_document` before the rules of validation (some of which are quadratic), and `framework.graphql.cost` before
execution. What depends on the document alone is refused with
GRAPHQL_VALIDATION_FAILED, what depends on the request's values with BAD_USER_INPUT.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from framework.graphql.errors import ErrorCode, refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one request. A refusal names its bound, as GRAPHQL_LIMITS sets it."""

    request_bytes: int = 100_000  # of the body
    characters: int = 30_000  # of the document; the lexer takes about 0.5 us for each
    tokens: int = 2_000  # of the document, comments included; parsing takes about 10 us for each
    nesting: int = 50  # brackets open at once, also through fragments; parser and validation recurse on it
    depth: int = 12  # fields inside fields; introspection does not count, it has its own rule and its cost
    aliases: int = 30  # with fragments spread out; they make one field run many times
    root_fields: int = 20  # of one operation; each is a use case of its own
    selections: int = 500  # fields and spreads of the document, with fragments spread out
    comparisons: int = 2_000  # pairs of fields under one name, which validation compares to merge them
    directives: int = 50  # of the document
    fragments: int = 50  # of the document
    operations: int = 10  # of the document; one runs, but all are validated
    number_digits: int = 100  # of one number; Python converts in quadratic time
    cost: int = 10_000  # objects an operation may load, see framework.graphql.cost
    page_size: int = 100  # `first` and `last`
    list_size: int = 10  # not a bound: the length a list without a page size is taken to have
    variable_depth: int = 20  # lists and objects inside each other
    variable_values: int = 5_000  # lists, objects and scalars in all variables together


class Shape(NamedTuple):
    """The extent of an operation or a fragment, with the fragments it uses spread out."""

    depth: int
    nesting: int
    selections: int
    aliases: int
    root_fields: int


def over(limits: Limits, name: str, what: str, code: ErrorCode) -> GraphQLError:
    """The refusal for passing the limit `name`; `what` says of what there is too much, `{}` is the limit."""
    return refusal(f"{what.format(getattr(limits, name))} (GRAPHQL_LIMITS: {name}).", code)


# --- the text --------------------------------------------------------------------------------------------

# The lexical grammar of GraphQL, possessive throughout, so that no text is read twice. Where it is more
# lenient than the lexer of graphql-core (escapes in strings), that lexer stops earlier, never later.
_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\r\n,\ufeff]++)
    | (?P<comment>\#[^\r\n]*+)
    | (?P<name>[_A-Za-z][_0-9A-Za-z]*+)
    | (?P<mark>\.\.\.|[!$&()\[\]{}:=@|])
    | (?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)
    | (?P<text>\"""(?:[^"\\]++|\\(?:\""")?+|"(?!""))*+\"""|"(?!"")(?:[^"\\\r\n]++|\\.)*+")
    | (?P<stray>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*+\\u(?:0000|\{0++\})")


def check_text(text: str, limits: Limits) -> int:
    """Refuse a document that must not reach the parser, and return its number of tokens.

    It stops at the first limit passed. At a character that starts no token it stops too: the parser will not
    get further either. Raises GraphQLError.
    """
    if len(text) > limits.characters:
        raise _refuse(limits, "characters", "The document has more than {} characters")
    scan = _Scan(limits)
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "blank":
            continue
        if kind == "stray":
            break
        scan.count()
        if kind == "mark":
            scan.mark(match[0])
        elif kind == "number" and len(match[0]) > limits.number_digits:
            raise _refuse(limits, "number_digits", "A number has more than {} digits")
        elif kind == "text":
            _refuse_nul(match[0])
    return scan.tokens


def _refuse(limits: Limits, name: str, what: str) -> GraphQLError:
    return over(limits, name, what, ErrorCode.GRAPHQL_VALIDATION_FAILED)


def _refuse_nul(literal: str) -> None:
    escaped = not literal.startswith('"""') and _ESCAPED_NUL.search(literal)
    if "\0" in literal or escaped:
        raise refusal("The document holds a NUL character.", ErrorCode.BAD_USER_INPUT)


class _Scan:
    """What is known so far while reading tokens from the left."""

    __slots__ = ("aliases", "definitions", "directives", "limits", "nesting", "parentheses", "tokens")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.tokens = self.nesting = self.parentheses = 0
        self.aliases = self.directives = self.definitions = 0

    def count(self) -> None:
        self.tokens += 1
        if self.tokens > self.limits.tokens:
            raise _refuse(self.limits, "tokens", "The document has more than {} tokens")

    def mark(self, mark: str) -> None:
        if mark in "{[(":
            self.open(mark)
        elif mark in "}])":
            self.nesting -= 1
            self.parentheses -= mark == ")"
        elif mark == "@":
            self.directives += 1
            if self.directives > self.limits.directives:
                raise _refuse(self.limits, "directives", "The document has more than {} directives")
        elif mark == ":" and not self.parentheses:
            self.alias()

    def open(self, mark: str) -> None:
        if mark == "{" and not self.nesting:
            self.define()
        self.parentheses += mark == "("
        self.nesting += 1
        if self.nesting > self.limits.nesting:
            raise _refuse(self.limits, "nesting", "The document is nested more than {} deep")

    def alias(self) -> None:
        """A colon outside of parentheses follows an alias and nothing else."""
        self.aliases += 1
        if self.aliases > self.limits.aliases:
            raise _refuse(self.limits, "aliases", "The document has more than {} aliases")

    def define(self) -> None:
        """Each operation and each fragment opens one outermost brace; the parser will tell which is which."""
        self.definitions += 1
        if self.definitions > self.limits.operations + self.limits.fragments:
            raise _refuse(self.limits, "operations", "The document has more than {} operations")


# --- the document ----------------------------------------------------------------------------------------


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
        raise _refuse(limits, "operations", "The document has more than {} operations")
    fragments = _fragments_by_name(document)
    if len(fragments) > limits.fragments:
        raise _refuse(limits, "fragments", "The document has more than {} fragments")
    of_fragments = _shapes_of_fragments(fragments)
    shapes = {
        operation.name.value if operation.name else "": _spread_out(*_outline(operation), of_fragments)
        for operation in operations
    }
    for shape in [*of_fragments.values(), *shapes.values()]:
        _check_shape(shape, limits)
    if any(shape.root_fields > limits.root_fields for shape in shapes.values()):
        raise _refuse(limits, "root_fields", "An operation has more than {} root fields")
    if sum(shape.selections for shape in shapes.values()) > limits.selections:
        raise _refuse(limits, "selections", "The document has more than {} fields and spreads")
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
            raise refusal(message, ErrorCode.GRAPHQL_VALIDATION_FAILED, [fragments[name].name, node.name])
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
        raise refusal(message, ErrorCode.GRAPHQL_VALIDATION_FAILED, [fragments[name]]) from None
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
        raise _refuse(limits, "depth", f"Fields are nested {shape.depth} deep, more than {{}}")
    if shape.nesting > limits.nesting:
        raise _refuse(limits, "nesting", f"Selections are nested {shape.nesting} deep, more than {{}}")
    if shape.selections > limits.selections:
        raise _refuse(limits, "selections", "The document has more than {} fields and spreads")
    if shape.aliases > limits.aliases:
        raise _refuse(limits, "aliases", "The document has more than {} aliases")


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
            raise _refuse(limits, "comparisons", "Merging fields of one name takes more than {} comparisons")


def _selection_set(node: SelectionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> SelectionSetNode | None:
    if isinstance(node, FragmentSpreadNode):
        fragment = fragments.get(node.name.value)
        return fragment.selection_set if fragment else None
    assert isinstance(node, FieldNode | InlineFragmentNode)
    return node.selection_set
