"""Who may use each GraphQL operation of this domain, for project/tests/test_schema.py."""

EVERYBODY = {"visitor", "customer", "new staff", "staff"}
USERS = EVERYBODY - {"visitor"}
ALLOWED = {
    "Mutation.deleteAccount": USERS,
    "Mutation.exportAccount": USERS,
    "Query.dataRequest": USERS,
    "Query.csrfToken": EVERYBODY,
    "Query.me": EVERYBODY,
}
OPERATIONS = {
    "Mutation.deleteAccount": "mutation { deleteAccount { request { id } } }",
    "Mutation.exportAccount": "mutation { exportAccount { request { id } } }",
    "Query.dataRequest": "{ dataRequest(id: 1) { id } }",
    "Query.csrfToken": "{ csrfToken }",
    "Query.me": "{ me { id } }",
}
