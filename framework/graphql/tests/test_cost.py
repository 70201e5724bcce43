import math

import pytest
from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLError, build_schema, get_introspection_query

from framework.graphql.cost import cost as declared_cost
from framework.graphql.documents import Documents
from framework.graphql.estimate import cost_of
from framework.graphql.limits import Limits
from framework.graphql.tests.shop import SCHEMA

LIMITS = Limits()


def cost(text, variables=None, schema=SCHEMA):
    document = Documents(schema, LIMITS).get(text)
    return cost_of(schema, document.operation(None), document.fragments, variables or {}, LIMITS)


def test_a_cost_is_kept_for_what_it_depends_on():
    text = """query($n:Int, $b:Boolean!, $id:ID!) {
        me @include(if:$b) {id} product(id:$id) {id} products(first:$n) {edges{node{id}}}
    }"""
    document = Documents(SCHEMA, LIMITS).get(text)
    asked = [
        {"n": n, "b": b, "id": identifier}
        for n in (1, True, 30, "30", [1], 200, 500.0, None)
        for b in (True, False, 1, 0)
        for identifier in ("1", "2")
    ]

    for variables in asked * 2:
        expected = outcome(cost_of, SCHEMA, document.operation(None), document.fragments, variables, LIMITS)
        assert outcome(document.cost, document.operation(None), variables) == expected
    assert len(document.costs) == 3 * 4  # refusals, and what is no number, are not kept


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except GraphQLError as error:
        return error.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{__typename}", 0),
        ("{me{id email}}", 1),
        ("{product(id:1){id tags}}", 1),
        ("{product(id:1){variants{id}}}", 1 + 1),
        ("{product(id:1){variants{variants{id}}}}", 1 + 1 + 10 * 1),
        ("{newest{id}}", 1),
        ("{newest{variants{id}}}", 1 + 20 * 1),
        ("{newest(first:5){variants{id}}}", 1 + 5 * 1),
        ("{products(first:50){totalCount}}", 1),
        ("{products(first:50){pageInfo{endCursor} edges{node{id}}}}", 1 + 1 + 1 + 50 * 1),
        ("{products(first:50){nodes{id variants{id}}}}", 1 + 1 + 50 * 1),
        ("{products(first:50){...on ProductConnection{edges{node{id}}}}}", 1 + 1 + 50 * 1),
        ("{products(first:50){...c}} fragment c on ProductConnection{edges{node{id}}}", 1 + 1 + 50 * 1),
        (
            "{a:products(first:2){...c} b:products(first:3){...c}} fragment c on ProductConnection{edges{node{id}}}",
            (1 + 1 + 2) + (1 + 1 + 3),
        ),
        (
            "{products(first:20){edges{node{related(first:5){edges{node{id}}}}}}}",
            1 + 1 + 20 * (1 + 1 + 1 + 5 * 1),
        ),
        ("{products(first:0){edges{node{id}}}}", 1 + 1),
        ("{products(first:3,last:5){edges{node{id}}}}", 1 + 1 + 5),
        ("{products(last:5){edges{node{id}}}}", 1 + 1 + 5),
        ('mutation{rename(id:1,name:"a"){id}}', 1),
    ],
)
def test_the_cost_of(text, expected):
    assert cost(text) == expected


def test_the_page_size_comes_from_variables_and_their_defaults():
    text = "query($n:Int=7){products(first:$n){edges{node{id}}}}"
    assert cost(text) == 2 + 7
    assert cost(text, {"n": 30}) == 2 + 30


def test_what_is_left_out_costs_nothing():
    text = "query($b:Boolean!){me{id} product(id:1) @include(if:$b){id} newest @skip(if:true){id}}"
    assert cost(text, {"b": True}) == 2
    assert cost(text, {"b": False}) == 1


@pytest.mark.parametrize("size", [500, 500.0, 1e15])
@pytest.mark.parametrize("text", ["{products(first:$n){totalCount}}", "{newest(first:$n){id}}"])
def test_a_whole_float_is_a_page_size(text, size):
    with pytest.raises(GraphQLError) as refused:
        cost(f"query($n:Int){text}", {"n": size})
    assert refused.value.message.endswith("items, more than 100 (GRAPHQL_LIMITS: page_size).")
    assert cost(f"query($n:Int){text}", {"n": 50.0}) == cost(f"query($n:Int){text}", {"n": 50})


SEARCHABLE = (
    'type Query { search(text: String! = "", byTag: [String!], first: Int! = 10): [Hit!]! } type Hit { id: ID }'
)


