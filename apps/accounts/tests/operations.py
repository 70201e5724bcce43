"""What project/tests/test_schema.py has to know of this domain's operations."""

EVERYBODY = {"visitor", "customer", "staff"}
ALLOWED = {
    "Query.csrfToken": EVERYBODY,
    "Query.me": EVERYBODY,
    "Mutation.login": EVERYBODY,
    "Mutation.logout": EVERYBODY,
    "Mutation.register": EVERYBODY,
    "Mutation.changePassword": {"customer", "staff"},
}
OPERATIONS = {
    "Query.csrfToken": "{ csrfToken }",
    "Query.me": "{ me { id } }",
    "Mutation.login": 'mutation { login(email: "a@example.com", password: "x") { user { id } } }',
    "Mutation.logout": "mutation { logout { ok } }",
    "Mutation.register": 'mutation { register(email: "a@example.com", password: "x") { user { id } } }',
    "Mutation.changePassword": 'mutation { changePassword(oldPassword: "x", newPassword: "y") { user { id } } }',
}
