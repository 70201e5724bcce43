import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from decimal import Decimal
from threading import Barrier
from typing import NamedTuple

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.catalog import models, repository
from apps.catalog.entities import Line, Product, ProductChanges, ProductDraft, ProductOrder, product_keyset
from apps.catalog.tests.factories import CREATED, ProductFactory
from framework import pages
from framework.data import keysets
from framework.errors import Aborted, AlreadyExists, InvalidArgument, NotFound

pytestmark = pytest.mark.django_db

DRAFT = ProductDraft("OAK-1", "Oak Chair", Decimal("19.90"), "Made of oak.", "USD", 3)
SORT_VALUES = {
    ProductOrder.NAME: lambda product: (product.name, product.id),
    ProductOrder.PRICE: lambda product: (product.price, product.id),
    ProductOrder.CREATED: lambda product: (product.created_at, product.id),
}


class Priced(NamedTuple):
    id: int
    price: str


def all_pages(order_by, first, *, search="", between=lambda: None):
    """All products of a list, page by page."""
    found, token = [], ""
    while True:
        page = repository.list_products(first=first, after=token, search=search, order_by=order_by)
        found += page.items
        token = page.next_token
        if not token:
            return found
        between()


def names(search):
    return [product.name for product in repository.list_products(search=search).items]


def refused_fields(function, *args, error=InvalidArgument, **kwargs):
    with pytest.raises(error) as refused:
        function(*args, **kwargs)
    return refused.value.fields


@pytest.mark.parametrize("order_by", ProductOrder)
@pytest.mark.parametrize("first", [1, 2, 3, 12, 500])
def test_pages_hold_every_product_once_in_order_under_ties(order_by, first):
    for number in range(12):
        ProductFactory(name=f"N{number % 3}", price=number % 2, created_at=CREATED + timedelta(microseconds=number % 4))
    every = repository.get_products([product.id for product in models.Product.objects.all()]).values()
    column = ProductOrder(order_by.value.lstrip("-"))

    found = all_pages(order_by, first)

    assert found == sorted(every, key=SORT_VALUES[column], reverse=order_by.value.startswith("-"))


@pytest.mark.parametrize("order_by", ProductOrder)
def test_products_that_are_all_alike_are_paged_by_id(order_by):
    ids = [ProductFactory(name="Same").id for _ in range(5)]

    found = [product.id for product in all_pages(order_by, 2)]

    assert found == (ids[::-1] if order_by.value.startswith("-") else ids)


@pytest.mark.parametrize("order_by", ProductOrder)
def test_products_made_and_archived_between_pages_move_no_other(order_by):
    before = {ProductFactory(name=f"N{number % 4}", price=number % 3).id for number in range(9)}

    def meddle():
        if models.Product.objects.count() < 25:
            ProductFactory(name="A", price=0)
            ProductFactory(name="N2", price=1)
            ProductFactory(name="Z", price=9, created_at=CREATED + timedelta(days=1))
            ProductFactory(name="N2", price=1, is_active=False)

    found = [product.id for product in all_pages(order_by, 2, between=meddle)]

    assert len(found) == len(set(found))
    assert before <= set(found)


def test_a_page_holds_entities_and_costs_one_query(django_assert_num_queries):
    row = ProductFactory()

    with django_assert_num_queries(1):
        page = repository.list_products()

    assert page.items == [repository.get_product(row.id)]
    assert type(page.items[0]) is Product
    assert page.items[0].created_at.tzinfo is UTC
    assert page.next_token == ""


@pytest.mark.parametrize("first", [0, -1, 501, 2**40])
def test_a_page_size_out_of_range_is_refused(first):
    assert refused_fields(repository.list_products, first=first) == {"first": "must be between 1 and 500"}


def test_a_token_of_another_list_is_refused():
    product = repository.create_product(DRAFT)
    foreign = [
        pages.token(product_keyset(ProductOrder.NAME_DESC, ""), product),
        pages.token(product_keyset(ProductOrder.NAME, "oak"), product),
        pages.token(product_keyset(ProductOrder.NAME, "")._replace(name="orders"), product),
        "x",
    ]

    for token in foreign:
        assert refused_fields(repository.list_products, after=token) == {"after": "not a token of this list"}


@pytest.mark.parametrize("price", ["-1", "NaN", "1E+9999", "0.001", "99999999999", "free", "\0"])
def test_a_price_that_no_product_can_have_names_no_page(price):
    product = repository.create_product(DRAFT)
    made_up = pages.token(product_keyset(ProductOrder.PRICE, ""), Priced(product.id, price))

    assert refused_fields(repository.list_products, after=made_up, order_by=ProductOrder.PRICE) == {
        "after": "not a token of this list"
    }


