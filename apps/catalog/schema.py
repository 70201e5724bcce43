"""The catalog for the single-page app."""

from typing import Any

import graphene

from apps.catalog import public, rules
from framework import ids
from framework.actor import allow, anyone
from framework.graphql.cost import cost
from framework.graphql.entity import EntityInput, EntityType, enum_type
from framework.graphql.types import Connection, Info, connection_type

ProductOrder = enum_type(public.ProductOrder)


class Product(EntityType):
    class Meta:
        entity = public.Product
        descriptions = {
            "price": "In units of the currency, as text: exact.",
            "currency": "ISO 4217.",
            "is_active": "False once archived: readable, not sold.",
            "version": "Send it back with an update.",
        }


ProductConnection = connection_type(Product)


class Query(graphene.ObjectType):
    product = graphene.Field(Product, id=graphene.ID(required=True))
    products = graphene.Field(
        ProductConnection,
        required=True,
        description="What is sold.",
        first=graphene.Int(default_value=20, required=True),
        after=graphene.String(),
        search=graphene.String(
            default_value="",
            required=True,
            description="Part of a name or SKU, in any case; one or two letters find words that begin so. Costs 2,500.",
        ),
        order_by=ProductOrder(default_value=public.ProductOrder.NAME, required=True),
    )

    @allow(anyone)
    def resolve_product(root: Any, info: Info, id: str) -> public.Product:
        return public.get_product(ids.parse(id))

    @allow(anyone)
    @cost(search=2_500)
    def resolve_products(
        root: Any, info: Info, first: int, search: str, order_by: public.ProductOrder, after: str | None = None
    ) -> Connection:
        page = public.list_products(first=first, after=after or "", search=search, order_by=order_by)
        return Connection(page, has_previous_page=bool(after), count=lambda: public.count_products(search=search))


class CreateProductInput(EntityInput):
    class Meta:
        entity = public.ProductDraft


class UpdateProductInput(EntityInput):
    """What is left out stays as it is."""

    class Meta:
        entity = public.ProductChanges


class CreateProduct(graphene.Mutation):
    class Arguments:
        input = CreateProductInput(required=True)

    product = graphene.Field(Product, required=True)

    @allow(rules.ADD)
    def mutate(root: Any, info: Info, input: public.ProductDraft) -> dict[str, Any]:
        return {"product": public.create_product(info.context.actor, input)}


class UpdateProduct(graphene.Mutation):
    class Arguments:
        id = graphene.ID(required=True)
        version = graphene.Int(required=True, description="The version that was read; a stale one is refused.")
        input = UpdateProductInput(required=True)

    product = graphene.Field(Product, required=True)

    @allow(rules.CHANGE)
    def mutate(root: Any, info: Info, id: str, version: int, input: public.ProductChanges) -> dict[str, Any]:
        return {"product": public.update_product(info.context.actor, ids.parse(id), version, input)}


class ArchiveProduct(graphene.Mutation):
    class Arguments:
        id = graphene.ID(required=True)
        version = graphene.Int(required=True)

    product = graphene.Field(Product, required=True)

    @allow(rules.CHANGE)
    def mutate(root: Any, info: Info, id: str, version: int) -> dict[str, Any]:
        return {"product": public.archive_product(info.context.actor, ids.parse(id), version)}


class Mutation(graphene.ObjectType):
    create_product = CreateProduct.Field()
    update_product = UpdateProduct.Field()
    archive_product = ArchiveProduct.Field()
