import gc
import threading
import tracemalloc

import pytest
from graphql import GraphQLError, OperationDefinitionNode, build_schema

from framework.graphql.documents import DocumentRefused, Documents
from framework.graphql.errors import format_errors
from framework.graphql.executor import compiled, execute
from framework.graphql.limits import Limits
from framework.graphql.tests.shop import SCHEMA

ME = "{me{id}}"
EMAIL = "query Email{me{email}}"


def documents(**options):
    return Documents(SCHEMA, Limits(), **options)


def refusal_of(call, *arguments):
    """Message and code of the one error."""
    with pytest.raises(DocumentRefused) as refused:
        call(*arguments)
    (error,) = format_errors(refused.value.errors)
    return error["message"], error["extensions"]["code"]


# The cache


def test_a_document_is_read_once():
    known = documents()
    assert known.get(ME) is known.get(ME)


def test_a_document_knows_its_operations_and_fragments():
    document = documents().get(EMAIL + " query Me{...f} fragment f on Query{me{id}}")
    assert set(document.operations) == {"Email", "Me"}
    assert set(document.fragments) == {"f"}
    assert isinstance(document.operation("Me"), OperationDefinitionNode)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (EMAIL, "Other", "Unknown operation named 'Other'."),
        (ME, "Other", "Unknown operation named 'Other'."),
        (
            EMAIL + " query Me{me{id}}",
            None,
            "Must provide operation name if query contains multiple operations.",
        ),
    ],
)
def test_an_operation_has_to_be_singled_out(text, name, message):
    with pytest.raises(GraphQLError) as refused:
        documents().get(text).operation(name)
    assert refused.value.message == message
    assert refused.value.extensions == {"code": "BAD_USER_INPUT"}


def test_what_is_invalid_is_refused_each_time_with_ten_errors_at_most():
    known = documents()
    for _ in range(2):
        with pytest.raises(DocumentRefused) as refused:
            known.get("{me{" + " ".join(f"wrong{number}" for number in range(20)) + "}}")
        errors = format_errors(refused.value.errors)
        assert len(errors) == 11
        assert errors[0]["message"] == "Cannot query field 'wrong0' on type 'User'."
        assert {error["extensions"]["code"] for error in errors} == {"GRAPHQL_VALIDATION_FAILED"}


LEAVES = "id sku name price stock weight tags"
PRODUCT = {"id": 1, "sku": "s", "name": "n", "price": "1", "stock": 1, "weight": 1, "tags": []}


def operation(number, groups):
    """A valid document of its own, of 12 tokens and 8 fields a group."""
    body = " ".join(f"a{group}: variants {{ {LEAVES} }}" for group in range(groups))
    return f"query Q{number} {{ product(id: {number}) {{ {body} }} }}"


def run(known, text):
    """Execute a document as the view does."""
    document = known.get(text)
    root = {"product": PRODUCT | {"variants": [PRODUCT]}}
    result = execute(known.schema, document.ast, plans=document.plans, root=root)
    known.keep(document)
    assert result.errors is None
    return document


def test_a_working_set_that_fits_is_read_once():
    known = documents()
    texts = [operation(number, 16) for number in range(150)]
    first = [run(known, text) for text in texts]
    assert {document.tokens for document in first} == {204}
    for _ in range(2):
        assert all(run(known, text) is document for text, document in zip(texts, first, strict=True))
    assert {document.plans.size // compiled.BYTES_PER_FIELD for document in first} == {1 + 16 * 8}


def test_documents_and_their_plans_stay_within_the_memory():
    bound = 1_500_000
    known = documents(memory=bound)
    run(known, operation(1, 5))
    gc.collect()
    tracemalloc.start()
    for number in range(15):
        for _ in range(2):
            run(known, operation(number, 20))
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert known._cache.weight <= bound
    assert 3 <= len(known._cache) < 10
    assert used < bound * 1.1


def test_a_document_grows_with_what_is_compiled_of_it_and_leaves_with_it():
    known = documents(memory=1_000_000)
    text = operation(1, 10)
    first = run(known, text)
    size = first.size
    assert known._cache.weight == size
    assert run(known, text) is first
    assert known._cache.weight == first.size > size
    for number in range(2, 40):
        run(known, operation(number, 10))
    assert run(known, text) is not first


def test_threads_share_the_cache():
    known = documents(memory=4 * 7_000)
    errors = []

    def read(first):
        try:
            for number in range(200):
                text = f"{{a{(first + number) % 7}:__typename}}"
                assert known.get(text).text == text
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=read, args=[first]) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert 1 <= len(known._cache) <= 4


