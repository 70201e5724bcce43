"""Makes the secrets of a compose installation, once: a file each, in the folder given; what is there stays."""

import secrets
import sys
from pathlib import Path


def make(folder: Path) -> list[str]:
    """Returns the names of the files it has written."""
    password = _kept(folder / "postgres_password") or secrets.token_urlsafe(32)
    files = {
        "postgres_password": password,
        "database_url": f"postgres://backend:{password}@postgres:5432/backend",
        "secret_key": secrets.token_urlsafe(64),
        "grpc_tokens": f"operator:{secrets.token_urlsafe(32)}",
    }
    missing = {name: text for name, text in files.items() if not (folder / name).exists()}
    for name, text in missing.items():
        (folder / name).write_text(text)
    return list(missing)


def _kept(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    for written in make(Path(sys.argv[1])):
        print(f"made {written}")
