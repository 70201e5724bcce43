import pytest
from django.core.exceptions import ImproperlyConfigured
from graphql import build_schema, execute_sync, parse

from framework.graphql.nulls import check_nulls


@pytest.mark.parametrize(
    ("sdl", "names"),
    [
        ('type Query { a(search: String = ""): Int }', "Query.a(search)"),
        ("type Query { b: B } type B { c(first: Int = 20, after: String): Int }", "B.c(first)"),
        ("type Query { a(in: In): Int } input In { n: Int = 0, m: [Int!] = [1] }", "In.m, In.n"),
        ("type Query { b: B } interface B { c(first: Int = 20): Int }", "B.c(first)"),
    ],
)
def test_a_default_that_null_would_replace_refuses_to_start(sdl, names):
    with pytest.raises(ImproperlyConfigured) as refused:
        check_nulls(build_schema(sdl))
    assert str(refused.value).startswith(f"{names}: null would replace the default.")


def test_non_null_defaults_and_plain_optional_arguments_are_accepted():
    check_nulls(
        build_schema(
            'type Query { a(s: String! = "", n: Int, m: Int = null, in: In): Int } input In { n: Int! = 0 m: Int }'
        )
    )


def test_a_non_null_argument_with_a_default_may_be_left_out_but_not_null():
    schema = build_schema('type Query { a(s: String! = "d"): String }')
    schema.query_type.fields["a"].resolve = lambda _root, _info, s: s
    document = parse("query($s: String) { a(s: $s) }")
    assert execute_sync(schema, document).data == {"a": "d"}
    (error,) = execute_sync(schema, document, variable_values={"s": None}).errors
    assert error.message == "Argument 's' of non-null type 'String!' must not be null."
