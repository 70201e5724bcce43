import os
import subprocess
import sys

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

    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr


def test_a_proxy_that_is_no_network_stops_the_start(tmp_path):
    done = manage("check", DATA_DIR=str(tmp_path), TRUSTED_PROXIES="10.0.0.0/8, nginx")

    assert done.returncode == 1
    assert "TRUSTED_PROXIES=" in done.stderr
