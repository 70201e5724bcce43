"""What the domains' GraphQL types are made of."""

import decimal
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import graphene
from django.http import HttpRequest
from graphql import GraphQLError, IntValueNode, StringValueNode, ValueNode

from framework.actor import Actor
from framework.data import keysets
from framework.graphql.cost import cost
from framework.graphql.loaders import Loaders
from framework.pages import Keyset, Page


class Context(Protocol):
    """`info.context`: one a request."""

    request: HttpRequest
    actor: Actor
    loaders: Loaders


class Info(Protocol):
    """What a resolver needs of graphql-core's GraphQLResolveInfo."""

    @property
    def context(self) -> Context: ...


class Decimal(graphene.Scalar):
    """A number with decimals, exact: sent as text, taken as text or integer."""

    exact = (decimal.Decimal, str)  # how the executor may serialize a value of this very class by itself

    @staticmethod
    def serialize(value: decimal.Decimal) -> str:
        return str(value)

    @staticmethod
    def parse_value(value: Any) -> decimal.Decimal:
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise GraphQLError(f"{value!r} is not a decimal: send it as text.")  # a float is not exact
        try:
            parsed = decimal.Decimal(value)
        except decimal.InvalidOperation:
            raise GraphQLError(f"{str(value)[:40]!r} is not a decimal.") from None
        if not parsed.is_finite():
            raise GraphQLError(f"{str(value)[:40]!r} is not a decimal.")
        return parsed

    @staticmethod
    def parse_literal(node: ValueNode, variables: Any = None) -> decimal.Decimal:
        if not isinstance(node, StringValueNode | IntValueNode):
            raise GraphQLError("A decimal is written as text.", node)
        return Decimal.parse_value(node.value)


class DateTime(graphene.DateTime):
    """A moment, as ISO 8601 writes it."""

    exact = (datetime, datetime.isoformat)
    serialize = staticmethod(datetime.isoformat)  # entities hold nothing else: no need to look


class PageInfo(graphene.ObjectType):
    has_next_page = graphene.Boolean(required=True)
    has_previous_page = graphene.Boolean(required=True)
    start_cursor = graphene.String()
    end_cursor = graphene.String()

    def resolve_start_cursor(root: "Connection", info: Info) -> str | None:
        return keysets.token(root.keyset, root.page.items[0]) if root.page.items else None

    def resolve_end_cursor(root: "Connection", info: Info) -> str | None:
        return keysets.token(root.keyset, root.page.items[-1]) if root.page.items else None


class Edge(NamedTuple):
    node: Any
    keyset: Keyset


_new_edge = partial(tuple.__new__, Edge)  # a third of the time that Edge(...) takes


class Connection(NamedTuple):
    """A page as GraphQL shows it. Cursors and the count are made only when they are asked for."""

    page: Page[Any]
    keyset: Keyset
    has_previous_page: bool
    total: Callable[[], int]

    @property
    def has_next_page(self) -> bool:
        return bool(self.page.next_token)

    @property
    def page_info(self) -> "Connection":
        return self

    @property
    def edges(self) -> list[Edge]:
        return list(map(_new_edge, zip(self.page.items, repeat(self.keyset), strict=False)))


def connection_type(node: type[graphene.ObjectType]) -> type[graphene.ObjectType]:
    """The connection and edge types over a node, after https://relay.dev/graphql/connections.htm."""
    name = node.__name__

    def resolve_cursor(root: Edge, info: Info) -> str:
        return keysets.token(root.keyset, root.node)

    def resolve_total_count(root: Connection, info: Info) -> int:
        return root.total()

    edge = type(
        f"{name}Edge",
        (graphene.ObjectType,),
        {
            "node": graphene.Field(node, required=True),
            "cursor": graphene.String(required=True),
            "resolve_cursor": resolve_cursor,
        },
    )
    return type(
        f"{name}Connection",
        (graphene.ObjectType,),
        {
            "edges": graphene.List(graphene.NonNull(edge), required=True),
            "page_info": graphene.Field(PageInfo, required=True),
            "total_count": graphene.Int(required=True, description="Counted only when asked for."),
            "resolve_total_count": cost(10)(resolve_total_count),
        },
    )
