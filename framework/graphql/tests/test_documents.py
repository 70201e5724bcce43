import json
import threading

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLError, OperationDefinitionNode
from redis.exceptions import ConnectionError as RedisDown

from framework.graphql.documents import (
    AllowList,
    DocumentRefused,
    Documents,
    PersistedQueries,
    hash_of,
    load_allow_list,
)
from framework.graphql.errors import format_errors
from framework.graphql.limits import Limits
from framework.graphql.tests.shop import SCHEMA

ME = "{me{id}}"
EMAIL = "query Email{me{email}}"


def documents(**options):
    return Documents(SCHEMA, Limits(), **options)


def by_hash(sha256, version=1):
    return {"persistedQuery": {"version": version, "sha256Hash": sha256}}


def refusal_of(call, *arguments):
    """Message and code of the one error."""
    with pytest.raises(DocumentRefused) as refused:
        call(*arguments)
    (error,) = format_errors(refused.value.errors)
    return error["message"], error["extensions"]["code"]


NOT_FOUND = ("PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
NOT_SUPPORTED = ("PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
NOT_LISTED = (
    "This server runs only the documents on its list, and this is not one of them.",
    "PERSISTED_QUERY_NOT_FOUND",
)


@pytest.fixture
def store():
    cache = LocMemCache("persisted", {})
    cache.clear()
    return cache


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


def test_documents_sent_once_do_not_push_out_those_in_use():
    known = documents(entries=8)
    in_use = known.get(ME)
    assert known.get(ME) is in_use
    for number in range(100):
        known.get(f"{{a{number}:__typename}}")
    assert known.get(ME) is in_use


def test_the_cache_is_bounded_by_entries():
    known = documents(entries=8)
    for number in range(100):
        known.get(f"{{a{number}:__typename}}")
        known.get(f"{{a{number}:__typename}}")
    assert len(known._cache) == 8


def test_the_cache_is_bounded_by_tokens():
    known = documents(tokens=100)
    for number in range(100):
        known.get(f"{{a{number}:__typename}}")
        known.get(f"{{a{number}:__typename}}")
    assert len(known._cache) == 100 // 5
    known.get("{me{" + " id" * 60 + "}}")
    assert known._cache.tokens <= 100


def test_threads_share_the_cache():
    known = documents(entries=4)
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
    assert len(known._cache) <= 4


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


# Automatic persisted queries


def test_a_persisted_query_is_sent_once_and_then_by_hash(store):
    known = documents(persisted=PersistedQueries(store))
    assert refusal_of(known.resolve, None, None, by_hash(hash_of(ME))) == NOT_FOUND
    document = known.resolve(ME, None, by_hash(hash_of(ME)))
    assert known.resolve(None, None, by_hash(hash_of(ME))) is document
    assert known.resolve(None, None, by_hash(hash_of(ME).upper())) is document
    assert known.resolve(None, f"sha256:{hash_of(ME)}") is document


def test_processes_share_persisted_queries(store):
    documents(persisted=PersistedQueries(store)).resolve(ME, None, by_hash(hash_of(ME)))
    other = documents(persisted=PersistedQueries(store))
    assert other.resolve(None, None, by_hash(hash_of(ME))).text == ME


def test_only_valid_queries_are_persisted(store):
    known = documents(persisted=PersistedQueries(store))
    wrong = "{wrong}"
    refusal_of(known.resolve, wrong, None, by_hash(hash_of(wrong)))
    assert refusal_of(known.resolve, None, None, by_hash(hash_of(wrong))) == NOT_FOUND


def test_a_long_query_runs_but_is_not_persisted(store):
    known = documents(persisted=PersistedQueries(store, max_characters=3))
    assert known.resolve(ME, None, by_hash(hash_of(ME))).text == ME
    other = documents(persisted=PersistedQueries(store))
    assert refusal_of(other.resolve, None, None, by_hash(hash_of(ME))) == NOT_FOUND


def test_a_stored_text_that_is_not_that_of_the_hash_is_not_run(store):
    store.set(f"graphql:persisted:{hash_of(ME)}", EMAIL)
    known = documents(persisted=PersistedQueries(store))
    assert refusal_of(known.resolve, None, None, by_hash(hash_of(ME))) == NOT_FOUND


@pytest.mark.parametrize("failure", [RedisDown("down"), ConnectionRefusedError("down")])
def test_a_cache_that_is_down_counts_as_empty(failure):
    class Down:
        def get(self, *_):
            raise failure

        set = get

    known = documents(persisted=PersistedQueries(Down()))
    assert refusal_of(known.resolve, None, None, by_hash(hash_of(ME))) == NOT_FOUND
    assert known.resolve(ME, None, by_hash(hash_of(ME))).text == ME


@pytest.mark.parametrize(
    ("query", "extensions", "message"),
    [
        (ME, by_hash(hash_of(EMAIL)), "The sha256Hash is not that of the query."),
        (ME, by_hash(hash_of(ME), version=2), "Only version 1 of persistedQuery is known."),
        (ME, {"persistedQuery": "x"}, "Only version 1 of persistedQuery is known."),
        (ME, by_hash(None), "persistedQuery has no sha256Hash."),
        (None, None, "The request has no query."),
        (None, {"tracing": {}}, "The request has no query."),
    ],
)
def test_a_malformed_request_is_refused(store, query, extensions, message):
    known = documents(persisted=PersistedQueries(store))
    assert refusal_of(known.resolve, query, None, extensions) == (message, "BAD_USER_INPUT")


def test_a_hash_without_persisted_queries_is_not_supported():
    assert refusal_of(documents().resolve, None, None, by_hash(hash_of(ME))) == NOT_SUPPORTED
    assert refusal_of(documents().resolve, None, "some-id") == NOT_SUPPORTED


def test_an_id_that_is_no_hash_is_not_found(store):
    known = documents(persisted=PersistedQueries(store))
    assert refusal_of(known.resolve, None, "some-id") == NOT_FOUND


# The allow-list

MANIFESTS = {
    "relay-compiler": {"0c1f": ME, "77ab": EMAIL},
    "graphql-codegen": {hash_of(ME): ME, "0c1f": ME, hash_of(EMAIL): EMAIL},
    "apollo": {
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [
            {"id": "0c1f", "name": "Me", "type": "query", "body": ME},
            {"id": hash_of(EMAIL), "name": "Email", "type": "query", "body": EMAIL},
        ],
    },
}


def manifest(folder, content):
    path = folder / "documents.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("tool", MANIFESTS)
def test_a_listed_document_runs_by_id_by_hash_and_by_text(tmp_path, tool):
    allowed = load_allow_list(manifest(tmp_path, MANIFESTS[tool]))
    assert len(allowed) == 2
    known = documents(allowed=allowed)
    assert known.resolve(None, "0c1f").text == ME
    assert known.resolve(None, f"sha256:{hash_of(ME)}").text == ME
    assert known.resolve(None, None, by_hash(hash_of(EMAIL))).text == EMAIL
    assert known.resolve(EMAIL).text == EMAIL
    assert known.resolve(EMAIL, None, by_hash(hash_of(EMAIL))).text == EMAIL


@pytest.mark.parametrize(
    ("query", "document_id"),
    [("{me{id} }", None), ("{me{email}}", None), (None, "unknown"), (EMAIL, "0c1f"), (None, None), ("", None)],
)
def test_what_is_not_listed_does_not_run(query, document_id):
    known = documents(allowed=AllowList({"0c1f": ME}))
    assert refusal_of(known.resolve, query, document_id) == NOT_LISTED


def test_a_listed_document_has_to_fit_the_schema():
    known = documents(allowed=AllowList({"0c1f": "{gone}"}))
    assert refusal_of(known.resolve, None, "0c1f") == (
        "Cannot query field 'gone' on type 'Query'.",
        "GRAPHQL_VALIDATION_FAILED",
    )


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ([], "it is not a JSON object."),
        ({}, "it lists no document."),
        ({"a": 1}, "the document of 'a' is not a text."),
        (
            {"format": "other", "version": 1},
            "its format is 'other', version 1, which is not known.",
        ),
        (
            {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [1]},
            "its 'operations' is not a list of objects.",
        ),
        (
            {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"body": ME}]},
            "the document of None is not a text.",
        ),
        (
            {
                "format": "apollo-persisted-query-manifest",
                "version": 1,
                "operations": [{"id": "a", "body": ME}, {"id": "a", "body": EMAIL}],
            },
            "it has two documents with the id 'a'.",
        ),
    ],
)
def test_a_malformed_manifest_is_refused_by_file_and_cause(tmp_path, content, cause):
    path = manifest(tmp_path, content)
    with pytest.raises(ImproperlyConfigured) as refused:
        load_allow_list(path)
    assert str(refused.value) == f"The list of allowed documents {path} cannot be used: {cause}"


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(ImproperlyConfigured, match="No such file"):
        load_allow_list(tmp_path / "documents.json")
