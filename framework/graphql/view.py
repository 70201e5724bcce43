"""The view that answers GraphQL over HTTP."""

import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import orjson
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType

from framework import context
from framework.actor import NOBODY, Actor, of_user
from framework.data import outage, replica
from framework.graphql.bounded import RateLimit
from framework.graphql.documents import Document, DocumentRefused, Documents
from framework.graphql.errors import ErrorCode, client_error, format_errors
from framework.graphql.executor import execute
from framework.graphql.loaders import Loaders
from framework.graphql.nulls import check_nulls
from framework.graphql.persisted import PersistedQueries, load_allow_list
from framework.graphql.request import RESPONSE_JSON, HttpRefused, Parameters, answer_type, read, wants_page
from framework.web.csrf import CsrfMiddleware

REFUSED, ANONYMOUS = "(refused)", "(anonymous)"  # names in the access line for operations without one


class RequestContext:
    """`info.context` of one request."""

    def __init__(self, request: HttpRequest, actor: Actor) -> None:
        self.request = request
        self.actor = actor

    @cached_property
    def loaders(self) -> Loaders:
        return Loaders()


class GraphQLView:
    """Answers GraphQL requests over one schema, and shows GraphiQL to a browser.

    Raises ImproperlyConfigured for a schema whose arguments contradict their defaults or their declared costs.
    """

    csrf_exempt = True  # checked below, and only for requests with a cookie

    def __init__(self, schema: GraphQLSchema) -> None:
        check_nulls(schema)
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
        self.compiles = settings.GRAPHQL_EXECUTOR == "compiled"

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.GRAPHIQL and wants_page(request):
            return render(request, "graphiql.html", {"project_name": settings.PROJECT_NAME})
        media_type = "application/json"
        unit = context.current()
        unit.transport, unit.name = "graphql", REFUSED
        try:
            media_type = answer_type(request)
            actor = actor_of(request)
            unit.actor = actor
            client = actor.user_id or request.META.get("REMOTE_ADDR")
            self._check_rate(client)
            parameters = read(request, settings.GRAPHQL_LIMITS)
            check_csrf(request)
            result, extensions = self._run(RequestContext(request, actor), parameters, client)
        except HttpRefused as refused:
            return _respond(media_type, {"errors": format_errors([refused.error])}, refused.status, refused.headers)
        except DocumentRefused as refused:
            result, extensions = ExecutionResult(None, refused.errors), {}
        except GraphQLError as error:
            result, extensions = ExecutionResult(None, [error]), {}
        return _respond_result(media_type, result, extensions)

    def unavailable(self) -> HttpResponse:
        """What framework.web.middleware answers while the session's or the user's store is away."""
        error = client_error("The service is unavailable now. Try again later.", ErrorCode.UNAVAILABLE)
        context.current().transport = "graphql"
        return _respond("application/json", {"errors": format_errors([error])}, 503)

    def _check_rate(self, client: object) -> None:
        """Count the request, before any work is done for it. Raises HttpRefused (429) above GRAPHQL_RATE."""
        if not self.rate.allows(client):
            message = f"More than {self.rate.most} requests in a minute (GRAPHQL_RATE)."
            error = client_error(message, ErrorCode.RATE_LIMITED)
            raise HttpRefused(429, error, **{"Retry-After": str(self.rate.seconds_left())})

    def _run(
        self, asked: RequestContext, parameters: Parameters, client: object
    ) -> tuple[ExecutionResult, dict[str, Any]]:
        document = self.documents.resolve(parameters.query, parameters.document_id, parameters.extensions, client)
        operation = document.operation(parameters.operation_name)
        if asked.request.method == "GET" and operation.operation is not OperationType.QUERY:
            message = "GET is for queries: send a mutation by POST."
            raise HttpRefused(405, client_error(message, ErrorCode.BAD_USER_INPUT), Allow="POST")
        cost = document.cost(operation, parameters.variables)
        unit = context.current()
        unit.name, unit.cost = _name(operation), cost
        unit.read_only = operation.operation is OperationType.QUERY and replica.COOKIE not in asked.request.COOKIES
        with context.within(settings.GRAPHQL_TIMEOUT - context.age()):
            result = self._execute(document, parameters, asked)
        wanted = parameters.extensions.get("cost") is True
        return result, {"cost": {"requested": cost, "limit": settings.GRAPHQL_LIMITS.cost}} if wanted else {}

    def _execute(self, document: Document, parameters: Parameters, asked: RequestContext) -> ExecutionResult:
        result = execute(
            self.schema,
            document.ast,
            plans=document.plans if self.compiles else None,
            context=asked,
            variables=parameters.variables,
            operation_name=parameters.operation_name,
            hide_suggestions=self.documents.hide_suggestions,
        )
        self.documents.keep(document)
        if result.errors:
            self.documents.hide_types(result.errors, f"{document.text} {parameters.variables}")
        return result


def check_csrf(request: HttpRequest) -> None:
    """Require Django's token of a POST with a session or CSRF cookie: browsers send those from other sites, too.

    A query by GET changes nothing, and other sites cannot read its answer. Raises HttpRefused (403).
    """
    has_cookie = settings.SESSION_COOKIE_NAME in request.COOKIES or settings.CSRF_COOKIE_NAME in request.COOKIES
    if has_cookie and request.method == "POST":
        reason = _Csrf(lambda _: HttpResponse()).process_view(request, HttpResponse, (), {})
        if reason:
            message = f"{reason} Query csrfToken by GET, then send it as the header X-CSRFToken."
            raise HttpRefused(403, client_error(message, ErrorCode.FORBIDDEN))


class _Csrf(CsrfMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def actor_of(request: HttpRequest) -> Actor:
    """The user of the session. Without a session cookie nothing is read from the database."""
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
    code = answer["errors"][0]["extensions"]["code"] if answer.get("errors") else ""
    context.current().code = str(code)
    answer["extensions"] = answer.get("extensions", {}) | {"requestId": context.request_id()}
    body = orjson.dumps(answer)
    response = HttpResponse(body, status=status, content_type=f"{media_type}; charset=utf-8", headers=headers)
    response["Cache-Control"] = "no-store"  # what it says depends on who asks, by GET too
    if code == ErrorCode.UNAVAILABLE:
        response.headers.setdefault("Retry-After", str(outage.RETRY_AFTER))
    return response
