"""Documents that clients name instead of sending: automatic persisted queries, and the list of allowed documents."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.cache.backends.base import BaseCache
from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLError
from redis.exceptions import RedisError
from structlog import get_logger

from framework.graphql.bounded import RateLimit
from framework.graphql.errors import ErrorCode, client_error

log = get_logger(__name__)


def hash_of(text: str) -> str:
    """The SHA-256 of a document as clients write it: lower-case hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def not_found() -> GraphQLError:
    """The error that makes Apollo's clients send the text along."""
    return client_error("PersistedQueryNotFound", ErrorCode.PERSISTED_QUERY_NOT_FOUND)


def identifier_of(document_id: str | None, extensions: Mapping[str, Any] | None) -> str | None:
    """The hash or id in a request's `documentId`, there as `sha256:<hash>`, or `extensions.persistedQuery`."""
    if document_id:
        return document_id.removeprefix("sha256:")
    persisted = (extensions or {}).get("persistedQuery")
    if persisted is None:
        return None
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise client_error("Only version 1 of persistedQuery is known.", ErrorCode.BAD_USER_INPUT)
    sha256 = persisted.get("sha256Hash")
    if not isinstance(sha256, str):
        raise client_error("persistedQuery has no sha256Hash.", ErrorCode.BAD_USER_INPUT)
    return sha256.lower()


class PersistedQueries:
    """Automatic persisted queries as Apollo defines them, in the cache that all processes share.

    The store never holds more than `slots` documents of `max_bytes` each (10 MB by default), whatever clients send:
    a hash determines its slot, and a document replaces the one that was there. Losing an entry is harmless, the
    client sends the text again. A client may store `per_client` documents a minute through one process. A document
    with a comment is executed, but not stored, so that comments cannot multiply one document.

    Only valid documents come here. A store that cannot be reached counts as empty.
    """

    def __init__(
        self,
        store: BaseCache,
        *,
        seconds: int = 3_600,
        slots: int = 1_024,
        max_bytes: int = 10_000,
        per_client: int = 60,
    ) -> None:
        self.store = store
        self.seconds = seconds
        self.slots = slots
        self.max_bytes = max_bytes
        self.quota = RateLimit(per_client)

    def find(self, sha256: str) -> str:
        """The text with this hash. Raises GraphQLError (PERSISTED_QUERY_NOT_FOUND)."""
        try:
            text = self.store.get(self._slot(sha256))
        except (RedisError, OSError):
            log.warning("persisted_queries_unavailable", exc_info=True)
            text = None
        if not isinstance(text, str) or hash_of(text) != sha256:
            raise not_found()
        return text

    def keep(self, sha256: str, text: str, client: object) -> None:
        """Store the text for `seconds`, unless it is too long, has a comment, or the client stores too many."""
        if "#" in text or len(text.encode()) > self.max_bytes or not self.quota.allows(client):
            return
        try:
            self.store.set(self._slot(sha256), text, self.seconds)
        except (RedisError, OSError):
            log.warning("persisted_queries_unavailable", exc_info=True)

    def _slot(self, sha256: str) -> str:
        return f"graphql:persisted:{int(sha256[:12], 16) % self.slots}"


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
            raise client_error(message, ErrorCode.PERSISTED_QUERY_NOT_FOUND)
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
