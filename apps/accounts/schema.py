"""The door for the single-page app: who am I, and Django's session."""

from typing import Any

import graphene
from django.contrib import auth
from django.middleware.csrf import get_token

from apps.accounts import repository, services
from apps.accounts.entities import User as UserEntity
from framework.actor import allow, anyone, authenticated
from framework.errors import InvalidArgument, ResourceExhausted
from framework.graphql.cost import cost
from framework.graphql.types import Info

MAX_ADDRESS = 254  # characters


class User(graphene.ObjectType):
    id = graphene.ID(required=True)
    email = graphene.String(required=True)
    is_staff = graphene.Boolean(required=True)


class Query(graphene.ObjectType):
    me = graphene.Field(User, description="The user who is logged in; null for nobody.")
    csrf_token = graphene.String(required=True, description="Send it back as the header X-CSRFToken.")

    @allow(anyone)
    def resolve_me(root: Any, info: Info) -> UserEntity | None:
        user_id = info.context.actor.user_id
        return None if user_id is None else repository.get_user(user_id)

    @allow(anyone)
    def resolve_csrf_token(root: Any, info: Info) -> str:
        return get_token(info.context.request)


class Login(graphene.Mutation):
    """Starts a session. Answers a wrong address and a wrong password alike."""

    class Arguments:
        email = graphene.String(required=True)
        password = graphene.String(required=True)

    user = graphene.Field(User, required=True)
    csrf_token = graphene.String(required=True, description="Takes the place of the one before.")

    @allow(anyone)
    @cost(50)
    def mutate(root: Any, info: Info, email: str, password: str) -> dict[str, Any]:
        request = info.context.request
        can_exist = len(email) <= MAX_ADDRESS and "\0" not in email
        user = auth.authenticate(request, username=email.lower(), password=password) if can_exist else None
        if getattr(request, "axes_locked_out", False):
            request.axes_locked_out = False  # type: ignore[attr-defined]  # else its middleware puts a page in the place of this answer
            raise ResourceExhausted("Too many wrong passwords: try again in a quarter of an hour.", reason="LOCKED_OUT")
        if user is None:
            raise InvalidArgument("The address or the password is wrong.", reason="BAD_CREDENTIALS")
        if auth.SESSION_KEY in request.session:
            request.session.cycle_key()  # Django keeps the id when the same user logs in again
        auth.login(request, user)
        return {"user": repository.get_user(user.pk), "csrf_token": get_token(request)}


class Logout(graphene.Mutation):
    ok = graphene.Boolean(required=True)

    @allow(anyone)
    def mutate(root: Any, info: Info) -> dict[str, Any]:
        auth.logout(info.context.request)
        return {"ok": True}


class Register(graphene.Mutation):
    """Makes an account; log in afterwards."""

    class Arguments:
        email = graphene.String(required=True)
        password = graphene.String(required=True)

    user = graphene.Field(User, required=True)

    @allow(anyone)
    @cost(50)
    def mutate(root: Any, info: Info, email: str, password: str) -> dict[str, Any]:
        return {"user": services.register(email, password)}


class ChangePassword(graphene.Mutation):
    """Ends the user's other sessions; this one goes on."""

    class Arguments:
        old_password = graphene.String(required=True)
        new_password = graphene.String(required=True)

    user = graphene.Field(User, required=True)

    @allow(authenticated)
    @cost(50)
    def mutate(root: Any, info: Info, old_password: str, new_password: str) -> dict[str, Any]:
        user = services.change_password(info.context.actor, old_password, new_password)
        request = info.context.request
        request.user.refresh_from_db()  # type: ignore[union-attr]
        auth.update_session_auth_hash(request, request.user)  # type: ignore[arg-type]
        return {"user": user}


class Mutation(graphene.ObjectType):
    login = Login.Field()
    logout = Logout.Field()
    register = Register.Field()
    change_password = ChangePassword.Field()
