import pytest
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
    execute,
    parse,
)
from structlog.testing import capture_logs

from framework import errors as domain
from framework.graphql.documents import DocumentRefused, Documents
from framework.graphql.errors import FROM_DOMAIN, MASKED, ErrorCode, client_error, format_errors
from framework.graphql.limits import Limits


def parse_ratio(value):
    raise RuntimeError("relation secret_table does not exist")


RATIO = GraphQLScalarType("Ratio", parse_value=parse_ratio)


def schema_returning(type_, resolve):
    arguments = {
        "count": GraphQLArgument(GraphQLNonNull(GraphQLInt), default_value=1),
        "ratio": GraphQLArgument(RATIO),
    }
    return GraphQLSchema(GraphQLObjectType("Query", {"field": GraphQLField(type_, arguments, resolve)}))


def errors_of(resolve, *, type_=GraphQLString, text="{field}", variables=None):
    schema = schema_returning(type_, resolve)
    result = execute(schema, parse(text), variable_values=variables)
    with capture_logs() as logs:
        return format_errors(result.errors), logs


def raising(error):
    def resolve(*_, **__):
        raise error

    return resolve


def returning(value):
    return lambda *_, **__: value


@pytest.mark.parametrize("code", domain.BY_CODE)
def test_every_domain_error_has_a_code_for_clients(code):
    error = domain.BY_CODE[code]("Because.")
    (formatted,), logs = errors_of(raising(error))
    assert formatted["message"] == "Because."
    assert formatted["extensions"]["code"] == FROM_DOMAIN[code]
    assert logs == []


def test_a_domain_error_shows_its_fields_and_reason():
    error = domain.InvalidArgument("Check the form.", fields={"name": "Too long."}, reason="NAME_TOO_LONG")
    (formatted,), _ = errors_of(raising(error))
    assert formatted == {
        "message": "Check the form.",
        "locations": [{"line": 1, "column": 2}],
        "path": ["field"],
        "extensions": {
            "code": "BAD_USER_INPUT",
            "reason": "NAME_TOO_LONG",
            "fields": {"name": "Too long."},
        },
    }


def test_a_reason_that_says_no_more_than_the_code_is_left_out():
    (formatted,), _ = errors_of(raising(domain.NotFound("No such product.")))
    assert formatted["extensions"] == {"code": "NOT_FOUND"}


def test_two_causes_of_one_code_differ_in_their_reason():
    (formatted,), _ = errors_of(raising(domain.Aborted("Read it again.")))
    assert formatted["extensions"] == {"code": "CONFLICT", "reason": "ABORTED"}


@pytest.mark.parametrize(
    "error",
    [
        ValueError("A string literal cannot contain NUL (0x00) characters."),
        OverflowError("Python int too large to convert to SQLite INTEGER"),
        RuntimeError('duplicate key value violates unique constraint "accounts_user_email_key"'),
        KeyError("password"),
        GraphQLError("select * from accounts_user"),
        domain.DomainError("Unknown status from accounts: traceback"),
        RecursionError("maximum recursion depth exceeded"),
    ],
)
def test_what_was_not_meant_for_the_client_is_logged_and_masked(error):
    (formatted,), logs = errors_of(raising(error))
    assert formatted == {
        "message": MASKED,
        "locations": [{"line": 1, "column": 2}],
        "path": ["field"],
        "extensions": {"code": "INTERNAL_SERVER_ERROR"},
    }
    assert logs == [
        {
            "event": "graphql_unexpected_error",
            "path": ["field"],
            "exc_info": error,
            "log_level": "error",
        }
    ]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (GraphQLNonNull(GraphQLString), None),
        (GraphQLInt, "secret"),
        (GraphQLInt, 2**40),
        (GraphQLString, {"password": "secret"}),
        (GraphQLList(GraphQLInt), 7),
        (GraphQLString, ValueError("secret")),
    ],
)
def test_a_bad_value_of_ours_is_masked(type_, value):
    (formatted,), logs = errors_of(returning(value), type_=type_)
    assert formatted["message"] == MASKED
    assert formatted["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert len(logs) == 1


def test_one_cause_is_logged_once():
    error = RuntimeError("down")
    formatted, logs = errors_of(returning([error, error]), type_=GraphQLList(GraphQLString))
    assert [entry["path"] for entry in formatted] == [["field", 0], ["field", 1]]
    assert len(logs) == 1


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        (
            "query($n:Int!){field(count:$n)}",
            {"n": "x"},
            "Variable '$n' got invalid value 'x'; Int cannot represent non-integer value: 'x'",
        ),
        (
            "query($n:Int!){field(count:$n)}",
            {},
            "Variable '$n' of required type 'Int!' was not provided.",
        ),
        (
            "query($n:Int){field(count:$n)}",
            {"n": None},
            "Argument 'count' of non-null type 'Int!' must not be null.",
        ),
        ("query A{field} query B{field}", {}, "Must provide operation name if query contains multiple operations."),
        ("mutation{field}", {}, "Schema is not configured to execute mutation operation."),
        (
            "query($r:Ratio){field(ratio:$r)}",
            {"r": "a"},
            "Variable '$r' got invalid value 'a'; Expected type 'Ratio'.",
        ),
    ],
)
def test_a_bad_request_is_shown(text, variables, message):
    (formatted,), logs = errors_of(returning("x"), text=text, variables=variables)
    assert formatted["message"] == message
    assert formatted["extensions"] == {"code": "BAD_USER_INPUT"}
    assert logs == []


def test_a_bad_literal_is_shown_without_the_words_of_the_exception():
    with pytest.raises(DocumentRefused) as refused:
        Documents(schema_returning(GraphQLString, None), Limits()).get('{field(ratio:"a")}')
    (formatted,) = format_errors(refused.value.errors)
    assert formatted == {
        "message": "Expected value of type 'Ratio', found \"a\".",
        "locations": [{"line": 1, "column": 14}],
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
    }


def test_a_syntax_error_has_its_own_code():
    with pytest.raises(GraphQLError) as raised:
        parse("{")
    assert format_errors([raised.value])[0] == {
        "message": "Syntax Error: Expected Name, found <EOF>.",
        "locations": [{"line": 1, "column": 2}],
        "extensions": {"code": "GRAPHQL_PARSE_FAILED"},
    }


def test_a_client_error_is_shown_as_it_is():
    assert format_errors([client_error("No.", ErrorCode.RATE_LIMITED)])[0] == {
        "message": "No.",
        "extensions": {"code": "RATE_LIMITED"},
    }


def test_an_exception_outside_of_any_field_is_masked():
    error = GraphQLError("secret", original_error=RuntimeError("secret"))
    with capture_logs() as logs:
        assert format_errors([error])[0] == {
            "message": MASKED,
            "extensions": {"code": "INTERNAL_SERVER_ERROR"},
        }
    assert len(logs) == 1
