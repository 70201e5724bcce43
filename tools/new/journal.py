"""What each generation wrote, so that it can be taken back: a stack of generations in a file of DATA_DIR."""

import hashlib
import json
from pathlib import Path
from typing import Any


class Changed(Exception):
    """Files were changed since they were generated; `paths` names them."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(", ".join(paths))
        self.paths = paths


class Journal:
    """The generations in the tree at `root`, the last one on top."""

    def __init__(self, root: Path, file: Path) -> None:
        self._root = root
        self._file = file

    def push(self, name: str, before: dict[str, str | None]) -> None:
        """Note a generation that is done; `before` has each file's text, None for one that did not exist."""
        entry = {"name": name, "files": {path: [text, self._digest(path)] for path, text in before.items()}}
        self._write([*self._read(), entry])

    def pop(self) -> str | None:
        """Take the last generation back; its name, or None when there is none. Raises Changed, and changes nothing."""
        entries = self._read()
        if not entries:
            return None
        last = entries[-1]
        before = {path: text for path, (text, _) in last["files"].items()}
        changed = [path for path, (_, digest) in last["files"].items() if self._digest(path) != digest]
        changed += self.added_since(before)
        if changed:
            raise Changed(sorted(changed))
        self.restore(before)
        self._write(entries[:-1])
        return str(last["name"])

    def restore(self, before: dict[str, str | None]) -> None:
        """Give each file its text, and remove those that had none, with the folders that are empty then."""
        for path, text in before.items():
            if text is not None:
                (self._root / path).write_text(text)
                continue
            (self._root / path).unlink(missing_ok=True)
            self._prune((self._root / path).parent)

    def added_since(self, before: dict[str, str | None]) -> list[str]:
        """Files beside those that were generated, in folders that the generation made."""
        folders = {
            path.split("/")[0] + "/" + path.split("/")[1]
            for path, text in before.items()
            if path.endswith("/__init__.py") and text is None and path.count("/") == 2
        }
        found = (path for folder in folders for path in (self._root / folder).rglob("*") if path.is_file())
        names = (path.relative_to(self._root).as_posix() for path in found if "__pycache__" not in path.parts)
        return [name for name in names if name not in before]

    def _prune(self, folder: Path) -> None:
        while folder != self._root and folder.is_dir() and not _left(folder):
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            folder.rmdir()
            folder = folder.parent

    def _digest(self, path: str) -> str:
        file = self._root / path
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""

    def _read(self) -> list[Any]:
        return list(json.loads(self._file.read_text())) if self._file.exists() else []

    def _write(self, entries: list[Any]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(entries))


def _left(folder: Path) -> list[Path]:
    """What the folder holds beside compiled code."""
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
