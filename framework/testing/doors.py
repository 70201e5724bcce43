"""Every door of a process, to be knocked at: GraphQL fields, gRPC methods, routes and pages of the admin.

`arguments` are values for fields of requests by name, for each domain: of rows that the caller `user` owns.
`placeOrder.lines` is for one operation only; a field of a gRPC request takes JSON or a message. What is left out gets a
value that any rule lets pass.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import grpc as grpc_library
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from graphql import GraphQLField, GraphQLSchema, get_named_type, is_enum_type, is_input_object_type, is_list_type
from graphql.type import get_nullable_type, is_object_type, is_required_argument, is_required_input_field

from framework import discovery
from framework.actor import NOBODY, Actor, Rule, of_user
from framework.grpc import assertion
from framework.grpc.contract import changes_nothing
from framework.testing.access import TOKENS, Caller, Door
from framework.web.urls import views

Arguments = Mapping[str, Mapping[str, Any]]


def _actor(caller: Caller) -> Actor:
    return of_user(caller.user) if caller.user else NOBODY


def graphql(schema: GraphQLSchema, arguments: Arguments) -> Iterator[Door]:
    """Root fields, and fields below that have a rule of their own."""
    roots = {kind.name: kind for kind in (schema.query_type, schema.mutation_type) if kind}
    for root in roots.values():
        for name, field in root.fields.items():
            label = _label(field)
            knock = _Operation(root.name, name, field, arguments.get(label, {}))
            yield Door("GraphQL", f"{root.name}.{name}", label, knock, root is schema.mutation_type)
    for kind in filter(is_object_type, schema.type_map.values()):
        for name, field in () if kind.name in roots else kind.fields.items():  # type: ignore[attr-defined]
            if rule := getattr(field.resolve, "allowed", None):
                yield Door("GraphQL", f"{kind.name}.{name}", _label(field), _ruled(rule))


def _label(field: GraphQLField) -> str:
    return str(field.resolve.__module__).split(".")[-2]


def _ruled(rule: Rule) -> Callable[[Caller], str | None]:
    """For doors whose guard asks nothing but the rule."""

    def knock(caller: Caller) -> str | None:
        if caller.token:
            return None
        return "OK" if rule(_actor(caller)) else "PERMISSION_DENIED" if caller.user else "UNAUTHENTICATED"

    return knock


class _Operation:
    """A document of one root field."""

    def __init__(self, root: str, name: str, field: GraphQLField, arguments: Mapping[str, Any]) -> None:
        given = {each: arguments.get(f"{name}.{each}", arguments.get(each)) for each in field.args}
        self._variables = {
            each: _dummy(argument.type) if given[each] is None else given[each]
            for each, argument in field.args.items()
            if is_required_argument(argument) or given[each] is not None
        }
        declared = ", ".join(f"${each}: {field.args[each].type}" for each in self._variables)
        passed = ", ".join(f"{each}: ${each}" for each in self._variables)
        selected = " { __typename }" if is_object_type(get_named_type(field.type)) else ""
        parts = (f"({declared})", f"({passed})") if declared else ("", "")
        self._text = f"{root.lower()}{parts[0]} {{ {name}{parts[1]}{selected} }}"

    def __call__(self, caller: Caller) -> str | None:
        if caller.token:
            return None
        errors = caller.app(self._text, **self._variables).get("errors", [])
        return errors[0]["extensions"]["code"] if errors else "OK"


def _dummy(kind: Any) -> Any:
    """A value of an input type, as JSON."""
    kind = get_nullable_type(kind)
    if is_list_type(kind):
        return [_dummy(kind.of_type)]
    if is_input_object_type(kind):
        return {name: _dummy(field.type) for name, field in kind.fields.items() if is_required_input_field(field)}
    if is_enum_type(kind):
        return next(iter(kind.values))
    return {"Int": 1, "Float": 1.0, "Boolean": True, "DateTime": "2026-01-01T00:00:00Z"}.get(kind.name, "1")


def grpc(channel: grpc_library.Channel, services: Iterable[str], arguments: Arguments) -> Iterator[Door]:
    """Methods of the services with these full names, which a server at the channel's end has."""
    for service in services:
        for method in descriptor_pool.Default().FindServiceByName(service).methods:
            path = f"/{service}/{method.name}"
            label = service.partition(".")[0]
            knock = _Method(channel, path, method, arguments.get(label, {}))
            yield Door("gRPC", f"{service}.{method.name}", label, knock, not changes_nothing(path))


