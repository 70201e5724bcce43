"""What the domains' GraphQL types are made of."""

import decimal
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, partial
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import graphene
from django.http import HttpRequest
from graphql import GraphQLError, IntValueNode, StringValueNode, ValueNode

from framework.actor import Actor
from framework.graphql.cost import cost
from framework.graphql.loaders import Loaders
from framework.pages import MAX_COUNT, Page, token


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

    @staticmethod
    def serialize(value: datetime) -> str:
        """Raises TypeError for a date, which is no moment: its field is a `graphene.Date`."""
        if not isinstance(value, datetime):
            raise TypeError(f"A DateTime field holds {value!r}: give it a datetime, or declare a graphene.Date.")
        return value.isoformat()


class PageInfo(graphene.ObjectType):
    # Its source is the Connection, which has these fields as attributes.
    has_next_page = graphene.Boolean(required=True)
    has_previous_page = graphene.Boolean(required=True)
    start_cursor = graphene.String()
    end_cursor = graphene.String()


class Edge(NamedTuple):
    node: Any
    page: Page[Any]

    @property
    def cursor(self) -> str:
        return token(self.page.keyset, self.node)


_new_edge = partial(tuple.__new__, Edge)  # a third of the time that Edge(...) takes


class Connection:
    """A page as GraphQL shows it. Cursors and the count are made only when they are asked for."""

    def __init__(self, page: Page[Any], *, has_previous_page: bool, count: Callable[[], int]) -> None:
        """`count` answers as `keysets.count` does: a number above MAX_COUNT says that there are more."""
        self.page = page
        self.has_previous_page = has_previous_page
        self._count = count

    @property
    def has_next_page(self) -> bool:
        return bool(self.page.next_token)

    @property
    def page_info(self) -> "Connection":
        return self

    @property
    def edges(self) -> list[Edge]:
        return list(map(_new_edge, zip(self.page.items, repeat(self.page), strict=False)))

    @property
    def start_cursor(self) -> str | None:
        return self.page.cursor(self.page.items[0]) if self.page.items else None

    @property
    def end_cursor(self) -> str | None:
        return self.page.cursor(self.page.items[-1]) if self.page.items else None

    @cached_property
    def counted(self) -> int:
        return self._count()


def connection_type(node: type[graphene.ObjectType]) -> type[graphene.ObjectType]:
    """The connection and edge types over a node, after https://relay.dev/graphql/connections.htm."""
    name = node.__name__

    def resolve_total_count(root: Connection, info: Info) -> int:
        return min(root.counted, MAX_COUNT)

    def resolve_total_count_is_exact(root: Connection, info: Info) -> bool:
        return root.counted <= MAX_COUNT

    edge = type(
        f"{name}Edge",
        (graphene.ObjectType,),
        {"node": graphene.Field(node, required=True), "cursor": graphene.String(required=True)},
    )
    return type(
        f"{name}Connection",
        (graphene.ObjectType,),
        {
            "edges": graphene.List(graphene.NonNull(edge), required=True),
            "page_info": graphene.Field(PageInfo, required=True),
            "total_count": graphene.Int(
                required=True,
                description=f"Counted only when asked for, and up to {MAX_COUNT:,}: see totalCountIsExact.",
            ),
            "total_count_is_exact": graphene.Boolean(
                required=True, description="False when there are more than totalCount says."
            ),
            "resolve_total_count": cost(10)(resolve_total_count),
            "resolve_total_count_is_exact": cost(10)(resolve_total_count_is_exact),
        },
    )
