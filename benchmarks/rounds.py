"""Rounds, in which every variant does every piece of work in turn, and what comes out of them."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.servers import busy, on_core

QUIET = 0.10  # more of the machine than this in use by others, and the figures are doubtful


class Cell(NamedTuple):
    """One variant doing one piece of work in one round."""

    per_second: float
    cpu_ms: float  # of the server, for one unit
    p50: float  # milliseconds
    p99: float

    @classmethod
    def of(cls, latencies: Sequence[float], seconds: float, cpu_seconds: float) -> "Cell":
        """From the milliseconds each unit took, and what all of them took together."""
        count, ranked = len(latencies), sorted(latencies)
        return cls(count / seconds, cpu_seconds * 1000 / count, ranked[count // 2], ranked[count * 99 // 100])


class Spread(NamedTuple):
    median: float
    low: float
    high: float

    def show(self, digits: int) -> str:
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}-{self.high:,.{digits}f})"


class Plan(NamedTuple):
    rounds: int
    seconds: float  # of a cell
    warm_up: float  # seconds before it that do not count
    minutes: float  # no round is begun that would not end within them


FULL = Plan(rounds=5, seconds=4.0, warm_up=0.5, minutes=11.5)
QUICK = Plan(rounds=2, seconds=0.7, warm_up=0.3, minutes=3)

Measure = Callable[[str, str, float], Cell]  # work, variant, seconds


@dataclass
class Results:
    """All cells by work and variant, one a round; and what was found before the rounds."""

    works: Mapping[str, Sequence[str]]  # the variants of each piece of work
    units: Mapping[str, str] = field(default_factory=dict)  # of each work: "req/s" unless told
    queries: dict[tuple[str, str], int] = field(default_factory=dict)
    cells: dict[tuple[str, str], list[Cell]] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def spread(self, work: str, variant: str, figure: str) -> Spread:
        return spread([getattr(cell, figure) for cell in self.cells[work, variant]])

    def ratio(self, work: str, variant: str, other: str) -> Spread:
        """How many times as much the variant does as the other, by the round."""
        pairs = zip(self.cells[work, variant], self.cells[work, other], strict=False)
        return spread([one.per_second / two.per_second for one, two in pairs])

    def cpu_ratio(self, work: str, variant: str, other: str) -> float:
        """As `ratio`, by the CPU that one unit takes: other work on the machine disturbs it less."""
        return self.spread(work, other, "cpu_ms").median / self.spread(work, variant, "cpu_ms").median

    def write(self, file: Path) -> None:
        rows = [
            {"work": work, "variant": variant, "queries": self.queries.get((work, variant)), "rounds": rounds}
            for (work, variant), cells in self.cells.items()
            if (rounds := [cell._asdict() for cell in cells])
        ]
        file.write_text(json.dumps({"machine": self.machine, "results": rows}, indent=1) + "\n")


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


def run(results: Results, plan: Plan, measure: Measure) -> None:
    """Do the rounds; Ctrl-C ends them early, and a cell of a round that was not finished is dropped."""
    results.machine |= machine()
    started = time.monotonic()
    taken = 0.0
    for number in range(plan.rounds):
        begun = time.monotonic()
        if begun - started + taken > plan.minutes * 60:
            print(f"no time for round {number + 1} of {plan.rounds}", flush=True)
            break
        try:
            cells = one_round(results.works, plan, measure, number)
        except KeyboardInterrupt:
            print("\nstopped; what follows is from the rounds that were finished", flush=True)
            break
        for key, cell in cells.items():
            results.cells.setdefault(key, []).append(cell)
        taken = time.monotonic() - begun
    results.machine |= {"rounds": len(next(iter(results.cells.values()), [])), "seconds_per_cell": plan.seconds}


def one_round(
    works: Mapping[str, Sequence[str]], plan: Plan, measure: Measure, number: int
) -> dict[tuple[str, str], Cell]:
    cells = {}
    with on_core(1):
        for work, variants in works.items():
            begin = number % len(variants)  # so that nobody always comes after the same one
            for variant in (*variants[begin:], *variants[:begin]):
                measure(work, variant, plan.warm_up)
                cell = cells[work, variant] = measure(work, variant, plan.seconds)
                print(
                    f"  round {number + 1}/{plan.rounds}  {work:9} {variant:32}"
                    f" {cell.per_second:9,.0f}/s {cell.cpu_ms:8.3f} ms CPU",
                    flush=True,
                )
    return cells


def machine() -> dict[str, Any]:
    """What it ran on, and whether it was alone there."""
    used = busy()
    if used > QUIET:
        print(f"warning: others use {used:.0%} of this machine; the figures will be doubtful", flush=True)
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "used_by_others": round(used, 3),
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def report(results: Results, bars: Sequence[str], ours: str) -> str:
    """The tables, in Markdown: medians, and least to most of the rounds in brackets."""
    parts = [", ".join(f"{name}: {value}" for name, value in results.machine.items())]
    for work, variants in results.works.items():
        if all((work, variant) in results.cells for variant in variants):
            parts.append("\n".join(table(results, work, variants, [bar for bar in bars if bar in variants], ours)))
    return "\n\n".join(parts)


def table(results: Results, work: str, variants: Sequence[str], bars: Sequence[str], ours: str) -> list[str]:
    unit = results.units.get(work, "req/s")
    counted = ["SQL"] if any((work, variant) in results.queries for variant in variants) else []
    titles = [work, unit, "CPU ms", "p50 ms", "p99 ms", *counted, *(f"of {bar}" for bar in bars), "ours is"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for variant in variants:
        figures = [results.spread(work, variant, figure) for figure in Cell._fields]
        ratios = [f"{results.ratio(work, variant, bar).median:.2f}" for bar in bars]
        times = "" if variant == ours else results.ratio(work, ours, variant).show(2) + "x"
        shown = [spread.show(digits) for spread, digits in zip(figures, (0, 3, 1, 1), strict=True)]
        sql = [str(results.queries.get((work, variant), "")) for _ in counted]
        lines.append("| " + " | ".join([variant, *shown, *sql, *ratios, times]) + " |")
    return lines


class Goal(NamedTuple):
    """`variant` does at least `least` times as much as the best of `others`."""

    work: str
    variant: str
    least: float
    others: tuple[str, ...]

    def judge(self, results: Results) -> str:
        found = min(results.ratio(self.work, self.variant, other).median for other in self.others)
        by_cpu = min(results.cpu_ratio(self.work, self.variant, other) for other in self.others)
        verdict = "reached" if found >= self.least else "MISSED"
        what = f"{self.work}: {found:.2f} ({by_cpu:.2f} by CPU), goal {self.least:.2f}"
        return f"{verdict:7}  {what} of {' or '.join(self.others)}"
