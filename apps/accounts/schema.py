"""Accounts for the single-page app: who is logged in. Logging in and the like are HTTP: urls.py."""

import time
from typing import Any

import graphene
from django.conf import settings
from django.middleware.csrf import get_token

from apps.accounts import entities, repository, services
from framework import ids
from framework.actor import allow, anyone, authenticated
from framework.errors import FailedPrecondition
from framework.graphql.cost import cost
from framework.graphql.entity import EntityType
from framework.graphql.types import Info


class User(EntityType):
    class Meta:
        entity = entities.User


class DataRequest(EntityType):
    class Meta:
        entity = entities.DataRequest
        exclude = {"user_id": "the user is who asks"}
        descriptions = {
            "id": "The receipt.",
            "finished_at": "Null until every domain has done its part.",
            "document": "Of an export that is finished: JSON, for seven days.",
        }


class Query(graphene.ObjectType):
    me = graphene.Field(User, description="The user who is logged in; null for nobody.")
    csrf_token = graphene.String(required=True, description="Send it back as the header X-CSRFToken.")

    @allow(anyone)
    def resolve_me(root: Any, info: Info) -> entities.User | None:
        if info.context.actor.user_id is None:
            return None
        request = info.context.request
        repository.note_seen(request.session.session_key)
        return repository.entity_of(request.user)  # read already, to know who asks

    data_request = graphene.Field(
        DataRequest,
        required=True,
        id=graphene.ID(required=True),
        description="An own request for a copy of all data. Needs a log-in of the last five minutes.",
    )

    @allow(authenticated)
    def resolve_data_request(root: Any, info: Info, id: str) -> entities.DataRequest:
        _require_fresh_login(info)
        return services.get_request(info.context.actor, ids.parse(id))

    @allow(anyone)
    def resolve_csrf_token(root: Any, info: Info) -> str:
        return get_token(info.context.request)


class DeleteAccount(graphene.Mutation):
    """Ends all sessions at once; the queue deletes what every domain keeps. Needs a log-in of the last five minutes."""

    request = graphene.Field(DataRequest, required=True)

    @allow(authenticated)
    @cost(10)
    def mutate(root: Any, info: Info) -> dict[str, Any]:
        _require_fresh_login(info)
        return {"request": services.delete_account(info.context.actor)}


class ExportAccount(graphene.Mutation):
    """The queue collects what every domain keeps about the user. Needs a log-in of the last five minutes."""

    request = graphene.Field(DataRequest, required=True)

    @allow(authenticated)
    @cost(10)
    def mutate(root: Any, info: Info) -> dict[str, Any]:
        _require_fresh_login(info)
        return {"request": services.export_account(info.context.actor)}


class Mutation(graphene.ObjectType):
    delete_account = DeleteAccount.Field()
    export_account = ExportAccount.Field()


def _require_fresh_login(info: Info) -> None:
    """Raise FailedPrecondition unless the user has just proved who it is: a session may be left open, or stolen."""
    who, at = info.context.request.session.get("proven") or (None, 0)
    if who != info.context.actor.user_id or time.time() - at > settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
        raise FailedPrecondition("Log in again to do this.", reason="FRESH_LOGIN_NEEDED")
