import re

from framework.grpc import assertion


def test_the_example_in_the_document_holds(settings, monkeypatch):
    document = (settings.BASE_DIR / "docs" / "grpc.md").read_text()
    (example,) = re.findall(r"^ +x-actor: (\S+)$", document, re.MULTILINE)
    monkeypatch.setattr(assertion.time, "time", lambda: 1767225601.0)

    claim = assertion.verify(example, "/orders.v1.OrderService/ListOrders", assertion.key_of("development-token"))
    assert claim == assertion.Assertion(7, False, "a-nonce")
