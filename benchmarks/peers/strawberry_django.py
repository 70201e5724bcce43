"""strawberry-django at its best: the query optimizer, both caches of documents, orjson."""

import datetime
from decimal import Decimal

import orjson
import strawberry
import strawberry_django
from django.db.models import QuerySet
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from strawberry.django.views import GraphQLView
from strawberry.extensions import ParserCache, ValidationCache
from strawberry_django.optimizer import DjangoOptimizerExtension

from apps.catalog import models as catalog
from benchmarks.shop import models as shop


@strawberry_django.type(catalog.Product)
class Product:
    id: strawberry.ID
    sku: str
    name: str
    price: Decimal
    currency: str
    stock: int
    is_active: bool
    created_at: datetime.datetime


@strawberry_django.type(shop.Owner)
class Owner:
    id: strawberry.ID
    name: str


@strawberry_django.type(shop.Item)
class Item:
    id: strawberry.ID
    sku: str
    name: str
    price: Decimal
    owner: Owner


@strawberry_django.type(shop.Line)
class Line:
    id: strawberry.ID
    quantity: int
    item: Item


@strawberry_django.type(shop.Order)
class Order:
    id: strawberry.ID
    number: str
    placed_at: datetime.datetime
    lines: list[Line]


@strawberry_django.type(shop.Note)
class Note:
    id: strawberry.ID
    title: str
    text: str
    at: datetime.datetime


@strawberry.type
class NoteAdded:
    note: Note


@strawberry.type
class Query:
    @strawberry_django.field
    def product(self, id: strawberry.ID) -> Product | None:  # noqa: A002
        return catalog.Product.objects.filter(pk=id)  # type: ignore[return-value]

    @strawberry_django.field
    def products(self, first: int) -> list[Product]:
        rows: QuerySet[catalog.Product] = catalog.Product.objects.filter(is_active=True).order_by("name", "id")
        return rows[:first]  # type: ignore[return-value]

    @strawberry_django.field
    def recent_orders(self, first: int) -> list[Order]:
        return shop.Order.objects.order_by("-placed_at", "-id")[:first]  # type: ignore[return-value]


@strawberry.type
class Mutation:
    @strawberry.mutation
    def add_note(self, title: str, text: str) -> NoteAdded:
        note = shop.Note.objects.create(title=title, text=text, at=timezone.now())
        return NoteAdded(note=note)  # type: ignore[arg-type]


class View(GraphQLView):
    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data)


schema = strawberry.Schema(
    Query,
    Mutation,
    extensions=[DjangoOptimizerExtension, ParserCache(maxsize=1000), ValidationCache(maxsize=1000)],
)
urlpatterns = [path("graphql", csrf_exempt(View.as_view(schema=schema)))]
