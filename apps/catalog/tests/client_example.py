"""What a team may write that has the client package and a token. The server is live, its database is empty."""

import os
import pickle
import sys
from decimal import Decimal

from backend_client import SYSTEM, Actor, acting_as, catalog, context, errors, from_env


def refusal(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except errors.DomainError as error:
        return error
    sys.exit("was not refused")


from_env()
draft = catalog.ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), stock=3)
chair = catalog.create_product(SYSTEM, draft)
assert catalog.get_product(chair.id) == chair
assert chair.price == Decimal("19.90"), chair
assert catalog.list_products(search="oak").items == [chair]
assert pickle.loads(pickle.dumps(chair)) == chair

taken = refusal(catalog.create_product, SYSTEM, draft)
assert isinstance(taken, errors.AlreadyExists), taken
assert taken.reason == "SKU_TAKEN", taken
assert taken.fields == {"sku": "is taken"}, taken.fields
assert refusal(catalog.get_product, 1).reason == "PRODUCT_NOT_FOUND"

held = catalog.reserve("key", [catalog.Line(chair.id, 2)])
assert held == catalog.reserve("key", [catalog.Line(chair.id, 2)])
assert refusal(catalog.reserve, "other", [catalog.Line(chair.id, 2)]).reason == "OUT_OF_STOCK"
assert catalog.release("key").status is catalog.ReservationStatus.RELEASED

assert isinstance(refusal(catalog.create_product, Actor(user_id=7), draft), errors.PermissionDenied)
assert isinstance(refusal(catalog.create_product, Actor(), draft), errors.Unauthenticated)
with acting_as(Actor(user_id=7)):
    assert catalog.get_product(chair.id).stock == 3

context.begin("client", request_id="a-request", seconds=-1)
assert isinstance(refusal(catalog.get_product, chair.id), errors.DeadlineExceeded)
context.begin("client", request_id="a-request", seconds=5)

if (child := os.fork()) == 0:
    os._exit(0 if catalog.get_product(chair.id).stock == 3 else 1)
assert os.waitpid(child, 0)[1] == 0, "a forked process cannot call"

assert "django" not in sys.modules
assert "apps" not in sys.modules
