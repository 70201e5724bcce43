"""How much of its machine this process may use: the limits of its container count, not the machine's size."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
WEB_WORKER_MEMORY = 200 * 2**20  # of one web worker with its threads, with room for a large answer


def cpus(cgroup: Path = CGROUP) -> int:
    """The CPUs it may run on, a started one counted whole."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = _cpu_limit(cgroup)
    return max(1, min(usable, math.ceil(quota / period))) if quota > 0 else usable


def memory(cgroup: Path = CGROUP) -> int:
    """The bytes it may use."""
    limits = (_number(cgroup / "memory.max"), _number(cgroup / "memory" / "memory.limit_in_bytes"))
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *(limit for limit in limits if limit > 0)])


def web_workers(cgroup: Path = CGROUP) -> int:
    """One a CPU, as more would only share it; a second one takes over while the first is replaced."""
    return max(1, min(max(2, cpus(cgroup)), memory(cgroup) // WEB_WORKER_MEMORY))


def _cpu_limit(cgroup: Path) -> tuple[int, int]:
    words = _text(cgroup / "cpu.max").split()
    if len(words) == 2 and words[0].isdecimal():
        return int(words[0]), int(words[1])
    return _number(cgroup / "cpu" / "cpu.cfs_quota_us"), _number(cgroup / "cpu" / "cpu.cfs_period_us") or 1


def _number(path: Path) -> int:
    text = _text(path)
    return int(text) if text.isdecimal() else 0


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
