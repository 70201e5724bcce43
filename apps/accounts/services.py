"""Deleting and exporting an account: asked for here, carried out by the queue in every domain that has the hooks.

The hooks are `erase_user` and `export_user` of a domain's `public.py`. A domain that runs elsewhere is called.
"""

import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from apps.accounts import repository, tasks
from apps.accounts.entities import DataRequest, DataRequestKind
from framework import discovery, mail
from framework.actor import SYSTEM, Actor, authenticated, require
from framework.audit import trail
from framework.errors import FailedPrecondition, NotFound


def delete_account(actor: Actor) -> DataRequest:
    """Disable the actor's account at once, and have it erased everywhere.

    Raises Unauthenticated, and FailedPrecondition for staff, whose name stands in what they have done.
    """
    user_id = _user(actor)
    if actor.is_staff:
        raise FailedPrecondition("A staff account is deleted by other staff, in the admin.", reason="STAFF_ACCOUNT")
    with transaction.atomic(durable=True):
        request, new = repository.add_request(user_id, DataRequestKind.ERASE)
        repository.disable(user_id)
        if new:
            trail.record(actor, "accounts.delete_account", trail.of("accounts.user", user_id))
            tasks.erase.delay(request.id)
    return request


def export_account(actor: Actor) -> DataRequest:
    """Have everything collected that is kept about the actor. Raises Unauthenticated."""
    user_id = _user(actor)
    with transaction.atomic(durable=True):
        request, new = repository.add_request(user_id, DataRequestKind.EXPORT)
        if new:
            trail.record(actor, "accounts.export_account", trail.of("accounts.user", user_id))
            tasks.export.delay(request.id)
    return request


def get_request(actor: Actor, request_id: int) -> DataRequest:
    """An own request. Raises Unauthenticated, NotFound (also for others' requests)."""
    user_id, request = _user(actor), repository.get_request(request_id)
    if request.user_id != user_id:
        raise NotFound(f"There is no request {request_id}.", reason="REQUEST_NOT_FOUND")
    return request


def erase(request_id: int) -> None:
    """Erase the account in every domain, and here last. Doing it again changes nothing.

    Raises what a domain raises that cannot erase it yet; the queue tries again.
    """
    request = repository.get_request(request_id)
    if request.finished_at:
        return
    for _, public in _domains("erase_user"):
        public.erase_user(request.user_id)
    with transaction.atomic(durable=True):
        _tell(request, "accounts/mail/erased")
        repository.erase_user(request.user_id)
        trail.record(SYSTEM, "accounts.erase_user", trail.of("accounts.user", request.user_id))
        repository.finish_request(request_id)


def export(request_id: int) -> None:
    """Collect what every domain keeps about the user into one document."""
    request = repository.get_request(request_id)
    if request.finished_at or request.user_id not in repository.get_users([request.user_id]):
        return
    found: dict[str, Any] = {"accounts": repository.profile(request.user_id)}
    for name, public in _domains("export_user"):
        found[name] = json.loads(public.export_user(request.user_id))
    with transaction.atomic(durable=True):
        repository.finish_request(request_id, json.dumps(found, cls=DjangoJSONEncoder, indent=2))
        _tell(request, "accounts/mail/exported")


def _tell(request: DataRequest, template: str) -> None:
    for user in repository.get_users([request.user_id]).values():
        tasks.send_mail.delay(*mail.render(template, {"receipt": request.id}), [user.email])


def _domains(hook: str) -> Iterator[tuple[str, Any]]:
    """The domains that have the hook, wherever they run, with their public functions."""
    for public in discovery.modules("public", remote=True):
        if hasattr(public, hook):
            yield public.__name__.split(".")[-2], public


def _user(actor: Actor) -> int:
    require(actor, authenticated)
    assert actor.user_id is not None
    return actor.user_id
