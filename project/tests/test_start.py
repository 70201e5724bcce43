"""The page at `/`: in development only."""

import pytest
from django.conf import settings

pytestmark = pytest.mark.django_db


def test_in_development_it_says_what_runs_where_the_doors_are_and_who_may_log_in(client, settings):
    settings.DEBUG = True

    page = client.get("/").content.decode()

    for part in (*settings.DOMAINS, "/graphql", "/admin/", str(settings.GRPC_PORT), "admin-demo-password", "Python"):
        assert part in page


def test_in_production_there_is_none(client):
    assert settings.DEBUG is False
    assert client.get("/").status_code == 404
