from decimal import Decimal

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.money_pb2 import Money

from apps.catalog import models, repository, rpc
from apps.catalog.entities import Line, Product, ProductChanges, ReservationStatus
from apps.catalog.tests.factories import CREATED, ProductFactory
from framework.actor import Actor
from framework.grpc import assertion
from framework.grpc.auth import Authenticator
from framework.grpc.errors import from_call
from framework.grpc.interceptors import Chain
from framework.grpc.tokens import parse_tokens
from framework.seam.codec import codec
from framework.testing.grpc import connected
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1 import catalog_pb2_grpc

pytestmark = pytest.mark.django_db

TOKEN = "shop-token-0123456789"
AS_SHOP = (("authorization", f"Bearer {TOKEN}"),)
PRODUCT = codec(Product, pb.Product)
PRICE = Money(currency_code="EUR", units=19, nanos=900_000_000)
CHANGES = {
    "CreateProduct": pb.CreateProductRequest(product=pb.Product(sku="A-1", name="N", price=PRICE)),
    "UpdateProduct": pb.UpdateProductRequest(product=pb.Product(id=1), update_mask=FieldMask(paths=["name"])),
    "ArchiveProduct": pb.ArchiveProductRequest(product_id=1, version=1),
}


class Client:
    """Calls a method by its name, as the shop unless told otherwise."""

    def __init__(self, channel):
        self.stub = catalog_pb2_grpc.CatalogServiceStub(channel)

    def __call__(self, method, request, metadata=AS_SHOP):
        answer = getattr(self.stub, method)(request, metadata=metadata)
        return list(answer) if method.startswith("Stream") else answer

    def refusal(self, method, request, metadata=AS_SHOP):
        with pytest.raises(grpc.RpcError) as failed:
            self(method, request, metadata)
        error = from_call(failed.value, "catalog")
        return (error.code, error.reason, error.fields) if error else (failed.value.code().name,)

    def create(self, **fields):
        product = pb.Product(**{"sku": "A-1", "name": "N", "price": PRICE} | fields)
        return self("CreateProduct", pb.CreateProductRequest(product=product))

    def update(self, product, *paths, **values):
        changed = pb.Product(id=product.id, **values)
        mask = FieldMask(paths=paths)
        return "UpdateProduct", pb.UpdateProductRequest(product=changed, update_mask=mask, version=product.version)


@pytest.fixture
def call():
    chain = Chain(Authenticator(parse_tokens(f"shop:{TOKEN}:*+assert.staff+assert.unchecked")), default_deadline=30)
    with connected(rpc.register, chain) as channel:
        yield Client(channel)


def acting(actor, method):
    signed = assertion.sign(actor, f"/catalog.v1.CatalogService/{method}", assertion.key_of(TOKEN))
    return (*AS_SHOP, (assertion.METADATA_KEY, signed))


@pytest.mark.parametrize("method", pb.DESCRIPTOR.services_by_name["CatalogService"].methods_by_name)
def test_every_method_needs_a_token(call, method):
    request_of = pb.DESCRIPTOR.services_by_name["CatalogService"].methods_by_name[method].input_type
    request = CHANGES.get(method) or getattr(pb, request_of.name)()
    wrong = (("authorization", "Bearer wrong-token-0123456789"),)

    assert call.refusal(method, request, ())[0] == "UNAUTHENTICATED"
    assert call.refusal(method, request, wrong)[0] == "UNAUTHENTICATED"
    assert not models.Product.objects.exists()


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(
    ("actor", "code"), [(Actor(user_id=7), "PERMISSION_DENIED"), (Actor(for_visitor=True), "UNAUTHENTICATED")]
)
def test_a_service_that_acts_for_a_customer_or_a_visitor_changes_nothing(call, method, actor, code):
    refused = call.refusal(method, CHANGES[method], acting(actor, method))

    assert refused == (code, code, {})
    assert not models.Product.objects.exists()


STAFF = Actor(user_id=8, is_staff=True, permissions=frozenset({"catalog.add_product"}))