class _Method:
    def __init__(
        self, channel: grpc_library.Channel, path: str, method: MethodDescriptor, arguments: Mapping[str, Any]
    ) -> None:
        names = [field.name for field in method.input_type.fields]
        given = {name: arguments.get(f"{method.name}.{name}", arguments.get(name)) for name in names}
        self._request = message_factory.GetMessageClass(method.input_type)()
        for name, value in given.items():
            if isinstance(value, Message):
                getattr(self._request, name).CopyFrom(value)
            elif value is not None:
                json_format.ParseDict({name: value}, self._request)
        self._path = path
        call = channel.unary_stream if method.server_streaming else channel.unary_unary
        self._call: Any = call(path, lambda message: message.SerializeToString(), lambda data: data)
        self._streams = method.server_streaming

    def __call__(self, caller: Caller) -> str | None:
        try:
            answer = self._call(self._request, metadata=self._metadata(caller))
            list(answer if self._streams else ())
        except grpc_library.RpcError as error:
            return str(error.code().name)
        return "OK"

    def _metadata(self, caller: Caller) -> list[tuple[str, str]]:
        if not (caller.user or caller.token):
            return []
        token = caller.token or TOKENS["users"]
        metadata = [("authorization", f"Bearer {token}")]
        if caller.user:
            signed = assertion.sign(_actor(caller), self._path, assertion.key_of(token))
            metadata.append((assertion.METADATA_KEY, signed))
        return metadata


def http() -> Iterator[Door]:
    """The routes of the domains; those of one entry that share a rule are one door."""
    for module in discovery.modules("urls"):
        domain = module.__name__.split(".")[-2]
        for pattern in module.urlpatterns:
            found = list(views([pattern]))
            rules = {id(view.callback.allowed): view.callback.allowed for view in found}
            for rule in rules.values():
                count = sum(view.callback.allowed is rule for view in found)
                yield Door("HTTP", f"/{domain}/{pattern.pattern} ({count})", domain, _ruled(rule))


def admin(site: AdminSite) -> Iterator[Door]:
    """The front page, and each model's pages and actions."""
    yield Door("Admin", "front page", "", _page(site, lambda request: True))
    for model, pages in sorted(site._registry.items(), key=lambda item: item[0]._meta.label):
        label = model._meta.app_label
        for name in ("view", "add", "change", "delete"):
            asked = getattr(pages, f"has_{name}_permission")
            yield Door("Admin", f"{model._meta.label}: {name}", label, _page(site, asked))
        for _, name, _ in pages._get_base_actions():  # type: ignore[attr-defined]
            if name != "delete_selected":  # it is the delete page's
                yield Door(
                    "Admin", f"{model._meta.label}: {name}", label, _page(site, partial(_has_action, pages, name))
                )


def _has_action(pages: Any, name: str, request: Any) -> bool:
    return name in pages.get_actions(request)


def _page(site: AdminSite, asked: Callable[[Any], bool]) -> Callable[[Caller], str | None]:
    def knock(caller: Caller) -> str | None:
        if caller.token:
            return None
        request = _request(caller.user or AnonymousUser())
        if site.has_permission(request) and asked(request):
            return "OK"
        return "PERMISSION_DENIED" if caller.user else "UNAUTHENTICATED"

    return knock


def _request(user: Any) -> Any:
    request = RequestFactory().get("/")
    request.user = user
    return request
