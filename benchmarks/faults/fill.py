"""Prepare a database: `python -m benchmarks.faults.fill FUNCTION NUMBER ...`; prints what it made as JSON."""

import json
import sys
import time

import django


def customer() -> dict[str, str]:
    """A customer, and the cookies of somebody who is logged in."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.middleware.csrf import _get_new_csrf_string

    from apps.accounts.models import User

    user = User(email="customer@example.com")
    user.set_unusable_password()
    user.save()
    session, token = SessionStore(), _get_new_csrf_string()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    cookie = f"{settings.SESSION_COOKIE_NAME}={session.session_key}; {settings.CSRF_COOKIE_NAME}={token}"
    return {"cookie": cookie, "token": token, "id": str(user.pk)}


def products(count: int, stock: int) -> list[int]:
    from decimal import Decimal

    from apps.catalog import repository
    from apps.catalog.entities import ProductDraft

    drafts = (ProductDraft(f"F-{number}", f"Thing {number}", Decimal("9.90"), stock=stock) for number in range(count))
    return [repository.create_product(draft).id for draft in drafts]


def work(count: int, milliseconds: int, over: int) -> float:
    """Enqueue so many tasks that take so long, due one after the other over so many seconds; the seconds it took."""
    from benchmarks.faults.probe import tasks

    started = time.perf_counter()
    for number in range(count):
        tasks.work.apply_async((number, milliseconds / 1000), countdown=over * number / count)
    return time.perf_counter() - started


def poison(count: int) -> None:
    from benchmarks.faults.probe import tasks

    for number in range(count):
        tasks.die.delay(-1 - number)


def ticks(milliseconds: int) -> None:
    """A schedule that is due so often."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    every = IntervalSchedule.objects.create(every=milliseconds * 1000, period=IntervalSchedule.MICROSECONDS)
    PeriodicTask.objects.create(name="tick", task="faults.tick", interval=every)


if __name__ == "__main__":
    django.setup()
    name, *words = sys.argv[1:]
    print(json.dumps(globals()[name](*map(int, words))))
