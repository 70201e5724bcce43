import pytest
from django.test import Client

from framework.web.middleware import HEADERS

PAGES = ["/admin/login/", "/graphql?query={__typename}"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_answers_tell_browsers_what_they_may_do(path, settings):
    settings.SECURE_HSTS_SECONDS = 31_536_000
    headers = Client().get(path, secure=True).headers

    assert headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["Permissions-Policy"].startswith("camera=(), ")
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_may_be_framed_and_nothing_inline_runs():
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.django_db
def test_plain_http_is_sent_to_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    answer = Client().get("/graphql?query={__typename}")

    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/graphql?query=%7B__typename%7D")


def test_who_probes_needs_neither_a_host_name_nor_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["example.com"]

    assert Client().get("/health/live", headers={"host": "10.0.0.9"}).status_code == 200
