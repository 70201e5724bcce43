"""What a row found."""

from typing import Any, NamedTuple


class Result(NamedTuple):
    row: str
    fault: str
    tried: str
    lost: int
    double: int
    other: dict[str, Any]  # figures by name
    problems: list[str]  # goals that were not met; empty when all were

    @property
    def passed(self) -> bool:
        return not self.lost and not self.double and not self.problems


def line(result: Result) -> str:
    verdict = "ok  " if result.passed else "FAIL"
    figures = "; ".join(f"{name} {value}" for name, value in result.other.items())
    text = f"{verdict} {result.row:<12} {result.fault}: {result.tried}; lost {result.lost}, double {result.double}"
    return "\n".join([f"{text}; {figures}", *(f"       ! {problem}" for problem in result.problems)])


def table(results: list[Result]) -> str:
    """The rows as a table in Markdown, as docs/reliability.md has it."""
    head = "| fault | tried | lost | double | also |\n|---|---|---|---|---|\n"
    rows = (
        f"| {r.fault} | {r.tried} | {r.lost} | {r.double} | {'; '.join(f'{k} {v}' for k, v in r.other.items())} |"
        for r in results
    )
    return head + "\n".join(rows)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
