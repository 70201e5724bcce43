import pytest
from django.core.management import call_command

from apps.accounts.tests.factories import UserFactory
from apps.catalog import repository

pytestmark = pytest.mark.django_db


def test_demo_products_are_loaded_once(settings):
    settings.DEBUG = True
    call_command("seed")
    call_command("seed")

    assert repository.count_products() == 64


def test_no_demo_products_are_loaded_into_a_database_that_is_in_use(settings):
    settings.DEBUG = True
    UserFactory()
    call_command("seed")

    assert repository.count_products() == 0
