import os
import subprocess
import sys

import pytest

PRODUCTION = {
    "SECRET_KEY": "k3JxR8mQ2vN7tZ5wL9cF4hB6yD1gS0pA-k3JxR8mQ2vN7tZ5wL9",
    "ALLOWED_HOSTS": "example.com",
    "DATABASE_URL": "postgres://user:password@database/name",
    "REDIS_URL": "redis://redis:6379/0",
}


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


@pytest.mark.parametrize("https", ["0", "1"])
def test_in_development_cookies_need_https_only_where_it_is_served(tmp_path, https):
    script = "from django.conf import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE)"
    done = manage("shell", "-v", "0", "-c", script, DEBUG="1", HTTPS=https, DATA_DIR=str(tmp_path))

    assert done.stdout == f"{https == '1'} {https == '1'}\n", done.stderr
