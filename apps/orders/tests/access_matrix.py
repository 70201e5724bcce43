"""Who may use each GraphQL operation of this domain, for project/tests/test_schema.py."""

from apps.orders.tests.factories import OrderFactory

USERS = {"customer", "new staff", "staff"}
ALLOWED = {
    "Query.order": USERS,
    "Query.myOrders": USERS,
    "Mutation.placeOrder": USERS,
    "Mutation.cancelOrder": USERS,
}
OPERATIONS = {
    "Query.order": '{ order(id: "1") { id } }',
    "Query.myOrders": "{ myOrders { edges { node { id } } } }",
    "Mutation.placeOrder": 'mutation { placeOrder(key: "", lines: []) { order { id } } }',
    "Mutation.cancelOrder": 'mutation { cancelOrder(id: "1", reason: "") { order { id } } }',
}
LISTS = {"myOrders": lambda user, number: OrderFactory.create_batch(number, customer_id=user.id)}
UNPAGED = {"Order.lines"}  # 100 at most
