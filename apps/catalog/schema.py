"""The catalog's door for the single-page app."""

from typing import Any

import graphene

from apps.catalog import public as catalog
from framework import ids
from framework.actor import allow, anyone, staff
from framework.graphql.cost import cost
from framework.graphql.types import Connection, DateTime, Decimal, Info, connection_type

ProductOrder = graphene.Enum.from_enum(catalog.ProductOrder)


class Product(graphene.ObjectType):
    id = graphene.ID(required=True)
    sku = graphene.String(required=True)
    name = graphene.String(required=True)
    description = graphene.String(required=True)
    price = Decimal(required=True, description="In units of the currency, as text: exact.")
    currency = graphene.String(required=True, description="ISO 4217.")
    stock = graphene.Int(required=True)
    is_active = graphene.Boolean(required=True, description="False once archived: readable, not sold.")
    version = graphene.Int(required=True, description="Send it back with an update.")
    created_at = DateTime(required=True)
    updated_at = DateTime(required=True)


ProductConnection = connection_type(Product)


class Query(graphene.ObjectType):
    product = graphene.Field(Product, id=graphene.ID(required=True))
    products = graphene.Field(
        ProductConnection,
        required=True,
        description="What is sold.",
        first=graphene.Int(default_value=20, required=True),
        after=graphene.String(default_value="", required=True),
        search=graphene.String(
            default_value="",
            required=True,
            description="Part of a name or SKU, in any case; one or two letters find words that begin so. Costs 2,500.",
        ),
        order_by=ProductOrder(default_value=catalog.ProductOrder.NAME, required=True),
    )

    @allow(anyone)
    def resolve_product(root: Any, info: Info, id: str) -> catalog.Product:
        return catalog.get_product(ids.parse(id))

    @allow(anyone)
    @cost(search=2_500)
    def resolve_products(
        root: Any, info: Info, first: int, after: str, search: str, order_by: catalog.ProductOrder
    ) -> Connection:
        page = catalog.list_products(first=first, after=after, search=search, order_by=order_by)
        return Connection(page, has_previous_page=bool(after), count=lambda: catalog.count_products(search=search))


class CreateProductInput(graphene.InputObjectType):
    sku = graphene.String(required=True)
    name = graphene.String(required=True)
    description = graphene.String(default_value="", required=True)
    price = Decimal(required=True)
    currency = graphene.String(default_value="EUR", required=True)
    stock = graphene.Int(default_value=0, required=True)


class UpdateProductInput(graphene.InputObjectType):
    """What is left out stays as it is."""

    sku = graphene.String()
    name = graphene.String()
    description = graphene.String()
    price = Decimal()
    currency = graphene.String()
    stock = graphene.Int()
    is_active = graphene.Boolean()


class CreateProduct(graphene.Mutation):
    class Arguments:
        input = CreateProductInput(required=True)

    product = graphene.Field(Product, required=True)

    @allow(staff)
    def mutate(root: Any, info: Info, input: dict[str, Any]) -> dict[str, Any]:
        return {"product": catalog.create_product(info.context.actor, catalog.ProductDraft(**input))}


class UpdateProduct(graphene.Mutation):
    class Arguments:
        id = graphene.ID(required=True)
        version = graphene.Int(required=True, description="The version that was read; a stale one is refused.")
        input = UpdateProductInput(required=True)

    product = graphene.Field(Product, required=True)

    @allow(staff)
    def mutate(root: Any, info: Info, id: str, version: int, input: dict[str, Any]) -> dict[str, Any]:
        changes = catalog.ProductChanges(**input)
        return {"product": catalog.update_product(info.context.actor, ids.parse(id), version, changes)}


class ArchiveProduct(graphene.Mutation):
    class Arguments:
        id = graphene.ID(required=True)
        version = graphene.Int(required=True)

    product = graphene.Field(Product, required=True)

    @allow(staff)
    def mutate(root: Any, info: Info, id: str, version: int) -> dict[str, Any]:
        return {"product": catalog.archive_product(info.context.actor, ids.parse(id), version)}


class Mutation(graphene.ObjectType):
    create_product = CreateProduct.Field()
    update_product = UpdateProduct.Field()
    archive_product = ArchiveProduct.Field()
