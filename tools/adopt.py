"""Makes the template a product: writes its name wherever a name has to be written, and a README of its own."""

import re
from pathlib import Path

from django.utils.text import slugify

ENV = "project/env.py"
README = "README.md"
RECORD = ".template"  # what the product was made from: an upgrade begins there
# Files that say the name as Docker, Prometheus, Grafana or PostgreSQL wants it: in lower case.
LOWER = (
    *("docker-compose.yml", "deploy/Dockerfile.supervisord", "deploy/make_secrets.py", "deploy/grafana/*.json"),
    *("deploy/prometheus/*.yml", "docs/splitting.md"),
)
CLIENT = ("apps/*/tests/client_example.py", "docs/grpc.md")  # these say the client package's and its variables' names
_COMMANDS = re.compile(r"^```\n\./run .*?^```\n.*?\n\n", re.MULTILINE | re.DOTALL)


def texts(root: Path, old: str, new: str, version: str) -> dict[str, str]:
    """The text of each file that is another under the new name."""
    before, after = slugify(old), slugify(new)
    found = {ENV: (root / ENV).read_text().replace(f'"{old}",\n        pattern', f'"{new}",\n        pattern')}
    for path in _files(root, LOWER):
        found[path] = _renamed((root / path).read_text(), (before, after), (f'"title": "{old}"', f'"title": "{new}"'))
    words = [tuple(name.replace("-", "_") for name in (before, after))]
    pairs = [(f"{a}_client", f"{b}_client") for a, b in words] + [(f"{a.upper()}_", f"{b.upper()}_") for a, b in words]
    found |= {path: _renamed((root / path).read_text(), *pairs) for path in _files(root, CLIENT)}
    deploy = (root / "docs/deploy.md").read_text()
    found["docs/deploy.md"] = re.sub(rf"(?<=-t ){before}\b|(?<=/){before}(?=/staging)", after, deploy)
    found[README] = readme((root / README).read_text(), new)
    found[RECORD] = version
    return {path: text for path, text in found.items() if text != _text(root / path)}


def readme(template: str, name: str) -> str:
    """The product's own: its name, the two commands, and where to read on. One that it has written stays, renamed."""
    if "\n## Read on\n" not in template or "\nA template for " not in template:
        return re.sub(r"\A# .*", f"# {name}", template)
    commands = _COMMANDS.search(template)
    read_on = template.partition("\n## Read on\n")[2].partition("\n\n`framework/grpc")[0]
    return f"# {name}\n\n{commands[0] if commands else ''}## Read on\n{read_on}\n"


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _files(root: Path, patterns: tuple[str, ...]) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for pattern in patterns for path in root.glob(pattern))


def _renamed(text: str, *pairs: tuple[str, ...]) -> str:
    for old, new in pairs:
        text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)" if old.islower() else re.escape(old), new, text)
    return text