def test_archived_products_are_not_listed_but_found_by_id():
    archived = ProductFactory(is_active=False)

    assert repository.list_products().items == []
    assert repository.count_products() == 0
    assert repository.get_product(archived.id).id == archived.id


def test_search_finds_part_of_name_or_sku_in_any_case():
    ProductFactory(name="Oak Chair", sku="CH-1")
    ProductFactory(name="Table", sku="OAK-2")
    ProductFactory(name="Lamp", sku="LA-3")

    assert names("oak") == names("OAK") == ["Oak Chair", "Table"]
    assert names("air") == names("ch-") == ["Oak Chair"]
    assert names("none") == []
    assert repository.count_products(search="oAk") == 2


@pytest.mark.parametrize("wildcard", ["%", "_", "\\", "'", '"', "*"])
def test_search_takes_wildcards_and_quotes_as_they_are(wildcard):
    ProductFactory(name="Plain")
    ProductFactory(name=f"50{wildcard}x")

    assert names(f"50{wildcard}") == names(f"0{wildcard}X") == [f"50{wildcard}x"]


@pytest.mark.parametrize("search", ["\0", "oak\0", "x" * 201])
def test_what_cannot_be_searched_for_is_refused(search):
    expected = {"search": "200 characters at most, none NUL"}

    assert refused_fields(repository.list_products, search=search) == expected
    assert refused_fields(repository.count_products, search=search) == expected


def test_one_or_two_letters_find_words_that_begin_with_them():
    ProductFactory(name="Oak Chair", sku="CH-1")
    ProductFactory(name="Soak", sku="a oa")
    ProductFactory(name="Toad", sku="X-OA")

    assert names("oa") == names("OA") == ["Oak Chair", "Soak"]
    assert names("c") == ["Oak Chair"]
    assert repository.count_products(search="oa") == 2


@pytest.mark.parametrize("search", ["%", "--", " ", "_", "\u2026"])
def test_a_search_needs_a_letter_or_a_digit(search):
    assert refused_fields(repository.list_products, search=search) == {"search": "needs a letter or a digit"}


@pytest.mark.parametrize("order_by", ProductOrder)
@pytest.mark.parametrize("near", [1, 3, 1000])
def test_pages_of_a_search_are_complete_wherever_the_matches_are(order_by, near, monkeypatch):
    monkeypatch.setattr(keysets, "NEAR", near)
    for number in range(18):
        ProductFactory(name=f"{'Elm' if number % 3 or number < 9 else 'Oak'} {number % 2}", price=number % 4)
    every = [product for product in all_pages(order_by, 500) if "Oak" in product.name]

    assert len(every) == 3
    assert all_pages(order_by, 2, search="oak") == every


def test_pages_of_a_search_hold_what_matches():
    for number in range(7):
        ProductFactory(name=f"Oak {number}")
        ProductFactory(name=f"Elm {number}")

    assert [product.name for product in all_pages(ProductOrder.NAME_DESC, 3, search="oak")] == [
        f"Oak {number}" for number in range(6, -1, -1)
    ]


def test_many_products_are_fetched_by_ids_in_one_query(django_assert_num_queries):
    first, second = ProductFactory(), ProductFactory(is_active=False)

    with django_assert_num_queries(1):
        found = repository.get_products([second.id, first.id, 1, first.id])

    assert {key: product.sku for key, product in found.items()} == {first.id: first.sku, second.id: second.sku}


def test_a_product_that_does_not_exist_is_not_found():
    with pytest.raises(NotFound) as missing:
        repository.get_product(1)
    assert missing.value.reason == "PRODUCT_NOT_FOUND"
    with pytest.raises(NotFound):
        repository.update_product(1, 1, ProductChanges(name="New"))


def test_all_products_are_iterated_in_chunks_of_one_query(django_assert_num_queries):
    ids = [ProductFactory(is_active=number % 2 == 0).id for number in range(5)]

    with django_assert_num_queries(4):
        chunks = list(repository.iterate_products(chunk_size=2))

    assert [[product.id for product in chunk] for chunk in chunks] == [ids[:2], ids[2:4], ids[4:]]


