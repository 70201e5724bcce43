import pytest

from apps.accounts.tests.factories import StaffFactory, UserFactory
from apps.catalog import tasks
from apps.catalog.tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


def test_the_staff_are_mailed_what_is_low_in_stock(mailoutbox, settings):
    StaffFactory(email="staff@example.com")
    StaffFactory(email="left@example.com", is_active=False)
    UserFactory(email="customer@example.com")
    ProductFactory(sku="A-1", name="Oak Chair", stock=4)
    ProductFactory(sku="A-2", name="Oak Table", stock=0)
    ProductFactory(stock=5)
    ProductFactory(stock=0, is_active=False)

    tasks.report_low_stock()

    (mail,) = mailoutbox
    assert mail.to == ["staff@example.com"]
    assert mail.from_email == settings.DEFAULT_FROM_EMAIL
    assert mail.subject == f"[{settings.PROJECT_NAME}] 2 product(s) low in stock"
    assert mail.body == "    0  A-2  Oak Table\n    4  A-1  Oak Chair"


def test_no_mail_is_sent_when_nothing_is_low(mailoutbox):
    StaffFactory()
    ProductFactory(stock=5)

    tasks.report_low_stock()

    assert mailoutbox == []


def test_no_mail_is_sent_to_nobody(mailoutbox):
    ProductFactory(stock=0)

    tasks.report_low_stock()

    assert mailoutbox == []


def test_a_line_break_in_a_name_stays_in_the_body(mailoutbox):
    StaffFactory()
    ProductFactory(name="Oak\r\nBcc: x@example.com", stock=0)

    tasks.report_low_stock()

    assert mailoutbox[0].bcc == []
    assert "product(s) low in stock" in mailoutbox[0].subject


def test_the_report_is_scheduled_every_day():
    schedule = tasks.SCHEDULE["low-stock-report"]

    assert schedule["task"] == tasks.report_low_stock.name
    assert (schedule["schedule"].hour, schedule["schedule"].minute) == ({6}, {0})
