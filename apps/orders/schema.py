"""Orders for the single-page app."""

from collections.abc import Sequence
from typing import Any

import graphene

from apps.catalog import public as catalog
from apps.orders import public
from framework import ids
from framework.actor import allow, authenticated
from framework.graphql.cost import cost
from framework.graphql.entity import EntityInput, EntityType
from framework.graphql.loaders import Deferred
from framework.graphql.types import Connection, Decimal, Info, connection_type


class OrderLine(EntityType):
    class Meta:
        entity = public.OrderLine
        exclude = {"currency": "it is the order's"}
        descriptions = {
            "name": "As it was when it was ordered; empty while pending.",
            "unit_price": "As it was when it was ordered; 0 while pending.",
        }

    product = graphene.Field(
        "apps.catalog.schema.Product", description="As it is now; null once the catalog has it no more."
    )

    def resolve_product(root: Any, info: Info) -> Deferred[catalog.Product | None]:
        return info.context.loaders.load(catalog.get_products, root.product_id)


class Order(EntityType):
    class Meta:
        entity = public.Order
        exclude = {"customer_id": "the customer is who asks"}
        descriptions = {
            "total": "0 while pending; if its price was not the expected one, the new one.",
            "currency": "ISO 4217; empty while pending.",
            "reason": "Why it was rejected or cancelled.",
        }

    lines = graphene.List(graphene.NonNull(OrderLine), required=True, description="100 at most.")

    def resolve_lines(root: Any, info: Info) -> Deferred[Sequence[public.OrderLine] | None]:
        return info.context.loaders.load(public.get_lines, root.id)


OrderConnection = connection_type(Order)


class Query(graphene.ObjectType):
    order = graphene.Field(Order, id=graphene.ID(required=True), description="An own order; for staff, any.")
    my_orders = graphene.Field(
        OrderConnection,
        required=True,
        description="The newest first.",
        first=graphene.Int(default_value=20, required=True),
        after=graphene.String(),
    )

    @allow(authenticated)
    def resolve_order(root: Any, info: Info, id: str) -> public.Order:
        return public.get_order(info.context.actor, ids.parse(id))

    @allow(authenticated)
    def resolve_my_orders(root: Any, info: Info, first: int, after: str | None = None) -> Connection:
        actor = info.context.actor
        page = public.list_orders(actor, first=first, after=after or "")
        return Connection(page, has_previous_page=bool(after), count=lambda: public.count_orders(actor))


class OrderLineInput(EntityInput):
    class Meta:
        entity = public.Line
        descriptions = {"quantity": "1 to 10,000."}


class PlaceOrder(graphene.Mutation):
    """The same key and lines again give the same order, for a day. The answer may be pending: ask for it again.

    A customer may have 50 orders and 10,000 pieces pending or placed within a day.
    """

    class Arguments:
        key = graphene.String(
            required=True, description="Made up by the client, once for each order it means to place."
        )
        lines = graphene.List(graphene.NonNull(OrderLineInput), required=True, description="1 to 100.")
        expected_total = Decimal(
            description="What the customer was shown. If the lines cost something else, the order is rejected, and"
            " its total is what they would cost now."
        )
        currency = graphene.String(description="Of the expected total; ISO 4217.")

    order = graphene.Field(Order, required=True)

    @allow(authenticated)
    @cost(50)
    def mutate(root: Any, info: Info, key: str, lines: list[public.Line], **expected: Any) -> dict[str, Any]:
        return {"order": public.place_order(info.context.actor, lines, key, **expected)}


class CancelOrder(graphene.Mutation):
    class Arguments:
        id = graphene.ID(required=True)
        reason = graphene.String(required=True, description="1 to 500 characters.")

    order = graphene.Field(Order, required=True)

    @allow(authenticated)
    @cost(10)
    def mutate(root: Any, info: Info, id: str, reason: str) -> dict[str, Any]:
        return {"order": public.cancel_order(info.context.actor, ids.parse(id), reason)}


class Mutation(graphene.ObjectType):
    place_order = PlaceOrder.Field()
    cancel_order = CancelOrder.Field()
