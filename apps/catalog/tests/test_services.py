from decimal import Decimal

import pytest

from apps.catalog import models, repository, services
from apps.catalog.entities import ProductChanges, ProductDraft
from apps.catalog.tests.factories import ProductFactory
from framework.actor import NOBODY, SYSTEM, Actor
from framework.errors import PermissionDenied, Unauthenticated

pytestmark = pytest.mark.django_db

CUSTOMER = Actor(user_id=7)
RIGHTS = frozenset({"catalog.add_product", "catalog.change_product"})
STAFF = Actor(user_id=8, is_staff=True, permissions=RIGHTS)
SERVICE_FOR_CUSTOMER = Actor(user_id=7, service="shop")
SERVICE_FOR_VISITOR = Actor(service="shop", for_visitor=True)
DRAFT = ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"))


@pytest.mark.parametrize(
    ("actor", "error"),
    [
        (NOBODY, Unauthenticated),
        (CUSTOMER, PermissionDenied),
        (SERVICE_FOR_CUSTOMER, PermissionDenied),
        (SERVICE_FOR_VISITOR, Unauthenticated),
        (STAFF._replace(permissions=frozenset()), PermissionDenied),
    ],
)
def test_who_lacks_the_permissions_changes_nothing(actor, error):
    product = repository.get_product(ProductFactory().id)

    with pytest.raises(error):
        services.create_product(actor, DRAFT)
    with pytest.raises(error):
        services.update_product(actor, product.id, 1, ProductChanges(stock=0))
    with pytest.raises(error):
        services.archive_product(actor, product.id, 1)

    assert repository.list_products().items == [product]


@pytest.mark.parametrize("actor", [STAFF, SYSTEM, STAFF._replace(service="shop")])
def test_staff_and_services_of_their_own_change_products(actor):
    product = services.create_product(actor, DRAFT)
    changed = services.update_product(actor, product.id, 1, ProductChanges(stock=5))
    archived = services.archive_product(actor, product.id, 2)

    assert (changed.stock, changed.version) == (5, 2)
    assert (archived.is_active, archived.version) == (False, 3)
    assert repository.get_product(product.id) == archived


def test_an_archived_product_can_be_sold_again():
    product = repository.get_product(ProductFactory(is_active=False).id)

    services.update_product(STAFF, product.id, 1, ProductChanges(is_active=True))

    assert models.Product.objects.get().is_active
