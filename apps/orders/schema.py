"""The door of orders for the single-page app."""

from collections.abc import Sequence
from typing import Any

import graphene

from apps.catalog import public as catalog
from apps.orders import public as orders
from framework import ids
from framework.actor import allow, authenticated
from framework.graphql.cost import cost
from framework.graphql.loaders import Deferred
from framework.graphql.types import Connection, DateTime, Decimal, Info, connection_type

OrderStatus = graphene.Enum.from_enum(orders.OrderStatus)


class OrderLine(graphene.ObjectType):
    product_id = graphene.ID(required=True)
    product = graphene.Field(
        "apps.catalog.schema.Product", description="As it is now; null once the catalog has it no more."
    )
    name = graphene.String(required=True, description="As it was when it was ordered; empty while pending.")
    unit_price = Decimal(required=True, description="As it was when it was ordered; 0 while pending.")
    quantity = graphene.Int(required=True)

    def resolve_product(root: Any, info: Info) -> Deferred[catalog.Product | None]:
        return info.context.loaders.load(catalog.get_products, root.product_id)


class Order(graphene.ObjectType):
    id = graphene.ID(required=True)
    status = OrderStatus(required=True)
    total = Decimal(required=True, description="0 while pending; if its price was not the expected one, the new one.")
    currency = graphene.String(required=True, description="ISO 4217; empty while pending.")
    reason = graphene.String(required=True, description="Why it was rejected or cancelled.")
    created_at = DateTime(required=True)
    updated_at = DateTime(required=True)
    lines = graphene.List(graphene.NonNull(OrderLine), required=True, description="100 at most.")

    def resolve_lines(root: Any, info: Info) -> Deferred[Sequence[orders.OrderLine] | None]:
        return info.context.loaders.load(orders.get_lines, root.id)


OrderConnection = connection_type(Order)


class Query(graphene.ObjectType):
    order = graphene.Field(Order, id=graphene.ID(required=True), description="An own order; for staff, any.")
    my_orders = graphene.Field(
        OrderConnection,
        required=True,
        description="The newest first.",
        first=graphene.Int(default_value=20, required=True),
        after=graphene.String(default_value="", required=True),
    )

    @allow(authenticated)
    def resolve_order(root: Any, info: Info, id: str) -> orders.Order:
        return orders.get_order(info.context.actor, ids.parse(id))

    @allow(authenticated)
    def resolve_my_orders(root: Any, info: Info, first: int, after: str) -> Connection:
        actor = info.context.actor
        page = orders.list_orders(actor, first=first, after=after)
        return Connection(page, has_previous_page=bool(after), count=lambda: orders.count_orders(actor))


class OrderLineInput(graphene.InputObjectType):
    product_id = graphene.ID(required=True)
    quantity = graphene.Int(required=True, description="1 to 10,000.")


class PlaceOrder(graphene.Mutation):
    """The same key and lines again give the same order, for a day. The answer may be pending: ask for it again."""

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
    def mutate(root: Any, info: Info, key: str, lines: list[dict[str, Any]], **expected: Any) -> dict[str, Any]:
        wanted = [orders.Line(ids.parse(line["product_id"], field="productId"), line["quantity"]) for line in lines]
        return {"order": orders.place_order(info.context.actor, wanted, key, **expected)}


class CancelOrder(graphene.Mutation):
    class Arguments:
        id = graphene.ID(required=True)
        reason = graphene.String(required=True, description="1 to 500 characters.")

    order = graphene.Field(Order, required=True)

    @allow(authenticated)
    @cost(10)
    def mutate(root: Any, info: Info, id: str, reason: str) -> dict[str, Any]:
        return {"order": orders.cancel_order(info.context.actor, ids.parse(id), reason)}


class Mutation(graphene.ObjectType):
    place_order = PlaceOrder.Field()
    cancel_order = CancelOrder.Field()
