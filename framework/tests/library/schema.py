from typing import Any

import graphene
from django.contrib.auth import logout
from django.middleware.csrf import get_token

from framework import ids
from framework.actor import allow, anyone, authenticated
from framework.graphql.types import Info, cost
from framework.tests.library import repository, services
from framework.tests.library.entities import Book as BookEntity
from framework.tests.library.entities import User as UserEntity


class User(graphene.ObjectType):
    id = graphene.ID(required=True)
    email = graphene.String(required=True)


class Book(graphene.ObjectType):
    id = graphene.ID(required=True)
    title = graphene.String(required=True)
    copies = graphene.Int(required=True)


class Query(graphene.ObjectType):
    csrf_token = graphene.String(required=True)
    me = graphene.Field(User)
    book = graphene.Field(Book, id=graphene.ID(required=True))

    @allow(anyone)
    def resolve_csrf_token(root: Any, info: Info) -> str:
        return get_token(info.context.request)

    @allow(anyone)
    def resolve_me(root: Any, info: Info) -> UserEntity | None:
        user_id = info.context.actor.user_id
        return None if user_id is None else repository.get_user(user_id)

    @allow(anyone)
    def resolve_book(root: Any, info: Info, id: str) -> BookEntity:
        return repository.get_book(ids.parse(id))


class AddBook(graphene.Mutation):
    class Arguments:
        title = graphene.String(required=True)

    book = graphene.Field(Book, required=True)

    @allow(authenticated)
    @cost(50)
    def mutate(root: Any, info: Info, title: str) -> dict[str, Any]:
        return {"book": services.add_book(info.context.actor, title)}


class Logout(graphene.Mutation):
    ok = graphene.Boolean(required=True)

    @allow(anyone)
    def mutate(root: Any, info: Info) -> dict[str, Any]:
        logout(info.context.request)
        return {"ok": True}


class Mutation(graphene.ObjectType):
    add_book = AddBook.Field()
    logout = Logout.Field()