def test_staff_without_the_permission_change_nothing(call):
    acting_for = acting(STAFF._replace(permissions=frozenset()), "CreateProduct")

    assert call.refusal("CreateProduct", CHANGES["CreateProduct"], acting_for)[0] == "PERMISSION_DENIED"
    assert not models.Product.objects.exists()


def test_a_service_that_acts_for_staff_with_the_permission_changes_products(call):
    call("CreateProduct", CHANGES["CreateProduct"], acting(STAFF, "CreateProduct"))

    assert models.Product.objects.get().sku == "A-1"


def test_a_product_is_sent_whole(call):
    row = ProductFactory(price=Decimal("0.07"), is_active=False)

    product = call("GetProduct", pb.GetProductRequest(product_id=row.id)).product

    assert (product.id, product.sku, product.name, product.description) == (row.id, row.sku, row.name, "Made of oak.")
    assert product.price == Money(currency_code="EUR", units=0, nanos=70_000_000)
    assert (product.stock, product.is_active, product.version) == (10, False, 1)
    assert product.created_at.ToDatetime(CREATED.tzinfo) == product.updated_at.ToDatetime(CREATED.tzinfo) == CREATED


def test_products_survive_the_wire_unchanged():
    product = repository.get_product(ProductFactory(price=Decimal("9999999999.99")).id)
    sent = pb.Product(**PRODUCT.values(product)).SerializeToString()

    assert PRODUCT.entity(pb.Product.FromString(sent)) == product


@pytest.mark.parametrize("product_id", [0, 1, -1, 2**63 - 1])
def test_a_product_that_does_not_exist_is_not_found(call, product_id):
    missing = ("NOT_FOUND", "PRODUCT_NOT_FOUND", {})

    assert call.refusal("GetProduct", pb.GetProductRequest(product_id=product_id)) == missing
    assert call.refusal("ArchiveProduct", pb.ArchiveProductRequest(product_id=product_id, version=1)) == missing


def test_many_products_are_fetched_at_once(call, django_assert_num_queries):
    ids = [ProductFactory().id for _ in range(20)]

    with django_assert_num_queries(1):
        answer = call("BatchGetProducts", pb.BatchGetProductsRequest(product_ids=[*ids, 1, ids[0]]))

    assert sorted(product.id for product in answer.products) == ids


def test_too_many_ids_are_refused(call):
    refused = call.refusal("BatchGetProducts", pb.BatchGetProductsRequest(product_ids=range(501)))

    assert refused == ("INVALID_ARGUMENT", "INVALID_ARGUMENT", {"product_ids": "must have 0 to 500 elements, not 501"})


@pytest.mark.parametrize("page_size", [10, 100])
def test_a_page_costs_one_query_whatever_its_size(call, django_assert_num_queries, page_size):
    ProductFactory.create_batch(101)

    with django_assert_num_queries(1):
        answer = call("ListProducts", pb.ListProductsRequest(page_size=page_size))

    assert len(answer.products) == page_size


def test_products_are_counted_in_one_query(call, django_assert_num_queries):
    ProductFactory.create_batch(3)

    with django_assert_num_queries(1):
        assert call("CountProducts", pb.CountProductsRequest()).total == 3


@pytest.mark.parametrize("order_by", pb.ProductOrder.values())
def test_pages_follow_each_other_in_every_order(call, order_by):
    for number in range(7):
        ProductFactory(name=f"N{number % 2}", price=number % 3)
    request = pb.ListProductsRequest(page_size=3, order_by=order_by)
    found = []
    while True:
        page = call("ListProducts", request)
        found += [product.id for product in page.products]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    whole = call("ListProducts", pb.ListProductsRequest(order_by=order_by)).products
    assert found == [product.id for product in whole]
    assert len(set(found)) == 7


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.ListProductsRequest(page_size=0), {"page_size": "must be between 1 and 500"}),
        (pb.ListProductsRequest(page_size=-1), {"page_size": "must be between 1 and 500"}),
        (pb.ListProductsRequest(page_size=501), {"page_size": "must be between 1 and 500"}),
        (pb.ListProductsRequest(page_token="x"), {"page_token": "not a token of this list"}),
        (pb.ListProductsRequest(search="\0"), {"search": "200 characters at most, none NUL"}),
    ],
)
def test_a_page_that_cannot_be_asked_for_is_refused(call, request_, fields):
    assert call.refusal("ListProducts", request_)[2] == fields


