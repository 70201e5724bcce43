import json

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import ConnectionError as RedisDown

from framework.graphql.persisted import AllowList, PersistedQueries, hash_of, load_allow_list
from framework.graphql.tests.test_documents import EMAIL, ME, documents, refusal_of


def by_hash(sha256, version=1):
    return {"persistedQuery": {"version": version, "sha256Hash": sha256}}


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
    known = documents(persisted=PersistedQueries(store, max_bytes=3))
    assert known.resolve(ME, None, by_hash(hash_of(ME))).text == ME
    other = documents(persisted=PersistedQueries(store))
    assert refusal_of(other.resolve, None, None, by_hash(hash_of(ME))) == NOT_FOUND


def test_a_stored_text_that_is_not_that_of_the_hash_is_not_run(store):
    persisted = PersistedQueries(store)
    store.set(persisted._slot(hash_of(ME)), EMAIL)
    known = documents(persisted=persisted)
    assert refusal_of(known.resolve, None, None, by_hash(hash_of(ME))) == NOT_FOUND


class Counted(dict):
    """A store that can be counted."""

    def set(self, key, value, timeout):
        self[key] = value


def store_many(persisted, count, client=lambda number: number, text="{{a{}:__typename}}"):
    known = documents(persisted=persisted)
    for number in range(count):
        query = text.format(number)
        assert known.resolve(query, None, by_hash(hash_of(query)), client(number)).text == query


def test_the_store_is_bounded_whatever_clients_send():
    store = Counted()
    store_many(PersistedQueries(store, slots=16, max_bytes=25), 200)
    assert len(store) == 16
    assert sum(map(len, store.values())) <= 16 * 25


def test_a_client_has_a_quota_of_stored_documents():
    store = Counted()
    persisted = PersistedQueries(store, slots=10**9, per_client=5)
    store_many(persisted, 30, client=lambda _: "one")
    assert len(store) == 5
    store_many(persisted, 3, client=lambda _: "another", text="{{b{}:__typename}}")
    assert len(store) == 8


def test_a_comment_makes_no_new_entry():
    store = Counted()
    store_many(PersistedQueries(store, slots=10**9), 30, text="{{__typename}} # {}")
    assert len(store) == 0


def test_an_entry_is_short_lived():
    lives = []

    class Store(Counted):
        def set(self, key, value, timeout):
            lives.append(timeout)

    store_many(PersistedQueries(Store()), 1)
    assert lives == [3_600]


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
