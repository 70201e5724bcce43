"""The catalog answers the same, value for value and refusal for refusal, however it is reached."""

from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.utils import timezone

from apps.catalog import repository
from apps.catalog.entities import (
    Line,
    Product,
    ProductChanges,
    ProductDraft,
    ProductOrder,
    Reservation,
    ReservationStatus,
)
from apps.catalog.tests.factories import CREATED, ProductFactory
from framework import context
from framework.actor import NOBODY, SYSTEM, Actor
from framework.changes import given
from framework.errors import DomainError
from framework.pages import Page
from framework.testing.seam import CALLER, WAYS, via

pytestmark = pytest.mark.django_db

CUSTOMER = Actor(user_id=7)
RIGHTS = frozenset({"catalog.add_product", "catalog.change_product"})
STAFF = Actor(user_id=8, is_staff=True, permissions=RIGHTS)
DRAFT = ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), "Made of oak.", "EUR", 3)
CHOSEN = "Some values cannot be accepted."


@pytest.fixture(params=WAYS)
def catalog(request):
    with via("apps.catalog", request.param) as functions:
        functions.way = request.param
        yield functions


@pytest.fixture
def product():
    return repository.get_product(ProductFactory().id)


def refusal(function, *args, **kwargs):
    """All that a caller can tell of a refusal."""
    with pytest.raises(DomainError) as raised:
        function(*args, **kwargs)
    error = raised.value
    return type(error).__name__, error.code, error.reason, error.fields, error.message


def of(code, message, reason="", **fields):
    name = "".join(word.title() for word in code.split("_"))
    return name, code, reason or code, fields, message


def stock(product):
    return repository.get_product(product.id).stock


def test_a_product(catalog):
    row = ProductFactory(price=Decimal("9999999999.99"), name="Öl – 5 €", is_active=False)

    assert catalog.get_product(row.id) == Product(
        row.id,
        row.sku,
        "Öl – 5 €",
        "Made of oak.",
        Decimal("9999999999.99"),
        "EUR",
        10,
        False,
        1,
        CREATED,
        CREATED,
    )


def test_a_product_that_does_not_exist(catalog):
    missing = of("NOT_FOUND", "There is no product 5.", "PRODUCT_NOT_FOUND")

    assert refusal(catalog.get_product, 5) == missing
    assert refusal(catalog.update_product, STAFF, 5, 1, ProductChanges(stock=1)) == missing
    assert refusal(catalog.update_product, STAFF, 5, 1, ProductChanges(currency="USD")) == missing
    assert refusal(catalog.archive_product, STAFF, 5, 1) == missing


@pytest.mark.parametrize("number", [0, 3, 501])
def test_many_products(catalog, number):
    now = timezone.now()
    drafts = [ProductDraft(f"S-{n}", "N", Decimal(1)) for n in range(number)]
    repository.upsert_products(drafts)
    rows = {item.id: item for chunk in repository.iterate_products() for item in chunk}

    found = catalog.get_products([*rows, 5])

    assert found == rows
    assert len(found) == number
    assert all(item.created_at >= now for item in found.values())


def test_pages_of_products(catalog):
    numbers = count()
    rows = [ProductFactory(price=next(numbers) % 2, name=f"Oak {n % 3}") for n in range(5)]
    ProductFactory(name="Elm")
    found, after = [], ""
    while True:
        page = catalog.list_products(first=2, after=after, search="oak", order_by=ProductOrder.PRICE_DESC)
        assert isinstance(page, Page)
        found += page.items
        after = page.next_token
        if not after:
            break

    assert sorted(item.id for item in found) == [row.id for row in rows]
    assert [(-item.price, -item.id) for item in found] == sorted((-item.price, -item.id) for item in found)
    assert catalog.list_products().items == repository.list_products().items
    assert (catalog.count_products(), catalog.count_products(search="oak")) == (6, 5)


def test_a_page_that_cannot_be_asked_for(catalog):
    ProductFactory.create_batch(2)
    token = catalog.list_products(first=1).next_token
    foreign = of(
        "INVALID_ARGUMENT",
        "The page token is not of this list: use one from the page before, with the same search and order.",
        "BAD_PAGE_TOKEN",
        after="not a token of this list",
    )
    search = of("INVALID_ARGUMENT", "This cannot be searched for.", search="200 characters at most, none NUL")

    assert refusal(catalog.list_products, after="x") == foreign
    assert refusal(catalog.list_products, after=token, search="P") == foreign
    assert refusal(catalog.list_products, after=token, order_by=ProductOrder.PRICE) == foreign
    for size in (0, -1, 501):
        complaint = of("INVALID_ARGUMENT", f"A page has 1 to 500 rows, not {size}.", first="must be between 1 and 500")
        assert refusal(catalog.list_products, first=size) == complaint
    for text in ("\0", "x" * 201):
        assert refusal(catalog.list_products, search=text) == search
        assert refusal(catalog.count_products, search=text) == search


