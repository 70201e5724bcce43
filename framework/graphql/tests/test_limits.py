import dataclasses
import time

import pytest
from graphql import GraphQLError, Lexer, Source, TokenKind, get_introspection_query, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.graphql.bounded import RateLimit
from framework.graphql.documents import DocumentRefused, Documents
from framework.graphql.limits import Limits
from framework.graphql.shape import Shape, check_document
from framework.graphql.tests.shop import SCHEMA
from framework.graphql.text import check_text

LIMITS = Limits()
NO_LIMITS = Limits(**{field.name: 10**9 for field in dataclasses.fields(Limits)})


def nested(opening: str, closing: str, times: int, inside: str = "") -> str:
    return opening * times + inside + closing * times


def numbered(template: str, count: int) -> str:
    return " ".join(template.replace("#", str(number)) for number in range(count))


RELATED = "related(first:100){edges{node{"

BOMBS = {
    "characters": (
        '{products(search:"' + "a" * 1_000_000 + '"){totalCount}}',
        "The document has more than 30000 characters (GRAPHQL_LIMITS: characters).",
    ),
    "tokens": ("{" + " a" * 14_000 + "}", "The document has more than 2000 tokens (GRAPHQL_LIMITS: tokens)."),
    "comments": ("#\n" * 14_000 + "{me{id}}", "The document has more than 2000 tokens (GRAPHQL_LIMITS: tokens)."),
    "empty strings": ('" ' * 14_000, "The document has more than 2000 tokens (GRAPHQL_LIMITS: tokens)."),
    "3,000 overlapping fields": (
        "{me{" + " id" * 3_000 + "}}",
        "The document has more than 2000 tokens (GRAPHQL_LIMITS: tokens).",
    ),
    "450 overlapping fields": (
        "{me{" + " id" * 450 + "}}",
        "Merging fields of one name takes more than 2000 comparisons (GRAPHQL_LIMITS: comparisons).",
    ),
    "overlapping fields through fragments": (
        "{me{" + numbered("...f#", 20) + "}} " + numbered("fragment f# on User{id id id id}", 20),
        "Merging fields of one name takes more than 2000 comparisons (GRAPHQL_LIMITS: comparisons).",
    ),
    "overlapping fields in an unused fragment": (
        "{me{id}} fragment f on User{" + " id" * 450 + "}",
        "Merging fields of one name takes more than 2000 comparisons (GRAPHQL_LIMITS: comparisons).",
    ),
    "aliases": (
        "{" + numbered("a#:me{id}", 1_000) + "}",
        "The document has more than 30 aliases (GRAPHQL_LIMITS: aliases).",
    ),
    "aliases through fragments": (
        "{me{...f ...g}} fragment f on User{a:id ...g} fragment g on User{" + numbered("b#:id", 15) + "}",
        "The document has more than 30 aliases (GRAPHQL_LIMITS: aliases).",
    ),
    "root fields": (
        "{...f} fragment f on Query{" + numbered("product(id:#){id}", 21) + "}",
        "An operation has more than 20 root fields (GRAPHQL_LIMITS: root_fields).",
    ),
    "selections": (
        "{me{" + "id " * 501 + "}}",
        "The document has more than 500 fields and spreads (GRAPHQL_LIMITS: selections).",
    ),
    "operations": (
        numbered("query q#{me{id}}", 11),
        "The document has more than 10 operations (GRAPHQL_LIMITS: operations).",
    ),
    "2,000 operations": ("{a}" * 2_000, "The document has more than 10 operations (GRAPHQL_LIMITS: operations)."),
    "fragments": (
        "{me{id}} " + numbered("fragment f# on User{id}", 51),
        "The document has more than 50 fragments (GRAPHQL_LIMITS: fragments).",
    ),
    "exponential fragments": (
        "{...f0} "
        + " ".join(f"fragment f{n} on Query{{...f{n + 1} ...f{n + 1}}}" for n in range(40))
        + " fragment f40 on Query{me{id}}",
        "The document has more than 500 fields and spreads (GRAPHQL_LIMITS: selections).",
    ),
    "exponential fragments that end in an unknown one": (
        "{...f0} " + " ".join(f"fragment f{n} on Query{{...f{n + 1} ...f{n + 1}}}" for n in range(40)),
        "The document has more than 500 fields and spreads (GRAPHQL_LIMITS: selections).",
    ),
    "a fragment in itself": (
        "{...a} fragment a on Query{me{id} ...a}",
        "Cannot spread fragment 'a' within itself.",
    ),
    "fragments in a circle": (
        "{me{id}} fragment a on Query{...b} fragment b on Query{...a}",
        "Cannot spread fragment 'a' within itself.",
    ),
    "one fragment twice": (
        "{...a} fragment a on Query{me{id}} fragment a on Query{...a}",
        "There can be only one fragment named 'a'.",
    ),
    "directives on one field": (
        "{me " + "@skip(if:false)" * 51 + "{id}}",
        "The document has more than 50 directives (GRAPHQL_LIMITS: directives).",
    ),
    "directives on many fields": (
        "{me{" + "id @include(if:true)" * 51 + "}}",
        "The document has more than 50 directives (GRAPHQL_LIMITS: directives).",
    ),
    "lists in arguments": (
        "{products(search:" + nested("[", "]", 10_000) + "){totalCount}}",
        "The document is nested more than 50 deep (GRAPHQL_LIMITS: nesting).",
    ),
    "lists 15 deep for a string": (
        "{products(search:" + nested("[", "]", 15) + "){totalCount}}",
        "String cannot represent a non string value: [[[[[[[[[[[[[[[]]]]]]]]]]]]]]]",
    ),
    "objects in arguments": (
        "{products(search:" + nested("{a:", "}", 5_000, "1") + "){totalCount}}",
        "The document is nested more than 50 deep (GRAPHQL_LIMITS: nesting).",
    ),
    "lists in variable types": (
        "query q($a:" + nested("[", "]", 1_000, "Int") + "){me{id}}",
        "The document is nested more than 50 deep (GRAPHQL_LIMITS: nesting).",
    ),
    "selections in each other": (
        nested("{a", "}", 10_000),
        "The document is nested more than 50 deep (GRAPHQL_LIMITS: nesting).",
    ),
    "inline fragments in each other": (
        "{" + nested("...{", "}", 600, "me{id}") + "}",
        "The document is nested more than 50 deep (GRAPHQL_LIMITS: nesting).",
    ),
    "inline fragments through fragments": (
        "{...f0} "
        + " ".join(f"fragment f{n} on Query{{{nested('...{', '}', 9, f'...f{n + 1}')}}}" for n in range(30))
        + " fragment f30 on Query{me{id}}",
        "Selections are nested 52 deep, more than 50 (GRAPHQL_LIMITS: nesting).",
    ),
    "connections in each other": (
        "{products(first:100){edges{node{" + nested(RELATED, "}}}", 15, "id") + "}}}}",
        "Fields are nested 49 deep, more than 12 (GRAPHQL_LIMITS: depth).",
    ),
    "depth through fragments": (
        "{product(id:1){...a}} "
        + "fragment a on Product{variants{variants{variants{variants{variants{...b}}}}}} "
        + "fragment b on Product{variants{variants{variants{variants{variants{variants{id}}}}}}}",
        "Fields are nested 13 deep, more than 12 (GRAPHQL_LIMITS: depth).",
    ),
    "introspection, deep": (
        "{__schema{types{fields{type{" + nested("ofType{", "}", 60, "name") + "}}}}}",
        "The document is nested more than 50 deep (GRAPHQL_LIMITS: nesting).",
    ),
    "introspection, lists in lists": (
        "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
        "Maximum introspection depth exceeded",
    ),
    "introspection, wide": (
        "{__schema{types{fields{type{" + "fields{type{name}} " * 80 + "}}}}}",
        "Merging fields of one name takes more than 2000 comparisons (GRAPHQL_LIMITS: comparisons).",
    ),
    "huge integer": (
        "{products(first:" + "9" * 5_000 + "){totalCount}}",
        "A number has more than 100 digits (GRAPHQL_LIMITS: number_digits).",
    ),
    "large integer": (
        "{products(first:99999999999999999999){totalCount}}",
        "Int cannot represent non 32-bit signed integer value: 99999999999999999999",
    ),
    "unclosed string": ('{products(search:"abc', "Syntax Error: Unterminated string."),
    "unclosed block string": ('{products(search:"""' + "a" * 29_000, "Syntax Error: Unterminated string."),
    "backslashes": ('{products(search:"' + "\\" * 29_000, "Syntax Error: Unterminated string."),
    "closing first": ("}" * 1_000 + "{" * 999, "Syntax Error: Unexpected '}'."),
    "NUL in the text": ("{me\0{id}}", "Syntax Error: Unexpected character: U+0000."),
    "NUL in a string": ('{products(search:"\\u0000"){totalCount}}', "The document holds a NUL character."),
    "NUL in braces": ('{products(search:"a\\\\\\u{00}"){totalCount}}', "The document holds a NUL character."),
    "NUL in a block": ('{products(search:"""a\0"""){totalCount}}', "The document holds a NUL character."),
    "half a surrogate": (
        '{products(search:"\\ud800"){totalCount}}',
        "Syntax Error: Invalid Unicode escape sequence: '\\ud800'.",
    ),
    "a lone surrogate": ("{me\ud800}", "Syntax Error: Invalid character: U+D800."),
    "letters of another script": ("{mé{id}}", "Syntax Error: Unexpected character: U+00E9."),
    "nothing": ("", "Syntax Error: Unexpected <EOF>."),
    "a schema": (
        "type A { a: Int } extend type Query { b: Int }",
        "The 'A' definition is not executable.",
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_by_name(bomb):
    text, message = BOMBS[bomb]
    with pytest.raises(DocumentRefused) as refused:
        Documents(SCHEMA, LIMITS).get(text)
    assert refused.value.errors[0].message == message


@pytest.mark.parametrize(
    "text",
    [
        "{me{id}}",
        "\ufeff{me{id}}",
        'query Q{products(first:1,search:"{{[[:@ \\" # "){totalCount}} # {{{',
        '{products(first:1,search:"""{{ \\""" "" :: """){totalCount}}',
        '{products(first:1,search:"\\\\u0000"){totalCount}}',
        '{products(first:1,search:"""\\u0000"""){totalCount}}',
        "{a:me{id}}",
        get_introspection_query(),
    ],
)
def test_an_ordinary_document_passes(text):
    assert Documents(SCHEMA, LIMITS).get(text).text == text


def test_colons_of_arguments_and_variables_are_no_aliases():
    text = 'query($a:Int,$b:String="x"){products(first:$a,search:$b){totalCount}}'
    assert check_text(text, dataclasses.replace(LIMITS, aliases=0)) == 29


def test_an_alias_after_arguments_is_one():
    with pytest.raises(GraphQLError, match="GRAPHQL_LIMITS: aliases"):
        check_text("{a(b:1) c:d}", dataclasses.replace(LIMITS, aliases=0))


@pytest.mark.parametrize("limit", ["tokens", "nesting", "aliases", "directives"])
def test_the_scan_stops_at_the_first_limit_passed(limit):
    with pytest.raises(GraphQLError, match=f"GRAPHQL_LIMITS: {limit}"):
        check_text("{a:b @c{d}}", dataclasses.replace(NO_LIMITS, **{limit: 0}))


def test_the_shape_counts_fragments_where_they_are_spread():
    document = parse("query Q{a:me{...f} ...g} fragment f on User{id x:email} fragment g on Query{me{id}}")
    assert check_document(document, LIMITS) == {"Q": Shape(depth=2, nesting=3, selections=7, aliases=2, root_fields=2)}


def test_introspection_has_no_depth():
    document = parse('{__type(name:"A"){...t}} fragment t on __Type{ofType{ofType{name}}}')
    assert check_document(document, LIMITS)[""].depth == 1


PIECES = ['"', '"""', "\\", '\\"""', "\n", "#", "a", "_1", "0", "1", "-", ".5", "e3", "...", ".", *"{}()[]:$@!|&= ,"]


@given(st.lists(st.sampled_from([*PIECES, "\ufeff", "é", "\\u0041"]), max_size=20).map("".join))
@settings(max_examples=300, deadline=None)
def test_the_scan_never_sees_fewer_tokens_than_the_lexer(text):
    tokens, complete = lexed(text)
    scanned = check_text(text, NO_LIMITS)
    assert scanned == tokens if complete else scanned >= tokens


def lexed(text: str) -> tuple[int, bool]:
    """How many tokens graphql-core reads, and whether it comes to the end."""
    lexer, token, tokens = Lexer(Source(text)), None, 0
    try:
        while token is None or token.kind != TokenKind.EOF:
            token = lexer.read_next_token(token.end if token else 0)
            tokens += token.kind != TokenKind.EOF
    except GraphQLError:
        return tokens, False
    return tokens, True


def test_a_rate_counts_each_client_in_each_window(monkeypatch):
    rate, now = RateLimit(2), 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    assert [rate.allows(client) for client in ("a", "a", "a", "b", 1)] == [True, True, False, True, True]
    now += rate.seconds_left() - 1
    assert not rate.allows("a")
    now += 1
    assert rate.allows("a")
