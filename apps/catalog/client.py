"""The catalog's functions where it runs in another service: the same names, arguments, results and errors.

What the actor may not do is refused here already, in the words of the service: NOBODY cannot be told from a caller that
names no one, for whom the client package calls as itself. Functions without an actor that are not open to all, as
`reserve`, are called on behalf of the calling service.
"""

from collections.abc import Sequence
from decimal import Decimal

from google.type.money_pb2 import Money

from apps.catalog import wire
from apps.catalog.entities import Line, Product, ProductChanges, ProductDraft, ProductOrder, Reservation
from framework import context
from framework.actor import SYSTEM, Actor, require, staff
from framework.errors import InvalidArgument
from framework.grpc import convert
from framework.grpc.validate import renamed
from framework.pages import Page, check_size
from framework.seam import remote
from protos.catalog.v1 import catalog_pb2 as pb
from protos.catalog.v1.catalog_pb2_grpc import CatalogServiceStub

BATCH = 500  # ids a call takes
_DRAFT = {"price.currency_code": "currency"}
_CHANGES = {f"product.{name}": name for name in ProductChanges._fields} | {"product.price.currency_code": "currency"}


def _service() -> CatalogServiceStub:
    service: CatalogServiceStub = remote.stub("catalog", pb.DESCRIPTOR, CatalogServiceStub)
    return service


def get_product(product_id: int) -> Product:
    return wire.product_entity(_service().GetProduct(pb.GetProductRequest(id=product_id)).product)


def get_products(product_ids: Sequence[int]) -> dict[int, Product]:
    found: dict[int, Product] = {}
    for start in range(0, len(product_ids), BATCH):
        request = pb.BatchGetProductsRequest(ids=product_ids[start : start + BATCH])
        products = map(wire.product_entity, _service().BatchGetProducts(request).products)
        found |= {product.id: product for product in products}
    return found


def list_products(
    *, first: int = 50, after: str = "", search: str = "", order_by: ProductOrder = ProductOrder.NAME
) -> Page[Product]:
    check_size(first)  # on the wire, 0 stands for the default
    request = pb.ListProductsRequest(
        page_size=first, page_token=after, search=search, order_by=wire.ORDER_NUMBERS[order_by]
    )
    with renamed({"page_token": "after", "page_size": "first"}):
        response = _service().ListProducts(request)
    return Page(list(map(wire.product_entity, response.products)), response.next_page_token)


def count_products(*, search: str = "") -> int:
    request = pb.ListProductsRequest(page_size=1, search=search, with_total=True)
    return _service().ListProducts(request).total


def create_product(actor: Actor, draft: ProductDraft) -> Product:
    remote.refuse_inside_transaction()
    require(actor, staff)
    request = pb.CreateProductRequest(
        sku=draft.sku,
        name=draft.name,
        description=draft.description,
        price=_money(draft.price, draft.currency),
        stock=draft.stock,
    )
    with context.acting_as(actor), renamed(_DRAFT):
        return wire.product_entity(_service().CreateProduct(request).product)


def update_product(actor: Actor, product_id: int, version: int, changes: ProductChanges) -> Product:
    remote.refuse_inside_transaction()
    require(actor, staff)
    if changes == ProductChanges():
        raise InvalidArgument("There is nothing to change.")
    if (changes.price is None) != (changes.currency is None):  # on the wire they are one value
        current = get_product(product_id)
        changes = changes._replace(
            price=current.price if changes.price is None else changes.price,
            currency=current.currency if changes.currency is None else changes.currency,
        )
    request = pb.UpdateProductRequest(product=_changed(product_id, version, changes))
    request.update_mask.paths.extend(_mask(changes))
    with context.acting_as(actor), renamed(_CHANGES):
        return wire.product_entity(_service().UpdateProduct(request).product)


def archive_product(actor: Actor, product_id: int, version: int) -> Product:
    remote.refuse_inside_transaction()
    require(actor, staff)
    with context.acting_as(actor):
        request = pb.ArchiveProductRequest(id=product_id, version=version)
        return wire.product_entity(_service().ArchiveProduct(request).product)


def reserve(key: str, lines: Sequence[Line], *, seconds: int = 900) -> Reservation:
    remote.refuse_inside_transaction()
    request = pb.ReserveRequest(
        key=key,
        lines=[pb.Line(product_id=line.product_id, quantity=line.quantity) for line in lines],
        seconds=seconds or -1,  # on the wire, 0 stands for the default
    )
    with context.acting_as(SYSTEM):
        return wire.reservation_entity(_service().Reserve(request).reservation)


def commit(key: str) -> Reservation:
    remote.refuse_inside_transaction()
    with context.acting_as(SYSTEM):
        return wire.reservation_entity(_service().Commit(pb.CommitRequest(key=key)).reservation)


def release(key: str) -> Reservation:
    remote.refuse_inside_transaction()
    with context.acting_as(SYSTEM):
        return wire.reservation_entity(_service().Release(pb.ReleaseRequest(key=key)).reservation)


def _changed(product_id: int, version: int, changes: ProductChanges) -> pb.Product:
    plain = {name: value for name, value in changes._asdict().items() if name not in ("price", "currency")}
    message = pb.Product(id=product_id, version=version, **plain)
    if changes.price is not None:
        message.price.CopyFrom(_money(changes.price, changes.currency or ""))
    return message


def _money(price: Decimal, currency: str) -> Money:
    try:
        return convert.to_money(price, currency)
    except (ValueError, ArithmeticError):  # no message can hold it, so no service can refuse it
        raise InvalidArgument(
            "Some values cannot be accepted.", fields={"price": f"{price} is not a price with two decimals."}
        ) from None


def _mask(changes: ProductChanges) -> list[str]:
    """Price and currency are one message on the wire."""
    given = (name for name, value in changes._asdict().items() if value is not None)
    return sorted({"price" if name == "currency" else name for name in given})
