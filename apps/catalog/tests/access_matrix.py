"""Who may use each GraphQL operation of this domain, for project/tests/test_schema.py."""

from apps.catalog.tests.factories import ProductFactory

EVERYBODY = {"visitor", "customer", "new staff", "staff"}
ALLOWED = {
    "Query.product": EVERYBODY,
    "Query.products": EVERYBODY,
    "Mutation.createProduct": {"staff"},
    "Mutation.updateProduct": {"staff"},
    "Mutation.archiveProduct": {"staff"},
}
OPERATIONS = {
    "Query.product": '{ product(id: "1") { id } }',
    "Query.products": "{ products { edges { node { id } } } }",
    "Mutation.createProduct": 'mutation { createProduct(input: {sku: "", name: "", price: "1"}) { product { id } } }',
    "Mutation.updateProduct": 'mutation { updateProduct(id: "1", version: 1, input: {}) { product { id } } }',
    "Mutation.archiveProduct": 'mutation { archiveProduct(id: "1", version: 1) { product { id } } }',
}
LISTS = {"products": lambda user, number: ProductFactory.create_batch(number)}
