"""No query of a repository, and no list of the admin, reads or sorts a whole table: their plans say so."""

import inspect
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.db import connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts import models as accounts
from apps.accounts import repository as users
from apps.accounts.tests.factories import StaffFactory
from apps.catalog import models as catalog
from apps.catalog import repository as products
from apps.catalog.entities import Line, ProductChanges, ProductDraft, ProductOrder, ReservationStatus
from apps.orders import models as order_models
from apps.orders import repository as orders
from apps.orders.entities import OrderStatus
from framework.actor import Actor
from framework.queue import models as queue_models
from framework.queue import outbox, state, table

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]

ROWS = 20_000  # of each table that grows
FEW = 1000  # rows that a query may scan or sort
NOW = timezone.now()

# Queries that may read or sort more, and why.
ALLOWED = {
    "catalog.low_stock": "Once a day. An index that knows the stock would be written by each sale.",
    "accounts.forget_unverified": "Once an hour.",
}


def fill() -> None:
    """Rows of which a page, a key or an id picks a few, as in a system that has run for long."""
    ago = [NOW - timedelta(minutes=number) for number in range(ROWS)]
    numbers = range(ROWS)
    _make(accounts.User, ({"email": f"u{n}@example.com", "last_login": ago[n]} for n in numbers))
    _make(
        catalog.Product,
        ({"sku": f"S{n}", "name": f"Oak {n}", "price": n, "stock": n % 100} | _at(ago[n]) for n in numbers),
    )
    statuses = [ReservationStatus.HELD, *[ReservationStatus.COMMITTED] * 99]
    _make(
        catalog.Reservation,
        ({"key": f"r{n}", "status": statuses[n % 100], "expires_at": ago[n], "created_at": ago[n]} for n in numbers),
    )
