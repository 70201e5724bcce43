"""The GraphQL door over HTTP."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType, execute_sync

from framework import context
from framework.actor import NOBODY, Actor, of_user
from framework.data import replica
from framework.graphql.documents import Document, DocumentRefused, Documents, PersistedQueries, load_allow_list
from framework.graphql.errors import ErrorCode, format_errors, refusal
from framework.graphql.executor import CompiledExecutionContext, DeferredExecutionContext
from framework.graphql.loaders import Loaders
from framework.graphql.rate import RateLimit, seconds_left
from framework.graphql.request import RESPONSE_JSON, HttpRefused, Parameters, answer_type, read, wants_page
from framework.web.csrf import CsrfMiddleware

REFUSED, ANONYMOUS = "(refused)", "(anonymous)"  # what the access line calls operations that it has no name of


@dataclass(slots=True)
class RequestContext:
    """`info.context` of one request."""

    request: HttpRequest
    actor: Actor
    loaders: Loaders = field(default_factory=Loaders)


class GraphQLView:
    """Answers GraphQL requests over one schema, and shows GraphiQL to a browser."""

    csrf_exempt = True  # checked below, and only where a cookie speaks for the user

    def __init__(self, schema: GraphQLSchema) -> None:
        allowed = settings.GRAPHQL_ALLOWED_DOCUMENTS
        self.schema = schema
        self.documents = Documents(
            schema,
            settings.GRAPHQL_LIMITS,
            introspection=settings.GRAPHQL_INTROSPECTION,
            suggestions=settings.GRAPHQL_INTROSPECTION,
            persisted=PersistedQueries(cache),
            allowed=load_allow_list(allowed) if allowed else None,
        )
        self.rate = RateLimit(settings.GRAPHQL_RATE or sys.maxsize)
        self.executor = DeferredExecutionContext if settings.GRAPHQL_EXECUTOR == "stock" else CompiledExecutionContext

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.GRAPHIQL and wants_page(request):
            return render(request, "graphiql.html", {"project_name": settings.PROJECT_NAME})
        media_type = "application/json"
        unit = context.current()
        unit.transport, unit.name = "graphql", REFUSED
        try:
            media_type = answer_type(request)
            parameters = read(request, settings.GRAPHQL_LIMITS)
            check_csrf(request)
            result, extensions = self._run(request, parameters)
        except HttpRefused as refused:
            return _respond(media_type, {"errors": format_errors([refused.error])}, refused.status, refused.headers)
        except DocumentRefused as refused:
            result, extensions = ExecutionResult(None, refused.errors), {}
        except GraphQLError as error:
            result, extensions = ExecutionResult(None, [error]), {}
        return _respond_result(media_type, result, extensions)

    def _run(self, request: HttpRequest, parameters: Parameters) -> tuple[ExecutionResult, dict[str, Any]]:
        document = self.documents.resolve(parameters.query, parameters.document_id, parameters.extensions)
        operation = document.operation(parameters.operation_name)
        if request.method == "GET" and operation.operation is not OperationType.QUERY:
            message = "GET is for queries: send a mutation by POST."
            raise HttpRefused(405, refusal(message, ErrorCode.BAD_USER_INPUT), Allow="POST")
        cost = document.costs.of(operation, parameters.variables)
        unit = context.current()
        unit.name, unit.cost = _name(operation), cost
        unit.read_only = operation.operation is OperationType.QUERY and replica.COOKIE not in request.COOKIES
        asked = RequestContext(request, actor_of(request))
        unit.actor = asked.actor
        self._check_rate(asked)
        with context.within(settings.GRAPHQL_TIMEOUT - context.age()):
            result = self._execute(document, parameters, asked)
        wanted = parameters.extensions.get("cost") is True
        return result, {"cost": {"requested": cost, "limit": settings.GRAPHQL_LIMITS.cost}} if wanted else {}

    def _check_rate(self, asked: RequestContext) -> None:
        """Raises HttpRefused (429) when this user, or this address, asks too often."""
        who = asked.actor.user_id or asked.request.META.get("REMOTE_ADDR")
        try:
            self.rate.check(who)
        except GraphQLError as error:
            raise HttpRefused(429, error, **{"Retry-After": str(seconds_left())}) from None

    def _execute(self, document: Document, parameters: Parameters, asked: RequestContext) -> ExecutionResult:
        return execute_sync(
            self.schema,
            document.ast,
            context_value=asked,
            variable_values=dict(parameters.variables),
            operation_name=parameters.operation_name,
            execution_context_class=self.executor,
            hide_suggestions=self.documents.hide_suggestions,
        )


def check_csrf(request: HttpRequest) -> None:
    """Cookies speak for a user without the user's doing, so a POST with them needs Django's token.

    A query by GET changes nothing, and other sites cannot read the answer. Raises HttpRefused (403).
    """
    spoken_for = settings.SESSION_COOKIE_NAME in request.COOKIES or settings.CSRF_COOKIE_NAME in request.COOKIES
    if spoken_for and request.method == "POST":
        reason = _Csrf(lambda _: HttpResponse()).process_view(request, HttpResponse, (), {})
        if reason:
            message = f"{reason} Query csrfToken by GET, then send it as the header X-CSRFToken."
            raise HttpRefused(403, refusal(message, ErrorCode.FORBIDDEN))


class _Csrf(CsrfMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def actor_of(request: HttpRequest) -> Actor:
    """Who asks. Without a session cookie nothing is looked up."""
    return of_user(request.user) if settings.SESSION_COOKIE_NAME in request.COOKIES else NOBODY


def _name(operation: OperationDefinitionNode) -> str:
    return operation.name.value if operation.name else ANONYMOUS


def _respond_result(media_type: str, result: ExecutionResult, extensions: Mapping[str, Any]) -> HttpResponse:
    answer: dict[str, Any] = {"data": result.data} if result.data is not None or not result.errors else {}
    if result.errors:
        answer["errors"] = format_errors(result.errors)
        # A request that began to run has a path in its errors; then `data` is there, even when it is null.
        if result.data is None and any(error.path for error in result.errors):
            answer["data"] = None
    if extensions:
        answer["extensions"] = extensions
    status = 400 if media_type == RESPONSE_JSON and "data" not in answer else 200
    return _respond(media_type, answer, status)


def _respond(
    media_type: str, answer: dict[str, Any], status: int, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    if answer.get("errors"):
        context.current().code = str(answer["errors"][0]["extensions"]["code"])
    answer["extensions"] = answer.get("extensions", {}) | {"requestId": context.request_id()}
    body = orjson.dumps(answer)
    response = HttpResponse(body, status=status, content_type=f"{media_type}; charset=utf-8", headers=headers)
    response["Cache-Control"] = "no-store"  # what it says depends on who asks, by GET too
    return response
