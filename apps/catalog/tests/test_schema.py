from decimal import Decimal

import pytest

from apps.accounts.tests.factories import StaffFactory, UserFactory
from apps.catalog import models, repository
from apps.catalog.entities import ProductChanges
from apps.catalog.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db

PRODUCT = "id sku name description price currency stock isActive version createdAt updatedAt"
ONE = f"query ($id: ID!) {{ product(id: $id) {{ {PRODUCT} }} }}"
PAGE = """
    query ($first: Int, $after: String, $search: String, $orderBy: ProductOrder! = NAME) {
        products(first: $first, after: $after, search: $search, orderBy: $orderBy) {
            edges { cursor node { id sku } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        }
    }
"""
CREATE = f"mutation ($input: CreateProductInput!) {{ createProduct(input: $input) {{ product {{ {PRODUCT} }} }} }}"
UPDATE = """
    mutation ($id: ID!, $version: Int!, $input: UpdateProductInput!) {
        updateProduct(id: $id, version: $version, input: $input) { product { sku name price stock version } }
    }
"""
ARCHIVE = """
    mutation ($id: ID!, $version: Int!) {
        archiveProduct(id: $id, version: $version) { product { isActive version } }
    }
"""
INPUT = {"sku": "OAK-1", "name": "Oak Chair", "price": "19.90"}


@pytest.fixture
def nobody(graphql):
    return graphql()


@pytest.fixture
def staff(graphql):
    return graphql().login(StaffFactory())


def test_a_product_is_read_whole(nobody):
    row = ProductFactory(price=Decimal("0.10"), is_active=False)

    assert nobody.data(ONE, id=str(row.id))["product"] == {
        "id": str(row.id),
        "sku": row.sku,
        "name": row.name,
        "description": "Made of oak.",
        "price": "0.10",
        "currency": "EUR",
        "stock": 10,
        "isActive": False,
        "version": 1,
        "createdAt": "2026-01-02T03:04:05+00:00",
        "updatedAt": "2026-01-02T03:04:05+00:00",
    }


def test_a_product_that_does_not_exist_is_not_found(nobody):
    assert nobody.error(ONE, id="1") == {
        "message": "There is no product 1.",
        "code": "NOT_FOUND",
        "reason": "PRODUCT_NOT_FOUND",
    }


@pytest.mark.parametrize("identifier", ["", "x", "-1", "1.0", "٣", str(2**63), "9" * 50])
def test_what_is_no_id_is_refused(nobody, identifier):
    assert nobody.error(ONE, id=identifier) == {
        "message": f"{identifier[:40]!r} is not an id.",
        "code": "BAD_USER_INPUT",
        "reason": "INVALID_ARGUMENT",
        "fields": {"id": "not an id"},
    }


