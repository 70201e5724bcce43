"""Values for requests of the access matrix: project/tests/test_access.py. And lists to fill: test_schema.py."""

from apps.catalog import services
from apps.catalog.entities import Line
from apps.catalog.tests.factories import ProductFactory


def arguments(owner):
    product = ProductFactory(stock=10)
    held = services.reserve("matrix", [Line(product.id, 1)])
    price = {"currency_code": "EUR", "units": 1}
    return {
        "id": str(product.id),
        "product_id": product.id,
        "version": product.version + 1,  # the reservation made one
        "createProduct.input": {"sku": "NEW-1", "name": "New", "price": "1.00"},
        "updateProduct.input": {"name": "Renamed"},
        "CreateProduct.product": {"sku": "NEW-1", "name": "New", "price": price},
        "UpdateProduct.product": {"id": product.id, "name": "Renamed"},
        "update_mask": "name",
        "key": held.key,
        "Reserve.key": "another",
        "lines": [{"product_id": product.id, "quantity": 1}],
    }


LISTS = {"products": lambda user, number: ProductFactory.create_batch(number)}