def searchable(**costs):
    schema = build_schema(SEARCHABLE)
    schema.query_type.fields["search"].resolve = declared_cost(3, **costs)(lambda *_, **__: [])
    schema.query_type.fields["search"].args["byTag"].out_name = "by_tag"
    return schema


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("{search{id}}", {}, 3),
        ('{search(text:""){id}}', {}, 3),
        ('{search(text:"a"){id}}', {}, 3 + 500),
        ('{search(text:"a", byTag:["b"]){id}}', {}, 3 + 500 + 40),
        ("{search(byTag:[]){id}}", {}, 3),
        ('{a:search(text:"a"){id} b:search(text:"b"){id}}', {}, 2 * (3 + 500)),
        ("query($t:String){search(text:$t){id}}", {}, 3),
        ("query($t:String){search(text:$t){id}}", {"t": ""}, 3),
        ("query($t:String){search(text:$t){id}}", {"t": "a"}, 3 + 500),
        ('query($t:String="a"){search(text:$t){id}}', {}, 3 + 500),
        ("query($t:[String!]){search(byTag:$t){id}}", {"t": ["a"]}, 3 + 40),
    ],
)
def test_an_argument_costs_what_its_resolver_declares(text, variables, expected):
    schema = searchable(text=500, by_tag=40)
    assert cost(text, variables, schema) == expected
    document = Documents(schema, LIMITS).get(text)
    for _ in range(2):
        assert document.cost(document.operation(None), variables) == expected


def test_costs_are_kept_by_whether_a_priced_argument_is_given():
    document = Documents(searchable(text=500), LIMITS).get("query($t:String){search(text:$t){id}}")
    asked = [document.cost(document.operation(None), {"t": text}) for text in ("", "a", "b", "c", None, "")]
    assert asked == [3, 503, 503, 503, 3, 3]
    assert len(document.costs) == 2


def test_a_cost_for_an_argument_that_the_field_lacks_refuses_to_start():
    with pytest.raises(ImproperlyConfigured) as refused:
        Documents(searchable(txet=500), LIMITS)
    assert str(refused.value) == "@cost on Query.search names no argument of it: txet."


def test_a_resolver_says_what_it_costs():
    schema = build_schema("type Query { report: String, search: [Hit!]! } type Hit { text: String }")

    def resolve(*_):
        return None

    resolve.cost = 40
    schema.query_type.fields["report"].resolve = resolve
    schema.query_type.fields["search"].resolve = resolve
    assert cost("{report search{text}}", schema=schema) == 80


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        (
            "{products(first:101){totalCount}}",
            {},
            "'products' was asked for 101 items, more than 100 (GRAPHQL_LIMITS: page_size).",
        ),
        (
            "query($n:Int){products(first:$n){totalCount}}",
            {"n": 2147483647},
            "'products' was asked for 2147483647 items, more than 100 (GRAPHQL_LIMITS: page_size).",
        ),
        (
            "{products(first:-1){totalCount}}",
            {},
            "'products' was asked for fewer than 0 items; ask for at most 100 (GRAPHQL_LIMITS: page_size).",
        ),
        (
            "{products{totalCount}}",
            {},
            "'products' needs first or last of at most 100 (GRAPHQL_LIMITS: page_size).",
        ),
        (
            "query($n:Int){products(first:$n){totalCount}}",
            {"n": None},
            "'products' needs first or last of at most 100 (GRAPHQL_LIMITS: page_size).",
        ),
        (
            "{products(first:100){edges{node{related(first:100){edges{node{id}}}}}}}",
            {},
            "The operation would cost 10302, more than 10000 (GRAPHQL_LIMITS: cost).",
        ),
        (
            "{products(first:100){edges{node{related(first:100){edges{node{related(first:100){edges{node{id}}}}}}}}}}",
            {},
            "The operation would cost 1030302, more than 10000 (GRAPHQL_LIMITS: cost).",
        ),
    ],
)
def test_too_much_is_refused(text, variables, message):
    with pytest.raises(GraphQLError) as refused:
        cost(text, variables)
    assert refused.value.message == message
    assert refused.value.extensions == {"code": "BAD_USER_INPUT"}


def test_a_page_size_of_another_type_is_taken_for_the_largest():
    assert cost("query($n:Int){products(first:$n){edges{node{id}}}}", {"n": "5"}) == 2 + 100


def test_introspection_costs_a_tenth_and_its_lists_are_as_long_as_the_schema():
    types = len(SCHEMA.type_map)
    fields = 1 + sum(len(getattr(type_, "fields", ())) for type_ in SCHEMA.type_map.values()) // types
    assert cost("{__schema{types{name}}}") == 1
    assert cost("{__schema{types{fields{type{name}}}}}") == math.ceil((1 + 1 + types * (1 + fields)) / 10)
    assert cost(get_introspection_query()) < LIMITS.cost / 10
