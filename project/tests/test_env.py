from hashlib import sha256

import pytest
from django.core.exceptions import ImproperlyConfigured

from framework import env
from framework.graphql.limits import Limits
from project.env import BASE_DIR, Env

PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": "k3JxR8mQ2vN7tZ5wL9cF4hB6yD1gS0pA-k3JxR8mQ2vN7tZ5wL9",
    "ALLOWED_HOSTS": "example.com, www.example.com",
    "DATABASE_URL": "postgres://u:p@db/name",
    "REDIS_URL": "redis://redis:6379/0",
}


@pytest.fixture
def environ(monkeypatch):
    """Nothing but what the test sets."""
    for name in Env.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return put


def problems() -> list[str]:
    with pytest.raises(ImproperlyConfigured) as refused:
        env.load(Env)
    return [line.strip() for line in str(refused.value).splitlines()[1:]]


def test_development_needs_nothing_but_debug(environ):
    environ(DEBUG="1")

    assert env.load(Env).port == 8000


def test_production_settings_are_read(environ):
    environ(**PRODUCTION)

    assert env.load(Env).allowed_hosts == ("example.com", "www.example.com")


def test_an_empty_environment_refuses_to_start_and_lists_all_that_is_missing(environ):
    assert [line.partition(":")[0] for line in problems()] == [
        "SECRET_KEY=(empty)",
        "ALLOWED_HOSTS=(empty)",
        "DATABASE_URL=(empty)",
        "REDIS_URL=(empty)",
    ]


def test_every_problem_is_listed_at_once_with_what_was_read(environ):
    environ(DEBUG="1", PORT="eighty", SHARD_ID="64", LOG_FORMAT="xml", DATABASE_URL="mysql://u:secret@h/d")

    assert problems() == [
        "PORT='eighty': Input should be a valid integer, unable to parse string as an integer",
        "DATABASE_URL=********: must begin with postgres:// (leave it empty for the embedded SQLite)",
        "SHARD_ID='64': Input should be less than or equal to 63",
        "LOG_FORMAT='xml': Input should be 'text' or 'json'",
    ]


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("SECRET_KEY", "short", "must be at least 50 random characters"),
        ("SECRET_KEY", "a" * 60, "must be at least 50 random characters"),
        ("DATABASE_URL", "postgres://u:p@host", "must end with the database's name"),
        ("DATABASE_REPLICA_URL", "mysql://u:p@host/name", "must begin with postgres://"),
        ("DATABASE_REPLICA_URL", "postgres://u:p@host", "must end with the database's name"),
        ("REDIS_URL", "http://host", "must begin with redis://"),
        ("BROKER_URL", "http://host", "must begin with amqp://"),
        ("EMAIL_URL", "imap://host", "must be smtp://"),
        ("CORS_ALLOWED_ORIGINS", "*", "must name each origin: with cookies, * would let any page act"),
        ("CORS_ALLOWED_ORIGINS", "app.example.com", "'app.example.com' is no origin as browsers send it: https://app"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example, https://b.example/", "'https://b.example/' is no origin"),
        ("CORS_ALLOWED_ORIGINS", "https://App.example.com", "in lower case"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.com:443", "a port only if it is not the scheme's own"),
        ("CORS_ALLOWED_ORIGINS", "https://*.example.com", "is no origin"),
        ("CORS_ALLOWED_ORIGINS", "null", "is no origin"),
        ("GRPC_TOKENS", "shop:short", "must be name:token"),
        ("GRAPHQL_LIMITS", "depth=0", "must be name=number pairs"),
        ("GRAPHQL_LIMITS", "size=3", "must be name=number pairs"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_what_is_accepted(environ, name, value, accepted):
    environ(**PRODUCTION | {name: value})
    (problem,) = problems()

    assert problem.startswith(f"{name}=")
    assert accepted in problem


@pytest.mark.parametrize("name", [name for name in Env.model_fields if env.is_secret(Env, name)])
def test_no_secret_is_shown(name):
    assert env._shown(Env, name, "canary") == "********"


def test_sqlite_outside_of_debug_needs_an_explicit_word(environ):
    environ(**PRODUCTION | {"DATABASE_URL": "", "ALLOW_SQLITE": "1"})

    assert env.load(Env).database_url.get_secret_value() == ""


def test_origins_are_read_as_browsers_send_them(environ):
    environ(DEBUG="1", CORS_ALLOWED_ORIGINS="https://app.example.com, http://localhost:3000,https://[::1]:8443")

    assert env.load(Env).cors_allowed_origins == (
        "https://app.example.com",
        "http://localhost:3000",
        "https://[::1]:8443",
    )


def test_a_replica_needs_a_database_that_it_is_the_replica_of(environ):
    environ(**PRODUCTION | {"DATABASE_URL": "", "ALLOW_SQLITE": "1", "DATABASE_REPLICA_URL": "postgres://u:p@h/name"})

    assert problems() == [
        "DATABASE_REPLICA_URL=********: must be set together with DATABASE_URL, of which it is the replica"
    ]


def test_limits_are_changed_by_name(environ):
    environ(DEBUG="1", GRAPHQL_LIMITS="depth=15, tokens=3000")
    limits = env.load(Env).graphql_limits

    assert (limits.depth, limits.tokens, limits.aliases) == (15, 3000, Limits().aliases)


def test_the_url_of_a_domain_counts_where_it_is_not_installed():
    environ = {"ACCOUNTS_URL": "grpc://accounts:50051"}

    assert env.domain_urls(environ, BASE_DIR / "apps", ()) == {"accounts": "grpc://accounts:50051"}
    assert env.domain_urls(environ, BASE_DIR / "apps", ("accounts",)) == {}


def test_the_url_of_a_domain_must_be_one_of_grpc():
    with pytest.raises(ImproperlyConfigured, match="ACCOUNTS_URL='http://a': must be grpc://host:port"):
        env.domain_urls({"ACCOUNTS_URL": "http://a"}, BASE_DIR / "apps", ())


def test_mail_settings_come_from_one_url():
    found = env.email_settings("smtps://user%40a:p%2Fw@mail.example.com")

    assert found["EMAIL_HOST_USER"] == "user@a"
    assert found["EMAIL_HOST_PASSWORD"] == "p/w"
    assert (found["EMAIL_PORT"], found["EMAIL_USE_SSL"], found["EMAIL_USE_TLS"]) == (465, True, False)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ALLOWED_HOSTS", "*", "must name each host"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0", "must not be everybody (0.0.0.0/0)"),
        ("TRUSTED_PROXIES", "::/0", "must not be everybody (::/0)"),
        ("GRPC_TOKENS", "shop:development-token", "the token of shop can be guessed"),
        ("GRPC_TOKENS", f"shop:sha256={sha256(b'development-token').hexdigest()}", "the token of shop can be guessed"),
        ("GRPC_TOKENS", f"shop:{'a' * 32}", "the token of shop can be guessed"),
        ("GRPC_CALL_TOKEN", "development-token", "can be guessed"),
        ("SECRET_KEY", "ab" * 40, "must be at least 50 random characters"),
        ("HSTS", "a year", "String should match pattern"),
    ],
)
def test_production_refuses_what_is_dangerous(environ, name, value, reason):
    environ(**PRODUCTION | {name: value})

    (problem,) = problems()
    assert problem.startswith(f"{name}=")
    assert reason in problem
    assert "development-token" not in problem


