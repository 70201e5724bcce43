"""Peers that do not install beside this project get a virtual environment of their own, under DATA_DIR."""

import hashlib
import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"


def ready(folder: Path, pins: Sequence[str], without: Sequence[str] = ()) -> Path:
    """The Python of an environment with this project's runtime packages and `pins`.

    `without` names packages of ours that are left out, and whose pins do not bind, because the peer needs others.
    """
    ours = _kept(REQUIREMENTS / "base.txt", without)
    constraints = _kept(REQUIREMENTS / "constraints.txt", without)
    stamp = hashlib.sha256(repr((sys.version, ours, constraints, pins)).encode()).hexdigest()
    python = folder / "bin" / "python"
    if (folder / "stamp").exists() and (folder / "stamp").read_text() == stamp:
        return python
    print(f"installing {', '.join(pins)} (once)", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    (folder / "constraints.txt").write_text("\n".join(constraints))
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(folder / "constraints.txt"), *ours, *pins], check=True)
    (folder / "stamp").write_text(stamp)
    return python


def _kept(file: Path, without: Sequence[str]) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    wanted = [line for line in lines if line and not line.startswith("-")]
    return [line for line in wanted if _name(line) not in {_name(name) for name in without}]


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[._-]+", "-", found[0]).lower() if found else requirement
