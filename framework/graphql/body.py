"""The JSON of a request: read so that no body can hurt the parser or the database."""

import re
from collections.abc import Iterator

import orjson
from graphql import GraphQLError

from framework.graphql.errors import ErrorCode, refusal
from framework.graphql.limits import Limits, over

_INT64 = range(-(2**63), 2**63)
_MANY_DIGITS = re.compile(rb"[0-9]{19}")
_JSON_STRING_OR_NUMBER = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?[0-9][0-9.eE+\-]*+', re.DOTALL)


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
        raise refusal(f"The request is not JSON: {error}.", ErrorCode.BAD_USER_INPUT) from None
    if _MANY_DIGITS.search(body):
        _refuse_long_integers(body)
    return value


def _refuse_long_integers(body: bytes) -> None:
    for token in _JSON_STRING_OR_NUMBER.findall(body):
        is_integer = token[:1] != b'"' and not re.search(rb"[.eE]", token)
        if is_integer and int(token) not in _INT64:
            raise refusal("The request holds an integer beyond 64 bits.", ErrorCode.BAD_USER_INPUT)


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
            raise refusal("The variables hold a NUL character.", ErrorCode.BAD_USER_INPUT)


def _refuse(limits: Limits, name: str, what: str) -> GraphQLError:
    return over(limits, name, what, ErrorCode.BAD_USER_INPUT)