def test_a_product_is_created(catalog):
    product = catalog.create_product(STAFF, DRAFT)

    assert product == repository.get_product(product.id)
    assert product[1:9] == ("OAK-1", "Oak Chair", "Made of oak.", Decimal("19.90"), "EUR", 3, True, 1)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (
            {"stock": -1, "name": ""},
            {"stock": "Ensure this value is greater than or equal to 0.", "name": "This field cannot be blank."},
        ),
        ({"price": Decimal("0.001")}, {"price": "Ensure that there are no more than 2 decimal places."}),
        ({"price": Decimal(-1)}, {"price": "Ensure this value is greater than or equal to 0."}),
        ({"price": Decimal("10000000000.00")}, {"price": "Ensure that there are no more than 12 digits in total."}),
        ({"currency": "eur"}, {"currency": "Three capital letters, as in ISO 4217."}),
        ({"currency": ""}, {"currency": "This field cannot be blank."}),
        (
            {"currency": "eur", "price": Decimal(-1)},
            {
                "currency": "Three capital letters, as in ISO 4217.",
                "price": "Ensure this value is greater than or equal to 0.",
            },
        ),
        ({"sku": "a\0b"}, {"sku": "Null characters are not allowed."}),
    ],
)
def test_values_that_cannot_be(catalog, product, changes, fields):
    refused = of("INVALID_ARGUMENT", CHOSEN, **fields)

    assert refusal(catalog.create_product, STAFF, DRAFT._replace(**changes)) == refused
    assert refusal(catalog.update_product, STAFF, product.id, 1, ProductChanges(**changes)) == refused
    assert repository.list_products().items == [product]


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1E+30", "0.0000000001"])
def test_a_price_that_no_message_can_hold(catalog, product, price):
    draft, changes = DRAFT._replace(price=Decimal(price)), ProductChanges(price=Decimal(price))

    for refused in (
        refusal(catalog.create_product, STAFF, draft),
        refusal(catalog.update_product, STAFF, product.id, 1, changes),
    ):
        assert refused[:3] == ("InvalidArgument", "INVALID_ARGUMENT", "INVALID_ARGUMENT")
        assert refused[3].keys() == {"price"}
    assert repository.list_products().items == [product]


def test_a_sku_that_is_taken(catalog, product):
    other = repository.get_product(ProductFactory().id)
    taken = of(
        "ALREADY_EXISTS", f"There is a product with the SKU {product.sku!r} already.", "SKU_TAKEN", sku="is taken"
    )

    assert refusal(catalog.create_product, STAFF, DRAFT._replace(sku=product.sku)) == taken
    assert refusal(catalog.update_product, STAFF, other.id, 1, ProductChanges(sku=product.sku)) == taken
    assert repository.get_product(other.id) == other


@pytest.mark.parametrize(
    "changes",
    [
        ProductChanges(stock=0),
        ProductChanges(price=Decimal("1.50")),
        ProductChanges(currency="USD"),
        ProductChanges("A", "B", "", Decimal(0), "USD", 7, False),
    ],
)
def test_a_product_is_changed(catalog, product, changes):
    changed = catalog.update_product(STAFF, product.id, 1, changes)

    assert changed == product._replace(**given(changes), version=2, updated_at=changed.updated_at)
    assert changed.updated_at > product.updated_at
    assert repository.get_product(product.id) == changed


def test_a_sale_is_in_the_way_of_an_edit_of_the_stock_only(catalog, product):
    catalog.reserve("k", [Line(product.id, 3)])

    stale = refusal(catalog.update_product, STAFF, product.id, 1, ProductChanges(stock=20))
    changed = catalog.update_product(STAFF, product.id, 1, ProductChanges(name="New"))
    overtaken = refusal(catalog.update_product, STAFF, product.id, 1, ProductChanges(name="Newer"))

    assert stale[:3] == overtaken[:3] == ("Aborted", "ABORTED", "STALE_VERSION")
    assert (changed.name, changed.stock) == ("New", product.stock - 3)
    assert repository.get_product(product.id) == changed


def test_a_product_is_archived(catalog, product):
    archived = catalog.archive_product(STAFF, product.id, 1)

    assert archived == product._replace(is_active=False, version=2, updated_at=archived.updated_at)
    assert repository.get_product(product.id) == archived


def test_a_change_of_nothing(catalog, product):
    nothing = of("INVALID_ARGUMENT", "There is nothing to change.")

    assert refusal(catalog.update_product, STAFF, product.id, 1, ProductChanges()) == nothing
    assert repository.get_product(product.id) == product


def test_a_stale_version(catalog, product):
    stale = of("ABORTED", "The product was changed by somebody else: read it again, then try again.", "STALE_VERSION")

    assert refusal(catalog.update_product, STAFF, product.id, 2, ProductChanges(stock=0)) == stale
    assert refusal(catalog.archive_product, STAFF, product.id, 0) == stale
    assert repository.get_product(product.id) == product


