"""`python -m tools.shape`: the size and shape of the production code, and what is over the limits.

Counted are all lines of framework, apps, project, tools and deploy; not tests, what only tests use, migrations and
generated code. A function's lines are those from `def` to its end. Complexity and annotations are ruff's to check.

Two limits are a ratchet, a little over the size of today: lower them whenever code goes. Only a feature that is worth
its lines raises them, in the commit that adds it.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median_low

from tools import adopt

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("framework", "apps", "project", "tools", "deploy")
LEFT_OUT = {"tests", "testing", "migrations", "conftest.py"}
ALL_LINES = 21_900  # the ratchet
PRODUCT_LINES = 4_300  # apps and project
PROJECT_LINES = 400
PROJECT_MODULES = 10
FILE_LINES = 200  # nine in ten; the ratchet, where the goal is 160
FUNCTION_LINES = 14  # nine in ten
FUNCTION_MEDIAN = 5
NAMED = 10  # the longest that a message lists


def main() -> int:
    """Print the figures and what is over a limit. Returns 1 when anything is, for the shell."""
    files, found = lines_of_files(ROOT), list(lines_of_functions(ROOT))
    for line in figures(files, found):
        print(line)  # noqa: T201 - the command's output
    over = problems(files, found, is_product=(ROOT / adopt.RECORD).exists())
    for line in over:
        print(f"shape: {line}", file=sys.stderr)  # noqa: T201
    return 1 if over else 0


def figures(files: dict[str, int], functions: list[tuple[str, int]]) -> list[str]:
    by_folder = lines_by_folder(files)
    folders = ", ".join(f"{folder} {by_folder[folder]}" for folder in FOLDERS)
    lengths = [lines for _, lines in functions]
    return [
        f"shape: {sum(files.values())} lines ({folders})",
        f"shape: files' p90 {nine_in_ten(files.values())} lines",
        f"shape: functions' median {median_low(lengths)}, p90 {nine_in_ten(lengths)} lines",
    ]


def problems(files: dict[str, int], functions: list[tuple[str, int]], *, is_product: bool = False) -> list[str]:
    """What is over a limit, and the names of what makes it so. A product may grow: its files and functions may not."""
    by_folder = lines_by_folder(files)
    project = [name for name in files if name.startswith("project/")]
    product = by_folder["apps"] + by_folder["project"]
    lengths = [lines for _, lines in functions]
    sizes = (
        ("lines in all", sum(files.values()), ALL_LINES, by_folder.items()),
        ("lines in apps and project", product, PRODUCT_LINES, files.items()),
        ("lines in project", by_folder["project"], PROJECT_LINES, ((name, files[name]) for name in project)),
        ("modules in project", len(project), PROJECT_MODULES, ((name, files[name]) for name in project)),
    )
    shapes = (
        ("lines of nine in ten files", nine_in_ten(files.values()), FILE_LINES, files.items()),
        ("lines of nine in ten functions", nine_in_ten(lengths), FUNCTION_LINES, functions),
        ("lines of the median function", median_low(lengths), FUNCTION_MEDIAN, functions),
    )
    return [
        f"{title}: {value}, allowed are {limit}. The longest: {_longest(named)}"
        for title, value, limit, named in (shapes if is_product else sizes + shapes)
        if value > limit
    ]


def lines_of_files(root: Path) -> dict[str, int]:
    """The lines of each production file by its path; empty files do not count as files."""
    found = {str(path.relative_to(root)): len(path.read_text().splitlines()) for path in _sources(root)}
    return {name: lines for name, lines in found.items() if lines}


def lines_of_functions(root: Path) -> Iterator[tuple[str, int]]:
    """`path:line name` of each function and method, and its lines."""
    for path in _sources(root):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(root)}:{node.lineno} {node.name}"
                yield name, (node.end_lineno or node.lineno) - node.lineno + 1


def lines_by_folder(files: dict[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, lines in files.items():
        found[name.partition("/")[0]] += lines
    return found


def nine_in_ten(values: Iterable[int]) -> int:
    """The value that nine in ten do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[len(ordered) * 9 // 10] if ordered else 0


def _sources(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            if not LEFT_OUT.intersection(path.relative_to(root).parts):
                yield path


def _longest(named: Iterable[tuple[str, int]]) -> str:
    ordered = sorted(named, key=lambda pair: -pair[1])[:NAMED]
    return ", ".join(f"{name} ({lines})" for name, lines in ordered)


if __name__ == "__main__":
    sys.exit(main())