def test_memory_does_not_grow_with_the_number_of_products():
    draft = DRAFT._replace(description="Made of oak. " * 10)
    repository.upsert_products([draft._replace(sku=f"S-{number}") for number in range(3000)])

    def peak(rows):
        tracemalloc.start()
        chunks = repository.iterate_products(chunk_size=100)
        seen = 0
        while seen < rows:
            seen += len(next(chunks))
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(100)
    assert peak(3000) < 1.5 * peak(300)


def test_low_stock_is_what_is_sold_and_scarce():
    ProductFactory(stock=5)
    ProductFactory(stock=0, is_active=False)
    few, none = ProductFactory(stock=4), ProductFactory(stock=0)

    assert [product.id for product in repository.low_stock(5)] == [none.id, few.id]


def test_a_created_product_is_returned_as_it_is_stored():
    before = timezone.now()

    product = repository.create_product(DRAFT)

    assert product[1:9] == ("OAK-1", "Oak Chair", "Made of oak.", Decimal("19.90"), "USD", 3, True, 1)
    assert before <= product.created_at == product.updated_at <= timezone.now()
    assert repository.get_product(product.id) == product


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"sku": ""}, {"sku": "This field cannot be blank."}),
        ({"sku": "S1  "}, {"sku": "Must not begin or end with a space."}),
        ({"sku": "\tS1"}, {"sku": "Must not begin or end with a space."}),
        ({"sku": " "}, {"sku": "Must not begin or end with a space."}),
        ({"sku": "a\0"}, {"sku": "Null characters are not allowed."}),
        ({"sku": "x" * 65}, {"sku": "Ensure this value has at most 64 characters (it has 65)."}),
        ({"name": "x" * 201}, {"name": "Ensure this value has at most 200 characters (it has 201)."}),
        (
            {"description": "x" * 10_001},
            {"description": "Ensure this value has at most 10000 characters (it has 10001)."},
        ),
        ({"price": Decimal("-0.01")}, {"price": "Ensure this value is greater than or equal to 0."}),
        ({"price": Decimal("0.001")}, {"price": "Ensure that there are no more than 2 decimal places."}),
        ({"price": Decimal("1E+9999")}, {"price": "Ensure that there are no more than 12 digits in total."}),
        ({"price": Decimal("NaN")}, {"price": "“NaN” value must be a decimal number."}),
        ({"currency": "eur"}, {"currency": "Three capital letters, as in ISO 4217."}),
        ({"stock": -1}, {"stock": "Ensure this value is greater than or equal to 0."}),
        ({"stock": 2**31}, {"stock": "Ensure this value is less than or equal to 2147483647."}),
    ],
)
def test_bad_values_are_refused_field_by_field(changes, fields):
    product = repository.create_product(DRAFT)
    bad = DRAFT._replace(**{"sku": "OAK-2"} | changes)

    assert refused_fields(repository.create_product, bad) == fields
    assert repository.draft_errors(bad) == fields
    assert refused_fields(repository.update_product, product.id, 1, ProductChanges(**changes)) == fields
    assert repository.get_product(product.id) == product
    assert models.Product.objects.count() == 1


def test_all_bad_fields_are_named_at_once():
    fields = refused_fields(repository.create_product, DRAFT._replace(name="", stock=-1))

    assert sorted(fields) == ["name", "stock"]
    assert not models.Product.objects.exists()


def test_a_sku_is_taken_once():
    repository.create_product(DRAFT)
    other = repository.create_product(DRAFT._replace(sku="OAK-2"))

    taken = {"sku": "is taken"}
    assert refused_fields(repository.create_product, DRAFT, error=AlreadyExists) == taken
    changes = ProductChanges(sku="OAK-1")
    assert refused_fields(repository.update_product, other.id, 1, changes, error=AlreadyExists) == taken
    assert repository.get_product(other.id) == other
    assert models.Product.objects.count() == 2


def test_an_update_writes_what_is_given_and_counts_the_version():
    product = repository.create_product(DRAFT)

    changed = repository.update_product(product.id, 1, ProductChanges(name="Chair", stock=0, description=""))

    assert changed == product._replace(name="Chair", stock=0, description="", version=2, updated_at=changed.updated_at)
    assert changed.updated_at > product.updated_at
    assert repository.get_product(product.id) == changed


@pytest.mark.parametrize("version", [0, 1, 3, -1])
def test_a_stale_update_is_refused_and_not_lost(version):
    product = repository.create_product(DRAFT)
    current = repository.update_product(product.id, 1, ProductChanges(stock=7))

    with pytest.raises(Aborted) as stale:
        repository.update_product(product.id, version, ProductChanges(stock=8))

    assert stale.value.reason == "STALE_VERSION"
    assert repository.get_product(product.id) == current


