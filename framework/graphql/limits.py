"""How much one request may ask for.

A request is checked at the cheapest place that can refuse it: `framework.graphql.request` checks the JSON,
`framework.graphql.text` the document before it is parsed (the parser recurses), `framework.graphql.shape` before it is
validated (some rules take quadratic time), and `framework.graphql.estimate` before it is executed. What depends on the
document alone is refused with GRAPHQL_VALIDATION_FAILED, what depends on values with BAD_USER_INPUT.
"""

from dataclasses import dataclass

from graphql import GraphQLError

from framework.graphql.errors import ErrorCode, client_error


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
    cost: int = 10_000  # objects an operation may load, see framework.graphql.estimate
    page_size: int = 100  # `first` and `last`
    list_size: int = 10  # not a bound: the length a list without a page size is taken to have
    variable_depth: int = 20  # lists and objects inside each other
    variable_values: int = 5_000  # lists, objects and scalars in all variables together


def limit_exceeded(limits: Limits, name: str, what: str, code: ErrorCode) -> GraphQLError:
    """The error for exceeding the limit `name`; `what` says of what there is too much, with `{}` for the limit."""
    return client_error(f"{what.format(getattr(limits, name))} (GRAPHQL_LIMITS: {name}).", code)


def refused_by(limits: Limits, name: str, what: str) -> GraphQLError:
    """The error for a document that exceeds the limit `name`; see `limit_exceeded`."""
    return limit_exceeded(limits, name, what, ErrorCode.GRAPHQL_VALIDATION_FAILED)