@pytest.mark.parametrize("order_by", ["NAME", "NAME_DESC", "PRICE", "PRICE_DESC", "CREATED", "CREATED_DESC"])
def test_pages_follow_each_other_in_every_order(nobody, order_by):
    ids = [str(ProductFactory(name="Same").id) for _ in range(5)]
    found, after = [], ""
    while True:
        page = nobody.data(PAGE, first=2, after=after, orderBy=order_by)["products"]
        found += [edge["node"]["id"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is bool(after)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert found == (ids[::-1] if order_by.endswith("_DESC") else ids)


def test_any_cursor_can_be_gone_on_from(nobody):
    ids = [str(ProductFactory(name="Same").id) for _ in range(3)]
    first = nobody.data(PAGE)["products"]["edges"][0]["cursor"]

    rest = nobody.data(PAGE, after=first)["products"]["edges"]

    assert [edge["node"]["id"] for edge in rest] == ids[1:]


def test_an_empty_list_has_no_cursors(nobody):
    assert nobody.data(PAGE, search="none")["products"] == {
        "edges": [],
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }


@pytest.mark.parametrize("first", [10, 100])
def test_a_page_costs_one_query_whatever_its_size(nobody, django_assert_num_queries, first):
    ProductFactory.create_batch(101)

    with django_assert_num_queries(1):
        page = nobody.data(PAGE, first=first)["products"]

    assert len(page["edges"]) == first


@pytest.mark.parametrize("first", [10, 100])
def test_products_are_counted_only_when_asked_for(nobody, django_assert_num_queries, first):
    ProductFactory.create_batch(101)
    query = "query ($first: Int) { products(first: $first) { totalCount edges { node { sku } } } }"

    with django_assert_num_queries(2):
        assert nobody.data(query, first=first)["products"]["totalCount"] == 101


def test_a_search_is_counted_too(nobody):
    ProductFactory(name="Oak")
    ProductFactory(name="Elm")

    assert nobody.data('{ products(search: "OA") { totalCount } }') == {"products": {"totalCount": 1}}


@pytest.mark.parametrize("first", [0, -1, 501, 2**31 - 1])
def test_a_page_size_out_of_range_is_refused(nobody, django_assert_num_queries, first):
    with django_assert_num_queries(0):
        assert nobody.error(PAGE, first=first)["code"] == "BAD_USER_INPUT"


def test_a_cursor_of_another_list_is_refused(nobody):
    ProductFactory.create_batch(2)
    cursor = nobody.data(PAGE)["products"]["edges"][0]["cursor"]

    for arguments in ({"orderBy": "PRICE"}, {"search": "oak"}):
        error = nobody.error(PAGE, after=cursor, **arguments)
        assert (error["code"], error["reason"]) == ("BAD_USER_INPUT", "BAD_PAGE_TOKEN")


def test_nul_in_a_search_is_refused(nobody):
    assert nobody.error('{ products(search: "\\u0000") { totalCount } }')["code"] == "BAD_USER_INPUT"
    assert nobody.error(PAGE, search="\0")["code"] == "BAD_USER_INPUT"


def test_staff_create_a_product(staff):
    product = staff.data(CREATE, input=INPUT | {"currency": "USD", "stock": 3})["createProduct"]["product"]

    stored = repository.get_product(int(product["id"]))
    assert stored[1:9] == ("OAK-1", "Oak Chair", "", Decimal("19.90"), "USD", 3, True, 1)
    assert (product["price"], product["createdAt"]) == ("19.90", stored.created_at.isoformat())


@pytest.mark.parametrize(("price", "shown"), [("5", "5.00"), (5, "5.00"), ("1E+2", "100.00"), ("0.1", "0.10")])
def test_a_price_just_created_reads_as_it_does_later(staff, price, shown):
    created = staff.data(CREATE, input=INPUT | {"price": price})["createProduct"]["product"]

    assert staff.data(ONE, id=created["id"])["product"]["price"] == created["price"] == shown


def test_staff_change_what_they_name(staff):
    row = ProductFactory()

    changed = staff.data(UPDATE, id=str(row.id), version=1, input={"price": "5.50", "stock": 0})["updateProduct"]

    assert changed["product"] == {"sku": row.sku, "name": row.name, "price": "5.50", "stock": 0, "version": 2}
    assert repository.get_product(row.id).price == Decimal("5.50")


def test_staff_archive_a_product(staff):
    row = ProductFactory()

    assert staff.data(ARCHIVE, id=str(row.id), version=1) == {
        "archiveProduct": {"product": {"isActive": False, "version": 2}}
    }
    assert staff.data(PAGE)["products"]["edges"] == []


def test_a_stale_version_is_refused(staff):
    row = ProductFactory()
    current = repository.update_product(row.id, 1, ProductChanges(stock=7))

    for mutation, variables in ((UPDATE, {"input": {"stock": 8}}), (ARCHIVE, {})):
        error = staff.error(mutation, id=str(row.id), version=1, **variables)
        assert (error["code"], error["reason"]) == ("CONFLICT", "STALE_VERSION")
    assert repository.get_product(row.id) == current


def test_a_sku_that_is_taken_is_refused(staff):
    ProductFactory(sku="OAK-1")

    assert staff.error(CREATE, input=INPUT) == {
        "message": "There is a product with the SKU 'OAK-1' already.",
        "code": "CONFLICT",
        "reason": "SKU_TAKEN",
        "fields": {"sku": "is taken"},
    }
    assert models.Product.objects.count() == 1


def test_bad_values_are_refused_field_by_field(staff):
    error = staff.error(CREATE, input=INPUT | {"name": "", "price": "-1", "stock": -1, "currency": "euro"})

    assert error["code"] == "BAD_USER_INPUT"
    assert sorted(error["fields"]) == ["currency", "name", "price", "stock"]
    assert not models.Product.objects.exists()


@pytest.mark.parametrize("field", ["description", "currency", "stock"])
def test_a_null_is_not_told_as_a_taken_sku(staff, field):
    error = staff.error(CREATE, input=INPUT | {field: None})

    assert (error["code"], error.get("reason")) == ("BAD_USER_INPUT", None)
    assert not models.Product.objects.exists()


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1E+500000", "0.001", "9" * 40, "x", "", None])
def test_a_price_that_is_none_is_refused(staff, price):
    answer = staff(CREATE, input=INPUT | {"price": price})

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert not models.Product.objects.exists()


def test_null_is_refused_where_a_value_must_be(staff):
    product = repository.get_product(ProductFactory().id)

    refused = staff.error(UPDATE, id=str(product.id), version=1, input={"name": None, "stock": 1})

    assert (refused["code"], refused["fields"]) == ("BAD_USER_INPUT", {"name": "must not be null"})
    assert repository.get_product(product.id) == product


@pytest.mark.parametrize(
    ("user", "code"), [(None, "UNAUTHENTICATED"), (UserFactory, "FORBIDDEN")], ids=["nobody", "customer"]
)
def test_who_is_not_staff_changes_nothing(graphql, user, code):
    app = graphql().login(user()) if user else graphql()
    product = repository.get_product(ProductFactory().id)
    target = {"id": str(product.id), "version": 1}

    assert app.error(CREATE, input=INPUT)["code"] == code
    assert app.error(UPDATE, **target, input={"stock": 0})["code"] == code
    assert app.error(ARCHIVE, **target)["code"] == code
    assert repository.list_products().items == [product]


def test_a_staff_user_who_no_longer_is_one_changes_nothing(graphql):
    user = StaffFactory()
    app = graphql().login(user)
    user.is_staff = False
    user.save()

    assert app.error(CREATE, input=INPUT)["code"] == "FORBIDDEN"
    assert not models.Product.objects.exists()
