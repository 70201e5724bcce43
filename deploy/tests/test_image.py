"""What reaches the image, told from .dockerignore and the Dockerfile; deploy/check_image.sh looks into a real one."""

import re
import subprocess
from pathlib import Path

import pytest
from pathspec import PathSpec

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def copied():
    """The files of this repository that the Dockerfile copies."""
    ignored = PathSpec.from_lines("gitignore", (ROOT / ".dockerignore").read_text().splitlines())
    copies = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = tuple(word for line in copies for word in line.split())
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return {name for name in files if name.startswith(sources) and not ignored.match_file(name)}


def test_the_image_has_what_its_roles_start(copied):
    assert {
        "manage.py",
        "project/settings.py",
        "framework/web/gunicorn.py",
        "framework/templates/graphiql.html",
        "apps/accounts/models.py",
        "deploy/entrypoint.sh",
        "deploy/healthcheck.py",
        "deploy/make_secrets.py",
        "deploy/supervisord.conf",
        "requirements/base.txt",
    } <= copied


@pytest.mark.parametrize(
    "folder", ["tests", "testing", "tools", "benchmarks", "clients", "docs", "ecs", "nginx", ".ci"]
)
def test_what_only_development_needs_stays_out(copied, folder):
    assert [name for name in copied if folder in Path(name).parts] == []


def test_nothing_else_of_deploy_is_copied(copied):
    assert {name for name in copied if name.startswith("deploy/")} == {
        "deploy/__init__.py",
        "deploy/entrypoint.sh",
        "deploy/healthcheck.py",
        "deploy/make_secrets.py",
        "deploy/supervisord.conf",
    }
