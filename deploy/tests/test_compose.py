import re
from pathlib import Path

import yaml

from deploy import make_secrets
from framework import env
from project.env import Env

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = (ROOT / "docker-compose.yml").read_text()


def test_every_variable_of_the_compose_file_is_one_the_settings_read():
    block = COMPOSE.partition("environment: &environment\n")[2].partition("  depends_on")[0]
    names = re.findall(r"^    ([A-Z_]+):", block, re.MULTILINE)

    assert len(names) == 19
    assert {name.lower() for name in names} <= set(Env.model_fields)


def test_no_secret_stands_in_the_compose_file():
    for name in (name for name in Env.model_fields if env.is_secret(Env, name)):
        values = re.findall(rf"^ +{name.upper()}: *(.*)$", COMPOSE, re.MULTILINE)
        assert set(values) <= {"", "${REDIS_URL:-redis://redis:6379/0}"}


def test_redis_evicts_cache_entries_before_it_refuses_tasks():
    (words,) = re.findall(r"command: \[redis-server, (.*)\]", COMPOSE)

    assert "--maxmemory, " in words
    assert words.endswith("--maxmemory-policy, volatile-lru")


def test_a_role_gets_longer_to_stop_than_it_drains():
    periods = {
        role: int(re.search(rf"command: \[{role}\]\n    stop_grace_period: (\d+)s", COMPOSE)[1])
        for role in ("web", "grpc", "worker")
    }
    default = {name: Env.model_fields[name].default for name in ("web_grace", "grpc_grace", "worker_grace")}

    assert periods["web"] > default["web_grace"]
    assert periods["grpc"] > default["grpc_grace"] + 3
    assert periods["worker"] > default["worker_grace"]


def test_secrets_are_made_once_and_are_what_the_settings_accept(tmp_path, monkeypatch):
    for name in Env.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("ALLOWED_HOSTS", "localhost")
    monkeypatch.setenv("REDIS_URL", "redis://redis:6379/0")

    assert make_secrets.make(tmp_path) == ["postgres_password", "database_url", "secret_key", "grpc_tokens"]
    password = (tmp_path / "postgres_password").read_text()
    made = env.load(Env).database_url.get_secret_value()
    postgres = yaml.safe_load(COMPOSE)["services"]["postgres"]["environment"]
    assert made == f"postgres://{postgres['POSTGRES_USER']}:{password}@postgres:5432/{postgres['POSTGRES_DB']}"
    assert make_secrets.make(tmp_path) == []


def test_the_environment_wins_over_the_folder_of_secrets(tmp_path, monkeypatch):
    make_secrets.make(tmp_path)
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@other/name")
    monkeypatch.setenv("DEBUG", "1")

    assert env.load(Env).database_url.get_secret_value() == "postgres://u:p@other/name"


def test_grpc_without_tls_is_published_on_this_machine_only():
    assert re.findall(r'- "(.*:50051)"', COMPOSE) == [
        "${GRPC_PUBLIC_ADDRESS:-127.0.0.1}:${GRPC_PUBLIC_PORT:-50051}:50051"
    ]
