"""From what a client sent to a parsed and validated document: cached, by hash, or from a list."""

import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from graphql import (
    ASTValidationRule,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from redis.exceptions import RedisError
from structlog import get_logger

from framework.graphql.cost import Costs
from framework.graphql.errors import ErrorCode, refusal
from framework.graphql.limits import Limits, Shape, check_document, check_text

log = get_logger(__name__)

MAX_ERRORS = 10  # enough to mend a document by
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DocumentRefused(Exception):
    """The document cannot be executed; `errors` says why, for the client."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document. `operations` and `shapes` are by name, the empty one for an anonymous operation."""

    text: str
    ast: DocumentNode
    operations: Mapping[str, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]
    shapes: Mapping[str, Shape]
    costs: Costs
    tokens: int

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to execute. Raises GraphQLError (BAD_USER_INPUT) if the name does not single one out."""
        if not name:
            if len(self.operations) == 1:
                return next(iter(self.operations.values()))
            message = "Must provide operation name if query contains multiple operations."
            raise refusal(message if self.operations else "Must provide an operation.", ErrorCode.BAD_USER_INPUT)
        if name not in self.operations:
            raise refusal(f"Unknown operation named '{name}'.", ErrorCode.BAD_USER_INPUT)
        return self.operations[name]


def hash_of(text: str) -> str:
    """The SHA-256 of a document as clients write it: lower-case hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class Documents:
    """The way from a request to a valid document. Safe to share between threads.

    What is invalid is not cached: it would push out what is valid, and the limits already bound what it costs.
    `introspection` and `suggestions` ("Did you mean ...?") tell a stranger about the schema; pass
    `hide_suggestions` to the executor as well, which has its own for variables.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        introspection: bool = True,
        suggestions: bool = True,
        persisted: "PersistedQueries | None" = None,
        allowed: "AllowList | None" = None,
        entries: int = 1_000,
        tokens: int = 100_000,
    ) -> None:
        """`entries` and `tokens` bound the cache; a token holds about 500 bytes of memory."""
        self.schema = schema
        self.limits = limits
        self.rules: Collection[type[ASTValidationRule]] = (
            specified_rules if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        )
        self.hide_suggestions = not suggestions
        self.persisted = persisted
        self.allowed = allowed
        self._cache = _Cache(entries, tokens)

    def resolve(
        self,
        query: str | None,
        document_id: str | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> Document:
        """The document a request means, by its text, its `documentId` or `extensions.persistedQuery`.

        Raises DocumentRefused.
        """
        try:
            identifier = _plain_id(document_id) or _persisted_hash(extensions)
            if self.allowed is not None:
                return self.get(self.allowed.text(query, identifier))
            if identifier is None:
                if query is None:
                    raise refusal("The request has no query.", ErrorCode.BAD_USER_INPUT)
                return self.get(query)
            return self._by_hash(query, identifier)
        except GraphQLError as error:
            raise DocumentRefused([error]) from None

    def get(self, text: str) -> Document:
        """The document of this text, parsed and validated at most once while it is cached.

        Raises DocumentRefused with up to ten errors.
        """
        key = hash_of(text)
        document = self._cache.get(key)
        if document is None:
            document = self._read(text)
            self._cache.put(key, document)
        return document

    def _by_hash(self, query: str | None, identifier: str) -> Document:
        """Automatic persisted queries: the hash alone, or once with the text."""
        if self.persisted is None:
            raise refusal("PersistedQueryNotSupported", ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED)
        if not _SHA256.fullmatch(identifier):
            raise refusal("PersistedQueryNotFound", ErrorCode.PERSISTED_QUERY_NOT_FOUND)
        if query is None:
            document = self._cache.get(identifier)
            return document or self.get(self.persisted.find(identifier))
        if hash_of(query) != identifier:
            raise refusal("The sha256Hash is not that of the query.", ErrorCode.BAD_USER_INPUT)
        document = self.get(query)
        self.persisted.keep(identifier, query)
        return document

    def _read(self, text: str) -> Document:
        try:
            tokens = check_text(text, self.limits)
            ast = parse(text)
            shapes = check_document(ast, self.limits)
        except GraphQLError as error:
            raise DocumentRefused([error]) from None
        errors = validate(self.schema, ast, self.rules, MAX_ERRORS, hide_suggestions=self.hide_suggestions)
        if errors:
            for found in errors:
                found.extensions = {"code": ErrorCode.GRAPHQL_VALIDATION_FAILED}
            raise DocumentRefused(errors)
        operations = {
            node.name.value if node.name else "": node
            for node in ast.definitions
            if isinstance(node, OperationDefinitionNode)
        }
        fragments = {node.name.value: node for node in ast.definitions if isinstance(node, FragmentDefinitionNode)}
        costs = Costs(self.schema, ast, fragments, self.limits)
        return Document(text, ast, operations, fragments, shapes, costs, tokens)


def _plain_id(document_id: str | None) -> str | None:
    """GraphQL over HTTP writes hashes as `sha256:<hash>`."""
    return document_id.removeprefix("sha256:") if document_id else None


def _persisted_hash(extensions: Mapping[str, Any] | None) -> str | None:
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise refusal("Only version 1 of persistedQuery is known.", ErrorCode.BAD_USER_INPUT)
    sha256 = persisted.get("sha256Hash")
    if not isinstance(sha256, str):
        raise refusal("persistedQuery has no sha256Hash.", ErrorCode.BAD_USER_INPUT)
    return sha256.lower()


class _Cache:
    """Documents by their hash, the least recently used leaving first.

    A document is on trial until it is asked for again, and only those on trial make room for new ones. So a
    flood of documents that are each sent once, however valid, leaves those that clients really use alone.
    """

    def __init__(self, entries: int, tokens: int) -> None:
        self._lock = threading.Lock()
        self._on_trial = _Segment(entries // 4, tokens // 4)
        self._in_use = _Segment(entries - entries // 4, tokens - tokens // 4)

    def get(self, key: str) -> Document | None:
        with self._lock:
            document = self._in_use.pop(key) or self._on_trial.pop(key)
            if document is not None:
                for pushed_out in self._in_use.put(key, document):
                    self._on_trial.put(*pushed_out)
            return document

    def put(self, key: str, document: Document) -> None:
        with self._lock:
            self._on_trial.put(key, document)

    def __len__(self) -> int:
        return len(self._on_trial.documents) + len(self._in_use.documents)

    @property
    def tokens(self) -> int:
        return self._on_trial.tokens + self._in_use.tokens


class _Segment:
    """The most recently used documents, as many as fit both bounds."""

    def __init__(self, max_entries: int, max_tokens: int) -> None:
        self.max_entries = max_entries
        self.max_tokens = max_tokens
        self.tokens = 0
        self.documents: OrderedDict[str, Document] = OrderedDict()

    def pop(self, key: str) -> Document | None:
        document = self.documents.pop(key, None)
        if document is not None:
            self.tokens -= document.tokens
        return document

    def put(self, key: str, document: Document) -> list[tuple[str, Document]]:
        """Hold the document, and return those that had to leave for it."""
        self.pop(key)
        self.documents[key] = document
        self.tokens += document.tokens
        pushed_out = []
        while len(self.documents) > self.max_entries or self.tokens > self.max_tokens:
            oldest = self.documents.popitem(last=False)
            self.tokens -= oldest[1].tokens
            pushed_out.append(oldest)
        return pushed_out


class Store(Protocol):
    """What is needed of a cache of Django."""

    def get(self, key: str, /) -> Any: ...

    def set(self, key: str, value: Any, timeout: float | None, /) -> None: ...


class PersistedQueries:
    """Automatic persisted queries as Apollo does them, in the cache that all processes share.

    Only valid documents come here. A cache that is down counts as empty: the client then sends the text again.
    """

    def __init__(self, store: Store, *, seconds: int = 86_400, max_characters: int = 20_000) -> None:
        self.store = store
        self.seconds = seconds
        self.max_characters = max_characters

    def find(self, sha256: str) -> str:
        """The text with this hash. Raises GraphQLError (PERSISTED_QUERY_NOT_FOUND)."""
        try:
            text = self.store.get(self._key(sha256))
        except (RedisError, OSError):
            log.warning("persisted_queries_unavailable", exc_info=True)
            text = None
        if not isinstance(text, str) or hash_of(text) != sha256:
            raise refusal("PersistedQueryNotFound", ErrorCode.PERSISTED_QUERY_NOT_FOUND)
        return text

    def keep(self, sha256: str, text: str) -> None:
        """Store the text for `seconds`, unless it is too long to be worth it."""
        if len(text) > self.max_characters:
            return
        try:
            self.store.set(self._key(sha256), text, self.seconds)
        except (RedisError, OSError):
            log.warning("persisted_queries_unavailable", exc_info=True)

    @staticmethod
    def _key(sha256: str) -> str:
        return f"graphql:persisted:{sha256}"


class AllowList:
    """The only documents that may run: by the id their manifest gives them, by hash, or by their very text."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        by_hash = {hash_of(text): text for text in texts.values()}
        self._texts = by_hash | {name.removeprefix("sha256:"): text for name, text in texts.items()}
        self._hashes = by_hash.keys()

    def text(self, query: str | None, identifier: str | None) -> str:
        """The listed text a request means. Raises GraphQLError (PERSISTED_QUERY_NOT_FOUND)."""
        listed = self._texts.get(identifier or hash_of(query or ""))
        if listed is None or (query is not None and query != listed):
            message = "This server runs only the documents on its list, and this is not one of them."
            raise refusal(message, ErrorCode.PERSISTED_QUERY_NOT_FOUND)
        return listed

    def __len__(self) -> int:
        return len(self._hashes)


def load_allow_list(path: Path) -> AllowList:
    """Read a manifest as relay-compiler, graphql-codegen or Apollo's generate-persisted-query-manifest write it.

    Raises ImproperlyConfigured, naming the file and what is wrong with it.
    """
    try:
        manifest = json.loads(path.read_bytes())
        texts = _texts_of(manifest)
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"The list of allowed documents {path} cannot be used: {error}") from error
    return AllowList(texts)


def _texts_of(manifest: Any) -> dict[str, str]:
    if not isinstance(manifest, dict):
        raise ValueError("it is not a JSON object.")
    pairs = _apollo_pairs(manifest) if "format" in manifest else list(manifest.items())
    if not pairs:
        raise ValueError("it lists no document.")
    texts: dict[str, str] = {}
    for identifier, text in pairs:
        if not isinstance(identifier, str) or not isinstance(text, str):
            raise ValueError(f"the document of {identifier!r} is not a text.")
        if texts.setdefault(identifier, text) != text:
            raise ValueError(f"it has two documents with the id {identifier!r}.")
    return texts


def _apollo_pairs(manifest: dict[str, Any]) -> list[tuple[Any, Any]]:
    found = (manifest["format"], manifest.get("version"))
    if found != ("apollo-persisted-query-manifest", 1):
        raise ValueError(f"its format is {found[0]!r}, version {found[1]!r}, which is not known.")
    operations = manifest.get("operations")
    if not isinstance(operations, list) or not all(isinstance(entry, dict) for entry in operations):
        raise ValueError("its 'operations' is not a list of objects.")
    return [(entry.get("id"), entry.get("body")) for entry in operations]