def test_a_sale_is_in_the_way_of_an_edit_of_the_stock_and_of_no_other():
    read = repository.create_product(DRAFT)
    repository.take_stock(Line(read.id, 1))
    repository.return_stock(Line(read.id, 1))
    repository.take_stock(Line(read.id, 1))

    with pytest.raises(Aborted):
        repository.update_product(read.id, read.version, ProductChanges(name="New", stock=20))
    changed = repository.update_product(read.id, read.version, ProductChanges(name="Chair"))
    repository.take_stock(Line(read.id, 1))
    for version in (read.version, changed.version - 1, changed.version + 2):
        with pytest.raises(Aborted):
            repository.update_product(read.id, version, ProductChanges(name="Stale"))
    again = repository.update_product(read.id, changed.version, ProductChanges(description="Oak."))
    final = repository.update_product(read.id, again.version, ProductChanges(stock=20))

    assert (changed.name, changed.stock) == ("Chair", 2)
    assert (again.name, again.description, again.stock) == ("Chair", "Oak.", 1)
    assert (
        repository.get_product(read.id)
        == final
        == again._replace(stock=20, version=again.version + 1, updated_at=final.updated_at)
    )


def test_an_import_makes_an_edit_stale():
    read = repository.create_product(DRAFT)
    repository.upsert_products([DRAFT._replace(name="New")])

    with pytest.raises(Aborted):
        repository.update_product(read.id, read.version, ProductChanges(name="Chair"))

    assert repository.get_product(read.id).name == "New"


@pytest.mark.parametrize("violation", [{"stock": -1}, {"description": None}])
def test_only_a_taken_sku_is_told_as_one(violation, monkeypatch):
    product = repository.create_product(DRAFT)
    monkeypatch.setattr(repository, "validate", lambda row: None)

    with pytest.raises(IntegrityError):
        repository.create_product(DRAFT._replace(sku="OAK-2", **violation))

    assert repository.list_products().items == [product]


@pytest.mark.parametrize("field", ["sku", "name", "description", "price", "currency", "stock"])
def test_a_null_is_refused_at_its_field(field):
    assert refused_fields(repository.create_product, DRAFT._replace(**{field: None})) == {
        field: "This field cannot be null."
    }
    assert not models.Product.objects.exists()


def test_a_price_is_never_less_than_nothing():
    product = repository.create_product(DRAFT._replace(price=Decimal("-0")))

    assert str(product.price) == str(repository.get_product(product.id).price) == "0.00"


@pytest.mark.django_db(transaction=True)
def test_of_writers_at_the_same_moment_one_wins_and_the_others_are_refused():
    product = repository.create_product(DRAFT)
    start = Barrier(4)

    def write(stock):
        start.wait(timeout=10)
        try:
            return repository.update_product(product.id, 1, ProductChanges(stock=stock))
        except Aborted:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        written = [changed for changed in pool.map(write, range(4)) if changed]

    assert written == [repository.get_product(product.id)]


@pytest.mark.parametrize(("column", "value"), [("stock", -1), ("price", Decimal("-0.01"))])
def test_the_database_itself_keeps_stock_and_price_from_going_below_zero(column, value):
    row = ProductFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        models.Product.objects.filter(pk=row.pk).update(**{column: value})
    with pytest.raises(IntegrityError), transaction.atomic():
        ProductFactory(**{column: value})

    assert [getattr(product, column) for product in repository.list_products().items] == [getattr(row, column)]


def test_upsert_creates_what_is_new_and_updates_what_is_known():
    known = ProductFactory(sku="OAK-1", version=4)

    repository.upsert_products([DRAFT, DRAFT._replace(sku="OAK-2")])

    updated, created = repository.list_products(order_by=ProductOrder.CREATED).items
    assert updated[:9] == (known.id, *DRAFT[:2], "Made of oak.", Decimal("19.90"), "USD", 3, True, 5)
    assert (created.sku, created.version) == ("OAK-2", 1)
    assert (updated.created_at, updated.updated_at) == (CREATED, created.created_at)


def test_upsert_writes_the_named_columns_of_what_is_known():
    ProductFactory(sku="OAK-1", name="Old", stock=9)

    repository.upsert_products([DRAFT], ["sku", "price"])

    (product,) = repository.list_products().items
    assert (product.name, product.stock, product.price, product.version) == ("Old", 9, Decimal("19.90"), 2)
