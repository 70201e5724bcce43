"""The release before this code, as git knows it, and what has come since."""

import io
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

from django.apps import apps
from django.conf import settings


def previous() -> str:
    """The latest tag before this commit; empty when there is none, or no git to ask."""
    return _git("describe", "--tags", "--abbrev=0", "HEAD~").strip()


def previous_or_parent() -> str:
    """The release before, or the commit before as long as nothing is released; empty when there is neither."""
    return previous() or _git("rev-parse", "--verify", "--quiet", "HEAD~").strip()


def new_migrations() -> list[tuple[str, str]]:
    """App and name of our own migrations that the release before did not have."""
    release = previous()
    released = set(_git("ls-tree", "-r", "--name-only", release).splitlines()) if release else set()
    found = [
        (config.label, path)
        for config in apps.get_app_configs()
        for path in sorted(Path(config.path).glob("migrations/[0-9]*.py"))
        if path.is_relative_to(settings.BASE_DIR) and ".venv" not in path.parts
    ]
    return [(app, path.stem) for app, path in found if str(path.relative_to(settings.BASE_DIR)) not in released]


def unpack(release: str, folder: Path) -> None:
    """Put the release's files into the folder. Raises CalledProcessError for a release that git does not have."""
    command = ["git", "archive", "--format=tar", release]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(folder, filter="data")


def described() -> str:
    """The release and commit of the tree, in lines of `name: value`."""
    return f"release: {_git('describe', '--tags', '--always').strip()}\ncommit: {_git('rev-parse', 'HEAD').strip()}\n"


def uncommitted() -> str:
    """What git has not committed yet, a line each; empty without git."""
    return _git("status", "--porcelain")


def named(names: Iterable[str]) -> list[str]:
    """The files that name one of them as a word, and in how many lines; docs/ explains by the template's example."""
    patterns = [word for name in names for word in ("-e", name)]
    return _git("grep", "-wIic", *patterns, "--", ":!framework", ":!tools", ":!docs", ":!CHANGELOG.md").splitlines()


def _git(*words: str) -> str:
    command = ["git", *words]
    try:
        done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