# What strangers may learn


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("{mee{id}}", "Cannot query field 'mee' on type 'Query'.", " Did you mean 'me'?"),
        (
            "{product(idd:1,id:1){id}}",
            "Unknown argument 'idd' on field 'Query.product'.",
            " Did you mean 'id'?",
        ),
        ("query($u:Usr){me{id}}", "Unknown type 'Usr'.", " Did you mean 'User'?"),
    ],
)
def test_suggestions_can_be_hidden(text, message, suggestion):
    def first_message(known):
        with pytest.raises(DocumentRefused) as refused:
            known.get(text)
        return refused.value.errors[0].message

    assert first_message(documents()) == message + suggestion
    assert first_message(documents(suggestions=False)) == message


@pytest.mark.parametrize("text", ["{__schema{description}}", '{__type(name:"User"){name}}'])
def test_introspection_can_be_refused(text):
    assert documents().get(text).text == text
    message, code = refusal_of(documents(introspection=False).get, text)
    assert message.startswith("GraphQL introspection has been disabled")
    assert code == "GRAPHQL_VALIDATION_FAILED"


def test_the_name_of_a_type_is_no_introspection():
    assert documents(introspection=False).get("{__typename me{__typename}}")


GUESSES = [
    ("{product(id:1){nope}}", "Cannot query field 'nope' on type '(hidden)'."),
    ("{product(id:1){related(nope:1){totalCount}}}", "Unknown argument 'nope' on field '(hidden).related'."),
    ("{products(first:1)}", "Field 'products' of type '(hidden)' must have a selection of subfields."),
    ("{me}", "Field 'me' of type '(hidden)' must have a selection of subfields."),
]


@pytest.mark.parametrize(("text", "start"), GUESSES)
def test_a_wrong_guess_names_no_type_where_introspection_is_off(text, start):
    message, code = refusal_of(documents(introspection=False, suggestions=False).get, text)
    assert message.startswith(start)
    assert code == "GRAPHQL_VALIDATION_FAILED"


@pytest.mark.parametrize(("text", "_"), GUESSES)
def test_a_wrong_guess_names_the_type_where_introspection_is_on(text, _):
    assert "(hidden)" not in refusal_of(documents().get, text)[0]


def test_types_that_are_no_secret_are_named():
    known = documents(introspection=False, suggestions=False)
    assert refusal_of(known.get, "{nope}")[0] == "Cannot query field 'nope' on type 'Query'."
    assert (
        refusal_of(known.get, "{me{...f}} fragment f on User{nope}")[0] == "Cannot query field 'nope' on type 'User'."
    )
    message = refusal_of(known.get, "{product{id}}")[0]
    assert message == "Field 'product' argument 'id' of type 'ID!' is required, but it was not provided."


def test_bad_variables_name_no_type_where_introspection_is_off():
    schema = build_schema("type Query { a(of: Outer): Int } input Outer { inner: Inner! } input Inner { n: Int }")
    text = "query($of: Outer) { a(of: $of) }"
    known = Documents(schema, Limits(), introspection=False, suggestions=False)
    errors = execute(schema, known.get(text).ast, variables={"of": {}}).errors
    assert "'Inner!'" in errors[0].message
    assert "Inner" not in known.hide_types(errors, text)[0].message
