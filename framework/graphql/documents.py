"""From what a client sent to a parsed and validated document, which is cached with all that is derived from it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    Undefined,
    parse,
    specified_rules,
    validate,
)

from framework.graphql.bounded import BoundedCache
from framework.graphql.cost import Deciding, deciding_variables, priced_arguments
from framework.graphql.errors import ErrorCode, client_error, hide_type_names
from framework.graphql.estimate import cost_of
from framework.graphql.executor import Plans
from framework.graphql.limits import Limits
from framework.graphql.persisted import AllowList, PersistedQueries, hash_of, identifier_of, not_found
from framework.graphql.shape import Shape, check_document
from framework.graphql.text import check_text

MAX_ERRORS = 10  # a client that mends these will see the next ones
MAX_COSTS = 16  # of one document
MEMORY = 50_000_000  # bytes, for all documents and their plans
BYTES_PER_DOCUMENT = 4_000  # about, like the following
BYTES_PER_COST = 400
BYTES_PER_TOKEN = 600
MEMOIZED = (int, float, type(None), type(Undefined))  # other values are refused when the variables are coerced
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DocumentRefused(Exception):
    """The document cannot be executed; `errors` says why, for the client."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A valid document, with what has been derived from it so far.

    `operations` and `shapes` are by name, the empty one for an anonymous operation.
    """

    text: str
    sha256: str
    schema: GraphQLSchema
    limits: Limits
    ast: DocumentNode
    operations: Mapping[str, OperationDefinitionNode]
    fragments: Mapping[str, FragmentDefinitionNode]
    shapes: Mapping[str, Shape]
    tokens: int
    deciding: Deciding
    plans: Plans = field(default_factory=Plans)
    costs: BoundedCache[int] = field(default_factory=lambda: BoundedCache(MAX_COSTS))

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes. Grows while plans are compiled."""
        own = BYTES_PER_DOCUMENT + self.tokens * BYTES_PER_TOKEN + len(self.costs) * BYTES_PER_COST
        return own + self.plans.size

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to execute. Raises GraphQLError (BAD_USER_INPUT) if the name does not single one out."""
        if not name:
            if len(self.operations) == 1:
                return next(iter(self.operations.values()))
            message = "Must provide operation name if query contains multiple operations."
            raise client_error(message if self.operations else "Must provide an operation.", ErrorCode.BAD_USER_INPUT)
        if name not in self.operations:
            raise client_error(f"Unknown operation named '{name}'.", ErrorCode.BAD_USER_INPUT)
        return self.operations[name]

    def cost(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        """As `cost_of`, computed once for all requests whose variables lead to the same cost."""
        values = [variables.get(name, Undefined) for name in self.deciding.by_value]
        if not all(isinstance(value, MEMOIZED) for value in values):
            return self._compute_cost(operation, variables)
        given = (bool(variables.get(name, Undefined)) for name in self.deciding.by_presence)
        key = (id(operation), *map(type, values), *values, *given)  # True equals 1, and does not mean the same
        return self.costs.get_or_make(key, lambda: self._compute_cost(operation, variables))

    def _compute_cost(self, operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> int:
        return cost_of(self.schema, operation, self.fragments, variables, self.limits)


class Documents:
    """Resolves requests to valid documents. Threads may share it.

    Documents are cached, the most recently used ones that fit into `memory` bytes together with their compiled plans.
    Invalid documents are not cached: they would displace valid ones, and the limits bound what checking them costs.

    `introspection` and `suggestions` ("Did you mean ...?") tell a client about the schema. Without `introspection`
    error messages do not mention types that the client has not named itself. Pass `hide_suggestions` to the executor
    as well, which checks variables.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: Limits,
        *,
        introspection: bool = True,
        suggestions: bool = True,
        persisted: PersistedQueries | None = None,
        allowed: AllowList | None = None,
        memory: int = MEMORY,
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.introspection = introspection
        self.hide_suggestions = not suggestions
        self.persisted = persisted
        self.allowed = allowed
        self._rules: Collection[type[ASTValidationRule]] = (
            specified_rules if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        )
        self._priced = priced_arguments(schema)
        self._cache: BoundedCache[Document] = BoundedCache(memory, lambda document: document.size)

    def resolve(
        self,
        query: str | None,
        document_id: str | None = None,
        extensions: Mapping[str, Any] | None = None,
        client: object = None,
    ) -> Document:
        """The document that a request names by its text, its `documentId` or `extensions.persistedQuery`.

        `client` is charged for what is stored. Raises DocumentRefused.
        """
        try:
            identifier = identifier_of(document_id, extensions)
            if self.allowed is not None:
                return self.get(self.allowed.text(query, identifier))
            if identifier is None:
                if query is None:
                    raise client_error("The request has no query.", ErrorCode.BAD_USER_INPUT)
                return self.get(query)
            return self._by_hash(query, identifier, client)
        except GraphQLError as error:
            raise DocumentRefused([error]) from None

    def get(self, text: str) -> Document:
        """The document of this text, parsed and validated at most once while it is cached.

        Raises DocumentRefused with up to ten errors.
        """
        sha256 = hash_of(text)
        document = self._cache.get(sha256)
        if document is None:
            document = self._read(text, sha256)
            self.keep(document)
        return document

    def keep(self, document: Document) -> None:
        """Cache the document by its present size: call it after each execution, which may have compiled more."""
        self._cache.put(document.sha256, document)

    def hide_types(self, errors: list[GraphQLError], sent: str) -> list[GraphQLError]:
        """The errors of graphql-core, without names of types that the client cannot know: those it has not sent."""
        return errors if self.introspection else hide_type_names(errors, self.schema, sent)

    def _by_hash(self, query: str | None, identifier: str, client: object) -> Document:
        """Automatic persisted queries: the hash alone, or once with the text."""
        if self.persisted is None:
            raise client_error("PersistedQueryNotSupported", ErrorCode.PERSISTED_QUERY_NOT_SUPPORTED)
        if not _SHA256.fullmatch(identifier):
            raise not_found()
        if query is None:
            document = self._cache.get(identifier)
            return document or self.get(self.persisted.find(identifier))
        if hash_of(query) != identifier:
            raise client_error("The sha256Hash is not that of the query.", ErrorCode.BAD_USER_INPUT)
        document = self.get(query)
        self.persisted.keep(identifier, query, client)
        return document

    def _read(self, text: str, sha256: str) -> Document:
        try:
            tokens = check_text(text, self.limits)
            ast = parse(text)
            shapes = check_document(ast, self.limits)
        except GraphQLError as error:
            raise DocumentRefused([error]) from None
        self._validate(ast, text)
        operations = {
            node.name.value if node.name else "": node
            for node in ast.definitions
            if isinstance(node, OperationDefinitionNode)
        }
        fragments = {node.name.value: node for node in ast.definitions if isinstance(node, FragmentDefinitionNode)}
        deciding = deciding_variables(ast, self._priced)
        return Document(text, sha256, self.schema, self.limits, ast, operations, fragments, shapes, tokens, deciding)

    def _validate(self, ast: DocumentNode, text: str) -> None:
        errors = validate(self.schema, ast, self._rules, MAX_ERRORS, hide_suggestions=self.hide_suggestions)
        if errors:
            for found in self.hide_types(errors, text):
                found.extensions = {"code": ErrorCode.GRAPHQL_VALIDATION_FAILED}
            raise DocumentRefused(errors)