def test_statements_are_logged_in_development_only(environ):
    environ(DEBUG="1", LOG_SQL="1")
    assert env.load(Env).log_sql is True

    environ(**PRODUCTION)
    assert problems() == ["LOG_SQL='1': must be off unless DEBUG=1: statements hold personal data"]


def test_a_misspelled_variable_is_named_with_the_nearest_that_exists(lines):
    environ = {"GRAPHQL_EXECUTR": "stock", "GRAPHQL_EXECUTOR": "stock", "HOSTNAME": "a", "OTHER_URLS": ""}

    env.warn_of_misspelled(Env, environ, BASE_DIR / "apps")

    (line,) = lines("environment variable is not read")
    assert (line["variable"], line["did_you_mean"]) == ("GRAPHQL_EXECUTR", "GRAPHQL_EXECUTOR")


def test_a_misspelled_url_of_a_domain_is_named(lines, tmp_path):
    (tmp_path / "billing").mkdir()
    (tmp_path / "billing" / "public.py").touch()

    env.warn_of_misspelled(Env, {"BILING_URL": "grpc://h:1", "BILLING_URL": "grpc://h:1"}, tmp_path)

    (line,) = lines("environment variable is not read")
    assert (line["variable"], line["did_you_mean"]) == ("BILING_URL", "BILLING_URL")


def test_a_data_folder_that_cannot_be_made_is_refused_with_its_path(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ImproperlyConfigured, match=r"DATA_DIR=.*/file/var: cannot be made \(Not a dir"):
        env.make_data_dir(tmp_path / "file" / "var")


def test_own_certificates_are_for_development(environ):
    environ(DEBUG="1", HTTPS="1")
    assert env.load(Env).https is True

    environ(**PRODUCTION)
    assert problems() == ["HTTPS='1': must be off unless DEBUG=1: in production a proxy ends TLS"]
