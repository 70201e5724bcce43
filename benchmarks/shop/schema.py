"""The shop's door for the single-page app.

Two ways to one answer: `recentOrders` reads each line with its item and owner, in one query, as it may within a
domain; `loadedOrders` loads them level by level, as it must where they belong to other domains.
"""

from typing import Any

import graphene

from benchmarks.shop import entities, repository, services
from framework.actor import allow, anyone
from framework.graphql.loaders import Deferred
from framework.graphql.types import DateTime, Decimal, Info


class Owner(graphene.ObjectType):
    id = graphene.ID(required=True)
    name = graphene.String(required=True)


class Item(graphene.ObjectType):
    id = graphene.ID(required=True)
    sku = graphene.String(required=True)
    name = graphene.String(required=True)
    price = Decimal(required=True)
    owner = graphene.Field(Owner, required=True)


class Line(graphene.ObjectType):
    id = graphene.ID(required=True)
    quantity = graphene.Int(required=True)
    item = graphene.Field(Item, required=True)


class Order(graphene.ObjectType):
    id = graphene.ID(required=True)
    number = graphene.String(required=True)
    placed_at = DateTime(required=True)
    lines = graphene.List(graphene.NonNull(Line), required=True)

    def resolve_lines(root: entities.Order, info: Info) -> Deferred[Any]:
        return info.context.loaders.load(repository.full_lines, root.id)


class LoadedItem(Item):
    def resolve_owner(root: entities.Item, info: Info) -> Deferred[Any]:
        return info.context.loaders.load(repository.owners, root.owner_id)


class LoadedLine(Line):
    item = graphene.Field(LoadedItem, required=True)

    def resolve_item(root: entities.Line, info: Info) -> Deferred[Any]:
        return info.context.loaders.load(repository.items, root.item_id)


class LoadedOrder(Order):
    lines = graphene.List(graphene.NonNull(LoadedLine), required=True)

    def resolve_lines(root: entities.Order, info: Info) -> Deferred[Any]:
        return info.context.loaders.load(repository.lines, root.id)


class Query(graphene.ObjectType):
    recent_orders = graphene.List(graphene.NonNull(Order), required=True, first=graphene.Int(required=True))
    loaded_orders = graphene.List(graphene.NonNull(LoadedOrder), required=True, first=graphene.Int(required=True))

    @allow(anyone)
    def resolve_recent_orders(root: Any, info: Info, first: int) -> list[entities.Order]:
        return repository.recent_orders(first)

    @allow(anyone)
    def resolve_loaded_orders(root: Any, info: Info, first: int) -> list[entities.Order]:
        return repository.recent_orders(first)


class Note(graphene.ObjectType):
    id = graphene.ID(required=True)
    title = graphene.String(required=True)
    text = graphene.String(required=True)
    at = DateTime(required=True)


class AddNote(graphene.Mutation):
    class Arguments:
        title = graphene.String(required=True)
        text = graphene.String(required=True)

    note = graphene.Field(Note, required=True)

    @allow(anyone)
    def mutate(root: Any, info: Info, title: str, text: str) -> dict[str, Any]:
        return {"note": services.add_note(info.context.actor, title, text)}


class Mutation(graphene.ObjectType):
    add_note = AddNote.Field()
