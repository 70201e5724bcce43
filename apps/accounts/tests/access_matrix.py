"""Values for requests of the access matrix: project/tests/test_access.py."""


def arguments(owner):
    return {}
