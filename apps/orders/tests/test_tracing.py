"""An order leaves one trail: the id and the trace of the request, from the browser to the mail."""

import pytest

from apps.accounts.tests.factories import UserFactory
from apps.orders.tests.factories import LineFactory, OrderFactory

pytestmark = pytest.mark.django_db

BUY = """mutation Buy($lines: [OrderLineInput!]!) { placeOrder(key: "k", lines: $lines) { order { status } } }"""
MINE = "query Mine { myOrders { edges { node { lines { product { name } } } } } }"


def test_one_id_from_the_request_to_the_mail(graphql, stock, lines, run_queued_tasks, settings, tmp_path):
    settings.EMAIL_BACKEND, settings.DATA_DIR = "framework.mail.MailboxBackend", tmp_path
    product, user = stock(), UserFactory()
    page = graphql().login(user)
    page.client.defaults["HTTP_X_REQUEST_ID"] = "one-id"
    page.data(BUY, lines=[{"productId": str(product.id), "quantity": 1}])
    run_queued_tasks()

    tasks = lines("task")
    assert [b"X-Request-ID: one-id" in each.read_bytes() for each in tmp_path.glob("mail/*.eml")] == [True]
    assert {line["name"] for line in tasks} >= {"orders.send_confirmation"}
    assert {(line["request_id"], line["actor"], line["code"]) for line in [*tasks, lines("request")[-1]]} == {
        ("one-id", "service:system", "OK"),
        ("one-id", f"user:{user.id}", "OK"),
    }


def test_the_batches_of_an_operation_and_their_queries_are_in_its_trace(graphql, stock, spans):
    user, product = UserFactory(), stock()
    LineFactory(order=OrderFactory(customer_id=user.id, line=None), product_id=product.id)
    page = graphql().login(user)
    spans.clear()
    page.data(MINE)

    assert spans.inside(spans.named("graphql Mine"))[-2:] == ["load get_lines", "load get_products"]
    assert "SELECT" in spans.inside(spans.named("load get_lines"))
    assert len({span.context.trace_id for span in spans.get_finished_spans()}) == 1


def test_a_task_is_in_the_trace_of_the_request_that_queued_it(graphql, stock, spans, run_queued_tasks, mailoutbox):
    product, page = stock(), graphql().login(UserFactory())
    page.data(BUY, lines=[{"productId": str(product.id), "quantity": 1}])
    run_queued_tasks()

    request, task = spans.named("graphql Buy"), spans.named("task orders.send_confirmation")
    assert task.parent.span_id == request.context.span_id
    assert task.context.trace_id == request.context.trace_id
    assert "SELECT" in spans.inside(task)
    assert len(mailoutbox) == 1
