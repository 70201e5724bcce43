"""Who may use each GraphQL operation of this domain, for project/tests/test_schema.py."""

EVERYBODY = {"visitor", "customer", "new staff", "staff"}
ALLOWED = {
    "Query.csrfToken": EVERYBODY,
    "Query.me": EVERYBODY,
}
OPERATIONS = {
    "Query.csrfToken": "{ csrfToken }",
    "Query.me": "{ me { id } }",
}