def test_an_order_of_a_newer_client_is_refused(call):
    code, _, fields = call.refusal("ListProducts", pb.ListProductsRequest(order_by=99))

    assert code == "INVALID_ARGUMENT"
    assert fields["order_by"].startswith("99 is not one of PRODUCT_ORDER_NAME, ")


def test_a_token_of_another_order_is_refused(call):
    ProductFactory.create_batch(2)
    token = call("ListProducts", pb.ListProductsRequest(page_size=1)).next_page_token

    request = pb.ListProductsRequest(page_token=token, order_by=pb.PRODUCT_ORDER_PRICE)
    assert call.refusal("ListProducts", request)[:2] == ("INVALID_ARGUMENT", "BAD_PAGE_TOKEN")


def test_all_products_are_streamed_in_chunks(call, monkeypatch):
    monkeypatch.setattr(rpc, "CHUNK", 2)
    ids = [ProductFactory(is_active=number != 1).id for number in range(5)]

    chunks = call("StreamProducts", pb.StreamProductsRequest())

    assert [[product.id for product in chunk.products] for chunk in chunks] == [ids[:2], ids[2:4], ids[4:]]


def test_no_message_is_larger_than_any_client_receives(call, monkeypatch):
    monkeypatch.setattr(rpc, "MAX_BYTES", 1000)
    rows = [ProductFactory(description="x" * 300) for _ in range(9)]
    long = ProductFactory(description="x" * 2000)

    messages = call("StreamProducts", pb.StreamProductsRequest())

    sizes = [message.ByteSize() for message in messages]
    assert [product.id for message in messages for product in message.products] == [row.id for row in (*rows, long)]
    assert [size for size in sizes if size > 1000] == sizes[-1:]
    assert len(sizes) < 10


def test_a_product_is_created(call):
    product = call.create(description="Oak.", stock=3).product

    assert (product.sku, product.price, product.stock, product.version) == ("A-1", PRICE, 3, 1)
    assert PRODUCT.entity(product) == repository.get_product(product.id)


def test_a_sku_that_is_taken_is_refused(call):
    call.create()

    refused = call.refusal("CreateProduct", CHANGES["CreateProduct"])

    assert refused == ("ALREADY_EXISTS", "SKU_TAKEN", {"product.sku": "is taken"})
    assert models.Product.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "complaints"),
    [
        ({"price": None}, {"product.price": "is required"}),
        (
            {"price": Money(currency_code="EUR", units=1, nanos=-1)},
            {"product.price": "units and nanos must have the same sign"},
        ),
        (
            {"price": Money(currency_code="EUR", nanos=1_000_000_000)},
            {"product.price": "nanos must be between -999999999 and 999999999"},
        ),
        (
            {"price": Money(currency_code="EUR", nanos=1_000_000)},
            {"product.price": "Ensure that there are no more than 2 decimal places."},
        ),
        (
            {"price": Money(currency_code="EUR", units=-1)},
            {"product.price": "Ensure this value is greater than or equal to 0."},
        ),
        (
            {"stock": -1, "name": ""},
            {
                "product.stock": "Ensure this value is greater than or equal to 0.",
                "product.name": "This field cannot be blank.",
            },
        ),
    ],
)
def test_a_product_that_cannot_be_is_refused_field_by_field(call, fields, complaints):
    request = pb.CreateProductRequest(product=pb.Product(**{"sku": "A-1", "name": "N", "price": PRICE} | fields))

    assert call.refusal("CreateProduct", request) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT", complaints)
    assert not models.Product.objects.exists()


