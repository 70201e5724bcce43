"""`./run bench new [NUMBER] [--seed N]`: random domains are green at once, and taken back without a trace.

On SQLite, five to a copy of the tree; what fails is shown with the words that make it again.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.new.model import DOORS

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "node_modules", "__pycache__", ".*_cache")
FIELDS = (
    *("str", "str!", "str?", "str=", "text", "text?", "int", "int!", "int=3", "bool", "bool=true", "decimal"),
    *("decimal?", "money", "money=0.50", "date", "date?", "datetime", "datetime?", "email", "email!", "url?", "uuid!"),
    *(
        "enum(open,half_paid)",
        "enum(a1,b2,c3)=b2",
        "enum(one)?",
        "accounts.User",
        "accounts.User?",
        "duration",
        "uuid?",
    ),
)
NAMES = (
    *("number", "x", "of_b2", "paid_at", "select", "user", "order", "type_of", "state", "mail", "site", "http_code"),
    *("total", "group", "key", "rank", "label", "a1"),
)
MODELS = ("Invoice", "HttpCall", "Entry", "Category", "CreditNote", "Box2", "Status", "Day")
DOMAINS = ("alpha", "beta2", "invoicing", "user", "x9")
CHECKS = (
    *(("ruff", "check", "apps", "project"), ("ruff", "format", "--check", "--quiet", "apps", "project")),
    *(("mypy", "apps"), ("lint-imports",), ("python", "manage.py", "makemigrations", "--check", "--dry-run")),
    ("python", "manage.py", "protos", "--lint"),
)


def copy(folder: Path) -> Path:
    """The tree as it is, in git, so that it shows what has changed since."""
    tree = Path(shutil.copytree(ROOT, folder / "tree", ignore=LEFT_OUT))
    (tree / ".gitignore").write_text("__pycache__/\n.*_cache/\nvar/\n")
    run(tree, "git", "init", "-q", ".")
    run(tree, "git", "add", "-A")
    return tree


def run(tree: Path, program: str, *words: str, fails: bool = False) -> str:
    """What the program says, run in the tree. Raises AssertionError with it when the outcome is the other one."""
    folder = os.path.dirname(sys.executable)
    environ = os.environ | {"DEBUG": "1", "DATA_DIR": str(tree / "var"), "PATH": f"{folder}:{os.environ['PATH']}"}
    for variable in ("DOMAINS", "DATABASE_URL", "PYTEST_ADDOPTS"):
        environ.pop(variable, None)
    command = [sys.executable if program == "python" else program, *words]
    done = subprocess.run(
        command, cwd=tree, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert (done.returncode != 0) is fails, done.stdout[-6000:]
    return done.stdout


def unstaged(tree: Path) -> list[str]:
    """Git's lines for what differs from what was added."""
    lines = run(tree, "git", "status", "--porcelain", "--untracked-files=all").splitlines()
    return [line for line in lines if line[1] != " "]


def specifications(chance: random.Random, domains: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The words of `./run new` for a domain of each name; the first gets a further model."""
    models = iter(chance.sample(MODELS, len(domains) + 1))
    for index, domain in enumerate(domains):
        doors = ",".join(chance.choice([DOORS, DOORS, ("admin",), ("graphql",), ("grpc", "admin")]))
        yield "domain", f"{domain}.{next(models)}", *_fields(chance, doors), "--doors", doors
        if index == 0:
            yield "model", f"{domain}.{next(models)}", *_fields(chance, doors)


def _fields(chance: random.Random, doors: str) -> list[str]:
    """As many as may be; GraphQL knows no durations yet."""
    kinds = [kind for kind in FIELDS if kind != "duration" or "graphql" not in doors]
    chosen = chance.sample(NAMES, chance.randint(1, 15))
    return [f"{name}:{chance.choice(kinds)}" for name in chosen]


def check(tree: Path, made: Sequence[tuple[str, ...]]) -> None:
    """Make them all, check and test them, and take them back. Raises AssertionError with what was said."""
    for words in made:
        started = time.monotonic()
        run(tree, "python", "manage.py", "new", *words)
        print(f"{time.monotonic() - started:5.1f} s  ./run new {' '.join(map(repr, words))}", flush=True)  # noqa: T201
    for words in CHECKS:
        run(tree, *words)
    packages = sorted({f"apps/{words[1].partition('.')[0]}" for words in made})
    tests = [*packages, "project/tests/test_schema.py", "project/tests/test_seam.py"]
    run(tree, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    for _ in made:
        run(tree, "python", "manage.py", "new", "--undo")
    assert unstaged(tree) == []


def main() -> None:
    parser = argparse.ArgumentParser(prog="./run bench new", description=__doc__)
    parser.add_argument("number", nargs="?", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for seed in range(options.seed, options.seed + max(1, options.number // len(DOMAINS))):
        chance = random.Random(seed)  # noqa: S311 - no secret
        with tempfile.TemporaryDirectory() as folder:
            check(copy(Path(folder)), list(specifications(chance, DOMAINS[: options.number])))
        print(f"green, and taken back: seed {seed}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
