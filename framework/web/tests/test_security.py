import os
import subprocess
import sys

import pytest
from django.test import Client

from framework.web.middleware import HEADERS

PRODUCTION = {
    "SECRET_KEY": "k3JxR8mQ2vN7tZ5wL9cF4hB6yD1gS0pA-k3JxR8mQ2vN7tZ5wL9",
    "ALLOWED_HOSTS": "example.com",
    "DATABASE_URL": "postgres://user:password@database/name",
    "REDIS_URL": "redis://redis:6379/0",
}
PAGES = ["/admin/login/", "/graphql?query={__typename}"]


def manage(*words, **variables):
    environ = {"PATH": os.environ["PATH"], **PRODUCTION, **variables}
    return subprocess.run([sys.executable, "manage.py", *words], env=environ, capture_output=True, text=True)


def test_django_has_nothing_to_say_about_the_settings_of_production(tmp_path):
    done = manage("check", "--deploy", "--fail-level", "WARNING", DATA_DIR=str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "System check identified no issues (2 silenced).\n"), done.stderr


def test_a_proxy_that_is_no_network_stops_the_start(tmp_path):
    done = manage("check", DATA_DIR=str(tmp_path), TRUSTED_PROXIES="10.0.0.0/8, nginx")

    assert done.returncode == 1
    assert "TRUSTED_PROXIES=" in done.stderr


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


HSTS = """
from django.conf import settings
print(settings.SECURE_HSTS_SECONDS, settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, settings.SECURE_HSTS_PRELOAD)
"""


@pytest.mark.parametrize(
    ("given", "set_to"),
    [
        ("", "0 False False"),
        ("3600", "3600 False False"),
        ("31536000; includeSubDomains", "31536000 True False"),
        ("31536000; includeSubDomains; preload", "31536000 True True"),
    ],
)
def test_browsers_are_held_to_https_only_as_far_as_asked(tmp_path, given, set_to):
    done = manage("shell", "--no-imports", "-c", HSTS, DATA_DIR=str(tmp_path), HSTS=given)

    assert done.stdout.strip() == set_to, done.stderr
