"""GraphQL over HTTP, before GraphQL: which request this is, and how it wants its answer.

After https://graphql.github.io/graphql-over-http/draft/.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson
from django.http import HttpRequest
from django.http.request import MediaType
from graphql import GraphQLError

from framework.graphql.errors import ErrorCode, client_error
from framework.graphql.limits import Limits, limit_exceeded

RESPONSE_JSON = "application/graphql-response+json"
JSON = "application/json"
# As Django matches them, a type without the charset would not be one that a client wants with it.
_OFFERED = {f"{name}; charset={utf8}": name for name in (RESPONSE_JSON, JSON) for utf8 in ("utf-8", "UTF-8")}
_INT64 = range(-(2**63), 2**63)
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
_JSON_STRING_OR_NUMBER = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?[0-9][0-9.eE+\-]*+', re.DOTALL)


class HttpRefused(Exception):
    """The request is refused before it is looked at as GraphQL; the HTTP status says how."""

    def __init__(self, status: int, error: GraphQLError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers


class Parameters(NamedTuple):
    query: str | None
    document_id: str | None
    operation_name: str | None
    variables: Mapping[str, Any]
    extensions: Mapping[str, Any]


def answer_type(request: HttpRequest) -> str:
    """The media type to answer in. Raises HttpRefused (406) when the client takes neither."""
    accept = request.headers.get("Accept", "").strip()
    if accept in ("", "*/*", JSON):
        return JSON
    preferred = request.get_preferred_type(list(_OFFERED))
    if preferred is None:
        message = f"This endpoint answers {RESPONSE_JSON} or {JSON}."
        raise HttpRefused(406, client_error(message, ErrorCode.BAD_USER_INPUT))
    return RESPONSE_JSON if _OFFERED[preferred] == RESPONSE_JSON and RESPONSE_JSON in accept else JSON


def wants_page(request: HttpRequest) -> bool:
    """Whether this is a browser that opens the endpoint as a page."""
    return (
        request.method == "GET"
        and request.GET.keys().isdisjoint(("query", "documentId", "extensions"))
        and "text/html" in request.headers.get("Accept", "")  # and not only */*, as programs send it
        and request.get_preferred_type(["text/html", *_OFFERED]) == "text/html"
    )


def read(request: HttpRequest, limits: Limits) -> Parameters:
    """The parameters of a GET or POST.

    Raises HttpRefused (405, 411, 413, 415, or 400 for what is not a GraphQL request).
    """
    if request.method == "GET":
        given: object = _from_url(request, limits)
    elif request.method == "POST":
        given = _from_body(request, limits)
    else:
        message = f"{request.method} is not allowed here: use POST, or GET for queries."
        raise HttpRefused(405, client_error(message, ErrorCode.BAD_USER_INPUT), Allow="GET, POST")
    try:
        return _parameters(given, limits)
    except GraphQLError as error:
        raise HttpRefused(400, error) from None


def _from_url(request: HttpRequest, limits: Limits) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.GET.items())
    for name in ("variables", "extensions"):
        if given.get(name):
            given[name] = _parse(given[name].encode(errors="surrogatepass"), limits)
    return {name: value for name, value in given.items() if value != ""}  # `operationName=` is none


def _from_body(request: HttpRequest, limits: Limits) -> object:
    media_type = MediaType(request.headers.get("Content-Type", ""))
    if f"{media_type.main_type}/{media_type.sub_type}".lower() != JSON:
        # A browser sends JSON to another site only after asking it; what forms can send changes nothing here.
        raise HttpRefused(415, client_error(f"The body must be {JSON}.", ErrorCode.BAD_USER_INPUT), Accept=JSON)
    if media_type.params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
        raise HttpRefused(415, client_error("The body must be in UTF-8.", ErrorCode.BAD_USER_INPUT), Accept=JSON)
    if "Transfer-Encoding" in request.headers:  # Django reads such a body as an empty one
        raise HttpRefused(411, client_error("The body must come with its Content-Length.", ErrorCode.BAD_USER_INPUT))
    if int(request.META.get("CONTENT_LENGTH") or 0) > limits.request_bytes:
        message = f"The request has more than {limits.request_bytes} bytes (GRAPHQL_LIMITS: request_bytes)."
        raise HttpRefused(413, client_error(message, ErrorCode.BAD_USER_INPUT))
    return _parse(request.body, limits)


def _parse(text: bytes, limits: Limits) -> object:
    try:
        return parse_json(text, limits)
    except GraphQLError as error:
        raise HttpRefused(400, error) from None


def _parameters(given: object, limits: Limits) -> Parameters:
    if isinstance(given, list):
        raise client_error("Batches are not accepted: send one operation a request.", ErrorCode.BAD_USER_INPUT)
    if not isinstance(given, dict):
        raise client_error("The request must be a JSON object.", ErrorCode.BAD_USER_INPUT)
    parameters = Parameters(
        _typed(given, "query", str),
        _typed(given, "documentId", str),
        _typed(given, "operationName", str) or None,
        _typed(given, "variables", dict) or {},
        _typed(given, "extensions", dict) or {},
    )
    if parameters.query is None and not parameters.document_id and "persistedQuery" not in parameters.extensions:
        raise client_error("The request has no query.", ErrorCode.BAD_USER_INPUT)
    check_variables(parameters.variables, limits)
    return parameters


def _typed(given: Mapping[str, Any], name: str, kind: type) -> Any:
    value = given.get(name)
    if value is None or isinstance(value, kind):
        return value
    what = "an object" if kind is dict else "a string"
    raise client_error(f"`{name}` must be {what}.", ErrorCode.BAD_USER_INPUT)


def parse_json(body: bytes, limits: Limits) -> object:
    """The value of a JSON body.

    Raises GraphQLError (BAD_USER_INPUT) if the body is too long, is not JSON in UTF-8, is nested more than
    1,024 deep (the parser's own bound), or holds an integer beyond 64 bits, which the parser would round.
    """
    if len(body) > limits.request_bytes:
        raise _refuse(limits, "request_bytes", "The request has more than {} bytes")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise client_error(f"The request is not JSON: {error}.", ErrorCode.BAD_USER_INPUT) from None
    if _MANY_DIGITS.search(body):
        _refuse_long_integers(body)
    return value


def _refuse_long_integers(body: bytes) -> None:
    for token in _JSON_STRING_OR_NUMBER.findall(body):
        is_integer = token[:1] != b'"' and not re.search(rb"[.eE]", token)
        if is_integer and int(token) not in _INT64:
            raise client_error("The request holds an integer beyond 64 bits.", ErrorCode.BAD_USER_INPUT)


def check_variables(variables: object, limits: Limits) -> None:
    """Refuse variables that are nested too deep, too many, or hold NUL, which PostgreSQL cannot store.

    Raises GraphQLError (BAD_USER_INPUT).
    """
    count = depth = 0
    level: list[object] = [variables]
    while level:
        count += len(level)
        if count > limits.variable_values:
            raise _refuse(limits, "variable_values", "The variables hold more than {} values")
        if depth > limits.variable_depth:
            raise _refuse(limits, "variable_depth", "The variables are nested more than {} deep")
        level = list(_inside(level))
        depth += 1


def _inside(level: list[object]) -> Iterator[object]:
    for value in level:
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, list):
            yield from value
        elif isinstance(value, str) and "\0" in value:
            raise client_error("The variables hold a NUL character.", ErrorCode.BAD_USER_INPUT)


def _refuse(limits: Limits, name: str, what: str) -> GraphQLError:
    return limit_exceeded(limits, name, what, ErrorCode.BAD_USER_INPUT)


def hash_of(text: str) -> str:
    """The SHA-256 of a document as clients write it: lower-case hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def identifier_of(document_id: str | None, extensions: Mapping[str, Any] | None) -> str | None:
    """The hash or id in a request's `documentId`, there as `sha256:<hash>`, or `extensions.persistedQuery`."""
    if document_id:
        return document_id.removeprefix("sha256:")
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise client_error("Only version 1 of persistedQuery is known.", ErrorCode.BAD_USER_INPUT)
    sha256 = persisted.get("sha256Hash")
    if not isinstance(sha256, str):
        raise client_error("persistedQuery has no sha256Hash.", ErrorCode.BAD_USER_INPUT)
    return sha256.lower()
