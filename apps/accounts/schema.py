"""Accounts for the single-page app: who is logged in. Logging in and the like are HTTP: urls.py."""

from typing import Any

import graphene
from django.middleware.csrf import get_token

from apps.accounts import entities, repository
from framework.actor import allow, anyone
from framework.graphql.entity import EntityType
from framework.graphql.types import Info


class User(EntityType):
    class Meta:
        entity = entities.User


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

    @allow(anyone)
    def resolve_csrf_token(root: Any, info: Info) -> str:
        return get_token(info.context.request)
