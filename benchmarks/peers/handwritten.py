"""The bar: Django views written by hand for exactly one answer each, `.values()` to orjson."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from apps.catalog.models import Product
from benchmarks.shop.models import Line, Note, Order

Row = dict[str, Any]

SINGLE = ("id", "sku", "name", "price", "currency", "stock")
LIST = ("id", "sku", "name", "price", "currency", "stock", "is_active", "created_at")
LINE = (
    "id",
    "order_id",
    "quantity",
    "item_id",
    "item__sku",
    "item__name",
    "item__price",
    "item__owner_id",
    "item__owner__name",
)


def answered(view: Callable[[Any], Any]) -> Callable[[HttpRequest], HttpResponse]:
    @csrf_exempt
    def respond(request: HttpRequest) -> HttpResponse:
        body = orjson.dumps({"data": view(orjson.loads(request.body))}, default=str)
        return HttpResponse(body, content_type="application/json")

    return respond


def single(asked: Any) -> Any:
    row = Product.objects.values(*SINGLE).get(pk=int(asked["id"]))
    row["id"] = str(row["id"])
    return {"product": row}


def product_list(asked: Any) -> Any:
    rows = Product.objects.filter(is_active=True).order_by("name", "id").values(*LIST)[: asked["first"]]
    return {"products": {"edges": [{"node": product(row)} for row in rows]}}


def product(row: Row) -> Row:
    row["id"] = str(row["id"])
    row["isActive"] = row.pop("is_active")
    row["createdAt"] = row.pop("created_at")
    return row


def nested(asked: Any) -> Any:
    orders = list(Order.objects.order_by("-placed_at", "-id").values("id", "number", "placed_at")[: asked["first"]])
    lines = defaultdict[int, list[Row]](list)
    for row in Line.objects.filter(order_id__in=[order["id"] for order in orders]).order_by("id").values(*LINE):
        lines[row["order_id"]].append(line(row))
    return {
        "recentOrders": [
            {
                "id": str(order["id"]),
                "number": order["number"],
                "placedAt": order["placed_at"],
                "lines": lines[order["id"]],
            }
            for order in orders
        ]
    }


def line(row: Row) -> Row:
    return {
        "id": str(row["id"]),
        "quantity": row["quantity"],
        "item": {
            "id": str(row["item_id"]),
            "sku": row["item__sku"],
            "name": row["item__name"],
            "price": row["item__price"],
            "owner": {"id": str(row["item__owner_id"]), "name": row["item__owner__name"]},
        },
    }


def mutation(asked: Any) -> Any:
    note = Note.objects.create(title=asked["title"], text=asked["text"], at=timezone.now())
    return {"addNote": {"note": {"id": str(note.pk), "title": note.title, "text": note.text, "at": note.at}}}


urlpatterns = [
    path("single", answered(single)),
    path("list", answered(product_list)),
    path("nested", answered(nested)),
    path("mutation", answered(mutation)),
]