@pytest.mark.parametrize(
    ("actor", "refused"),
    [
        (NOBODY, of("UNAUTHENTICATED", "Log in to do this.")),
        (CUSTOMER, of("PERMISSION_DENIED", "You may not do this.")),
        (Actor(service="shop", for_visitor=True), of("UNAUTHENTICATED", "Log in to do this.")),
    ],
)
def test_what_only_staff_may_do(catalog, product, actor, refused):
    assert refusal(catalog.create_product, actor, DRAFT) == refused
    assert refusal(catalog.update_product, actor, product.id, 1, ProductChanges()) == refused
    assert refusal(catalog.update_product, actor, 5, 1, ProductChanges(currency="USD")) == refused
    assert refusal(catalog.archive_product, actor, product.id, 1) == refused
    assert repository.list_products().items == [product]


def test_what_is_reserved_committed_and_released(catalog):
    first, second = (repository.get_product(ProductFactory().id) for _ in range(2))
    lines = [Line(second.id, 2), Line(first.id, 1)]
    sorted_lines = (Line(first.id, 1), Line(second.id, 2))
    before = timezone.now()

    held = catalog.reserve("k", lines, seconds=60)

    assert held == Reservation("k", ReservationStatus.HELD, sorted_lines, held.expires_at)
    assert timedelta(0) <= held.expires_at - before - timedelta(seconds=60) < timedelta(seconds=10)
    assert catalog.reserve("k", lines) == held
    assert (stock(first), stock(second)) == (9, 8)
    assert catalog.commit("k") == catalog.commit("k") == held._replace(status=ReservationStatus.COMMITTED)
    assert catalog.release("k") == catalog.release("k") == held._replace(status=ReservationStatus.RELEASED)
    assert (stock(first), stock(second)) == (10, 10)


def test_a_key_released_before_it_was_reserved(catalog, product):
    released = catalog.release("k")
    gone = of("FAILED_PRECONDITION", "The reservation was released.", "RESERVATION_GONE")

    assert released == Reservation("k", ReservationStatus.RELEASED, (), released.expires_at)
    assert catalog.release("k") == released
    assert refusal(catalog.reserve, "k", [Line(product.id, 1)]) == gone
    assert stock(product) == 10


def test_reservations_that_are_refused(catalog, product):
    line = Line(product.id, 1)
    catalog.reserve("k", [line])
    bad_key = of("INVALID_ARGUMENT", "The key cannot be used.", key="must have 1 to 64 characters, none NUL")
    each_once = of("INVALID_ARGUMENT", "The lines cannot be used.", lines="1 to 100, each product once")
    bad_quantity = of("INVALID_ARGUMENT", "The lines cannot be used.", lines="quantities from 1 to 10000")
    too_long = of("INVALID_ARGUMENT", "It cannot be held so long.", seconds="must be between 1 and 86400")
    reused = of("ALREADY_EXISTS", "The key was used for other lines.", "KEY_REUSED", key="was used")
    short = "is not sold any more, or not enough is left"
    out = "FailedPrecondition", "FAILED_PRECONDITION", "OUT_OF_STOCK"

    for key in ("", "x" * 65, "\0"):
        assert refusal(catalog.reserve, key, [line]) == bad_key
        assert refusal(catalog.commit, key) == bad_key
        assert refusal(catalog.release, key) == bad_key
    for lines in ([], [line, line], [Line(n, 1) for n in range(101)]):
        assert refusal(catalog.reserve, "n", lines) == each_once
    for quantity in (0, -1, 10_001):
        assert refusal(catalog.reserve, "n", [Line(product.id, quantity)]) == bad_quantity
    for seconds in (0, -1, 86_401):
        assert refusal(catalog.reserve, "n", [line], seconds=seconds) == too_long
    assert refusal(catalog.reserve, "k", [Line(product.id, 2)]) == reused
    assert refusal(catalog.commit, "n") == of("NOT_FOUND", "There is no such reservation.", "RESERVATION_NOT_FOUND")
    assert refusal(catalog.reserve, "n", [Line(product.id, 10), Line(5, 1)]) == (
        *out, {str(product.id): short, "5": short}, "There is not enough in stock."
    )  # fmt: skip
    assert stock(product) == 9


def test_who_acts_in_which_request_and_how_long_it_may_take_arrive(catalog, monkeypatch):
    arrived = []

    def create_product(draft):
        arrived.append((context.request_id(), context.actor(), context.seconds_left()))
        return repository.get_product(ProductFactory().id)

    monkeypatch.setattr(repository, "create_product", create_product)
    context.begin("test", request_id="request-7")
    with context.within(5), context.acting_as(STAFF):
        catalog.create_product(STAFF, DRAFT)
        catalog.create_product(SYSTEM, DRAFT)

    assert [request_id for request_id, _, _ in arrived] == ["request-7", "request-7"]
    assert all(3 < left < 5.1 for _, _, left in arrived)  # gRPC rounds up
    if catalog.way != "direct":  # there the actor is an argument and nothing else
        assert [actor for _, actor, _ in arrived] == [STAFF._replace(service=CALLER), Actor(service=CALLER)]


def test_a_deadline_that_has_passed_ends_what_has_to_be_waited_for(catalog, product):
    context.begin("test", request_id="request-7", seconds=-1)

    assert refusal(catalog.get_product, product.id)[1] == "DEADLINE_EXCEEDED"
