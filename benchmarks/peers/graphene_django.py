"""graphene-django as its documentation writes it, with lists that are plain; BENCH_PREFETCH=1 adds the prefetch."""

import os
from typing import Any

import graphene
from django.db.models import Prefetch, QuerySet
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from graphene_django import DjangoObjectType
from graphene_django.views import GraphQLView

from apps.catalog import models as catalog
from benchmarks.shop import models as shop

PREFETCH = os.environ.get("BENCH_PREFETCH") == "1"


class Product(DjangoObjectType):
    class Meta:
        model = catalog.Product
        fields = ("id", "sku", "name", "price", "currency", "stock", "is_active", "created_at")


class Owner(DjangoObjectType):
    class Meta:
        model = shop.Owner
        fields = ("id", "name")


class Item(DjangoObjectType):
    class Meta:
        model = shop.Item
        fields = ("id", "sku", "name", "price", "owner")


class Line(DjangoObjectType):
    class Meta:
        model = shop.Line
        fields = ("id", "quantity", "item")


class Order(DjangoObjectType):
    class Meta:
        model = shop.Order
        fields = ("id", "number", "placed_at", "lines")


class Note(DjangoObjectType):
    class Meta:
        model = shop.Note
        fields = ("id", "title", "text", "at")


class Query(graphene.ObjectType):
    product = graphene.Field(Product, id=graphene.ID(required=True))
    products = graphene.List(graphene.NonNull(Product), required=True, first=graphene.Int(required=True))
    recent_orders = graphene.List(graphene.NonNull(Order), required=True, first=graphene.Int(required=True))

    def resolve_product(root: Any, info: Any, id: str) -> catalog.Product:  # noqa: A002, N805
        return catalog.Product.objects.get(pk=id)

    def resolve_products(root: Any, info: Any, first: int) -> QuerySet[catalog.Product]:  # noqa: N805
        return catalog.Product.objects.filter(is_active=True).order_by("name", "id")[:first]

    def resolve_recent_orders(root: Any, info: Any, first: int) -> QuerySet[shop.Order]:  # noqa: N805
        orders = shop.Order.objects.order_by("-placed_at", "-id")
        if PREFETCH:
            lines = shop.Line.objects.select_related("item__owner").order_by("id")
            orders = orders.prefetch_related(Prefetch("lines", lines))
        return orders[:first]


class AddNote(graphene.Mutation):
    class Arguments:
        title = graphene.String(required=True)
        text = graphene.String(required=True)

    note = graphene.Field(Note, required=True)

    def mutate(root: Any, info: Any, title: str, text: str) -> "AddNote":  # noqa: N805
        return AddNote(note=shop.Note.objects.create(title=title, text=text, at=timezone.now()))


class Mutation(graphene.ObjectType):
    add_note = AddNote.Field()


schema = graphene.Schema(query=Query, mutation=Mutation)
urlpatterns = [path("graphql", csrf_exempt(GraphQLView.as_view(schema=schema)))]
