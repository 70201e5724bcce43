import dataclasses

import pytest
from graphql import GraphQLError

from framework.graphql.limits import Limits
from framework.graphql.request import check_variables, parse_json

LIMITS = Limits()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[" * 50_000 + b"]" * 50_000, "The request is not JSON: depth limit exceeded"),
        (b'{"a":' * 15_000 + b"1" + b"}" * 15_000, "The request is not JSON: depth limit exceeded"),
        (b"[" * 100_001, "The request has more than 100000 bytes (GRAPHQL_LIMITS: request_bytes)."),
        (b'{"a":9223372036854775808}', "The request holds an integer beyond 64 bits."),
        (b'{"a":-9223372036854775809}', "The request holds an integer beyond 64 bits."),
        (b'["\\"",' + b"1" * 300 + b"]", "The request holds an integer beyond 64 bits."),
        (b"1" * 50_000, "The request is not JSON: number is infinity when parsed as double"),
        (b"1e999", "The request is not JSON: number is infinity when parsed as double"),
        (b"", "The request is not JSON: "),
        (b"NaN", "The request is not JSON: unexpected character"),
        (b'"\xff"', "The request is not JSON: str is not valid UTF-8"),
        (b'"\\ud800"', "The request is not JSON: no low surrogate in string"),
    ],
)
def test_a_bad_body_is_refused(body, message):
    with pytest.raises(GraphQLError) as refused:
        parse_json(body, LIMITS)
    assert refused.value.message.startswith(message)
    assert refused.value.extensions == {"code": "BAD_USER_INPUT"}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"query":"{me}"}', {"query": "{me}"}),
        (b"[9223372036854775807,-9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b'["99999999999999999999"]', ["99999999999999999999"]),
        (b"[12345678901234567890.5,1e20]", [12345678901234567890.5, 1e20]),
    ],
)
def test_a_good_body_is_read_exactly(body, value):
    assert parse_json(body, LIMITS) == value


@pytest.mark.parametrize(
    ("limits", "variables", "message"),
    [
        (
            {"variable_depth": 2},
            {"a": [[1]]},
            "The variables are nested more than 2 deep (GRAPHQL_LIMITS: variable_depth).",
        ),
        (
            {"variable_values": 3},
            {"a": [1, 2]},
            "The variables hold more than 3 values (GRAPHQL_LIMITS: variable_values).",
        ),
        ({}, {"a": {"b": ["x\0"]}}, "The variables hold a NUL character."),
    ],
)
def test_bad_variables_are_refused(limits, variables, message):
    with pytest.raises(GraphQLError) as refused:
        check_variables(variables, dataclasses.replace(LIMITS, **limits))
    assert refused.value.message == message
    assert refused.value.extensions == {"code": "BAD_USER_INPUT"}


def test_variables_within_the_limits_pass():
    limits = dataclasses.replace(LIMITS, variable_depth=2, variable_values=5)
    check_variables({"a": [1, "x"], "b": None}, limits)
    check_variables(None, limits)
