"""How errors are shown to clients of GraphQL: the list of codes, and the translation into them."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import structlog
from graphql import (
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    ValueNode,
    VariableDefinitionNode,
    is_specified_scalar_type,
)
from graphql.pyutils import snake_to_camel

from framework.data import outage
from framework.errors import DomainError

log = structlog.get_logger(__name__)

MASKED = "Something went wrong on our side. Quote the request id when you report it."


class ErrorCode(StrEnum):
    """Every value `extensions.code` can have. Clients branch on it, never on a message."""

    # The request has to change before it can succeed.
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"  # the document is not GraphQL
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"  # it does not fit the schema or a limit
    BAD_USER_INPUT = "BAD_USER_INPUT"  # variables, arguments, page sizes, cost, or a domain's rule
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"  # send the text along, or it is not on the list
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"  # always send the text

    # The client has to be somebody else.
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"

    # The state of the data does not allow it.
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"  # it exists already, or somebody else was faster: read again
    FAILED_PRECONDITION = "FAILED_PRECONDITION"

    # The same request may succeed later.
    RATE_LIMITED = "RATE_LIMITED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"

    # Our mistake.
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


FROM_DOMAIN: Mapping[str, ErrorCode] = {
    "INVALID_ARGUMENT": ErrorCode.BAD_USER_INPUT,
    "NOT_FOUND": ErrorCode.NOT_FOUND,
    "ALREADY_EXISTS": ErrorCode.CONFLICT,
    "ABORTED": ErrorCode.CONFLICT,
    "UNAUTHENTICATED": ErrorCode.UNAUTHENTICATED,
    "PERMISSION_DENIED": ErrorCode.FORBIDDEN,
    "FAILED_PRECONDITION": ErrorCode.FAILED_PRECONDITION,
    "RESOURCE_EXHAUSTED": ErrorCode.RATE_LIMITED,
    "DEADLINE_EXCEEDED": ErrorCode.DEADLINE_EXCEEDED,
    "UNAVAILABLE": ErrorCode.UNAVAILABLE,
}

_CODES = frozenset(ErrorCode)
HIDDEN = "(hidden)"
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_QUOTED = re.compile(r"'[^']*'")


def client_error(message: str, code: ErrorCode, nodes: Iterable[Node] = ()) -> GraphQLError:
    """An error for the client, whose message is shown as it is."""
    return GraphQLError(message, list(nodes), extensions={"code": code})


def hide_type_names(errors: list[GraphQLError], schema: GraphQLSchema, sent: str) -> list[GraphQLError]:
    """Replace the names of types in messages of graphql-core, but for those that the client has sent itself.

    For where introspection is off: validation answers a wrong guess with the type it was guessed on. The names of
    root types and built-in scalars are no secret.
    """
    known = set(_NAME.findall(sent)) | {type_.name for type_ in (schema.query_type, schema.mutation_type) if type_}
    secret = {name for name, type_ in schema.type_map.items() if not is_specified_scalar_type(type_)} - known

    def neutral(quoted: re.Match[str]) -> str:
        return _NAME.sub(lambda name: HIDDEN if name[0] in secret else name[0], quoted[0])

    for error in errors:
        if isinstance(_cause(error), GraphQLError) and not _has_code(error):
            error.message = _QUOTED.sub(neutral, error.message)
    return errors


def format_errors(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    """The `errors` of a response: each with message, locations, path, and extensions with `code`, `reason`, `fields`.

    An error is shown if it was meant for the client: refusals with a code of ours, domain errors, and what
    graphql-core says about the request. All else is logged whole and shown without a word of it; one cause is logged
    once, however many fields it took down.
    """
    logged: set[int] = set()
    return [_format(error, logged) for error in errors]


def _format(error: GraphQLError, logged: set[int]) -> dict[str, Any]:
    message, extensions = _translate(error, logged)
    formatted: dict[str, Any] = {"message": message}
    if error.locations:
        formatted["locations"] = [location.formatted for location in error.locations]
    if error.path:
        formatted["path"] = error.path
    formatted["extensions"] = extensions
    return formatted


def _translate(error: GraphQLError, logged: set[int]) -> tuple[str, dict[str, Any]]:
    cause = _cause(error)
    cause = outage.unavailable(cause) or cause
    if _has_code(error):
        return _without_words_of(cause, error.message), dict(error.extensions or {})
    if isinstance(error, GraphQLSyntaxError):
        return error.message, {"code": ErrorCode.GRAPHQL_PARSE_FAILED}
    if _is_about_input(error, cause):
        return _without_words_of(cause, error.message), {"code": ErrorCode.BAD_USER_INPUT}
    if isinstance(cause, DomainError) and cause.code in FROM_DOMAIN:
        return cause.message, _domain_extensions(cause)
    if id(cause) not in logged:
        logged.add(id(cause))
        log.error("graphql_unexpected_error", path=error.path, exc_info=cause)
    return MASKED, {"code": ErrorCode.INTERNAL_SERVER_ERROR}


def _cause(error: GraphQLError) -> Exception:
    """What was raised first, under the wrappings of graphql-core."""
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _has_code(error: GraphQLError) -> bool:
    code = (error.extensions or {}).get("code")
    return isinstance(code, str) and code in _CODES


def _is_about_input(error: GraphQLError, cause: Exception) -> bool:
    """Whether graphql-core blames the request.

    It raises the same class for a bad argument as for a bad value that a resolver returned, so the class says
    nothing. What differs: errors of input point at a value or a variable in the document, where errors of
    output point at a field; and errors of the whole request have no path.
    """
    if error.nodes and all(isinstance(node, ValueNode | VariableDefinitionNode) for node in error.nodes):
        return True
    return error.path is None and isinstance(cause, GraphQLError)


def _without_words_of(cause: Exception, message: str) -> str:
    """The message without the text of a foreign exception, which graphql-core appends to its own words."""
    if isinstance(cause, GraphQLError | DomainError):
        return message
    words = str(cause)
    return message.removesuffix(words).rstrip("; .") + "." if words else message


def _domain_extensions(error: DomainError) -> dict[str, Any]:
    code = FROM_DOMAIN[error.code]
    extensions: dict[str, Any] = {"code": code}
    if error.reason != code:
        extensions["reason"] = error.reason
    if error.fields:
        extensions["fields"] = {snake_to_camel(name, upper=False): problem for name, problem in error.fields.items()}
    return extensions