def test_an_update_changes_what_the_mask_names_and_nothing_else(call):
    old = call.create(stock=3).product

    new = call(*call.update(old, "stock", "name", "name", name="New", sku="IGNORED")).product

    assert (new.name, new.stock, new.sku, new.price, new.version) == ("New", 0, "A-1", PRICE, 2)
    assert PRODUCT.entity(new) == repository.get_product(old.id)


def test_a_price_is_changed_with_its_currency(call):
    old = call.create().product
    price = Money(currency_code="USD", units=5)

    assert call(*call.update(old, "price", price=price)).product.price == price


@pytest.mark.parametrize(
    ("paths", "price"),
    [
        (("price.currency_code",), Money(currency_code="USD", units=19, nanos=900_000_000)),
        (("price.units", "price.nanos"), Money(currency_code="EUR", units=5)),
        (("price", "price.units", "price.nanos"), Money(currency_code="USD", units=5)),
    ],
)
def test_a_mask_names_amount_or_currency_alone(call, paths, price):
    old = call.create().product

    assert call(*call.update(old, *paths, price=Money(currency_code="USD", units=5))).product.price == price


def test_an_update_without_a_mask_changes_nothing(call):
    old = call.create().product

    assert call.refusal(*call.update(old, name="New")) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT", {})
    assert repository.get_product(old.id) == PRODUCT.entity(old)


@pytest.mark.parametrize(
    ("paths", "complaint"),
    [
        (("colour",), "colour cannot be changed; allowed: description, is_active, name, price, sku, stock"),
        (
            ("id", "stock.x"),
            "id, stock.x cannot be changed; allowed: description, is_active, name, price, sku, stock",
        ),
        (("price.units",), "price.units goes with price.nanos"),
    ],
)
def test_a_mask_of_what_cannot_be_changed_is_refused(call, paths, complaint):
    old = call.create().product

    assert call.refusal(*call.update(old, *paths, name="New")) == (
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        {"update_mask": complaint},
    )
    assert repository.get_product(old.id) == PRODUCT.entity(old)


def test_bad_values_of_an_update_are_named_as_in_the_message(call):
    old = call.create().product

    assert call.refusal(*call.update(old, "stock", "name", stock=-1))[2] == {
        "product.stock": "Ensure this value is greater than or equal to 0.",
        "product.name": "This field cannot be blank.",
    }
    assert call.refusal(*call.update(old, "price"))[2] == {"product.price": "is required"}
    assert repository.get_product(old.id) == PRODUCT.entity(old)


def test_a_stale_version_is_refused(call):
    old = call.create().product
    current = repository.update_product(old.id, 1, ProductChanges(stock=9))

    assert call.refusal(*call.update(old, "name", name="New")) == ("ABORTED", "STALE_VERSION", {})
    assert call.refusal("ArchiveProduct", pb.ArchiveProductRequest(product_id=old.id, version=1))[0] == "ABORTED"
    assert repository.get_product(old.id) == current


def test_a_product_is_archived(call):
    old = call.create().product

    product = call("ArchiveProduct", pb.ArchiveProductRequest(product_id=old.id, version=1)).product

    assert (product.is_active, product.version) == (False, 2)
    assert call("ListProducts", pb.ListProductsRequest()).products == []


@pytest.mark.parametrize("method", ["Reserve", "Commit", "Release"])
@pytest.mark.parametrize(
    ("actor", "code"), [(Actor(user_id=7), "PERMISSION_DENIED"), (Actor(for_visitor=True), "UNAUTHENTICATED")]
)
def test_no_stock_moves_on_behalf_of_a_customer_or_a_visitor(call, method, actor, code):
    row = ProductFactory(stock=10)
    request = getattr(pb, f"{method}Request")(key="order-1")
    if method == "Reserve":
        request.lines.add(product_id=row.id, quantity=3)
    else:
        repository.add_reservation("order-1", ReservationStatus.HELD, (Line(row.id, 3),), CREATED)
    before = repository.find_reservation("order-1")

    assert call.refusal(method, request, acting(actor, method)) == (code, code, {})
    assert models.Product.objects.get(pk=row.id).stock == 10
    assert repository.find_reservation("order-1") == before
