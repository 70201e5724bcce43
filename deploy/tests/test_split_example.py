"""The compose file in docs/splitting.md fits docker-compose.yml and the settings."""

import re

import pytest
import yaml

from deploy.tests.test_compose import COMPOSE, ROOT
from project.env import Env

PAGE = ROOT / "docs" / "splitting.md"


@pytest.fixture(scope="module")
def example():
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])


@pytest.fixture(scope="module")
def base():
    return yaml.safe_load(COMPOSE)


def test_the_monolith_s_roles_are_those_of_the_compose_file(example, base):
    overridden = {name for name in example["services"] if not name.startswith("catalog-")}

    assert overridden == {name for name, service in base["services"].items() if service.get("command") == [name]}


def test_both_sides_get_variables_that_the_settings_read(example):
    known = {name.upper() for name in Env.model_fields} | {"CATALOG_URL"}

    assert example["x-monolith"]["environment"].keys() <= known
    assert example["x-catalog"]["environment"].keys() <= known


def test_no_secret_stands_in_the_example(example):
    for part in ("x-monolith", "x-catalog"):
        for name, value in example[part]["environment"].items():
            assert "TOKEN" not in name or "${CATALOG_TOKEN:?}" in value


def test_the_roles_stop_as_they_do_in_the_compose_file(example, base):
    for role in ("grpc", "worker"):
        assert (
            example["services"][f"catalog-{role}"]["stop_grace_period"] == base["services"][role]["stop_grace_period"]
        )
    assert example["services"]["catalog-postgres"]["image"] == base["services"]["postgres"]["image"]
