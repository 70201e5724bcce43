"""A unit of work, from its first moment to its access line: the same one for a request, a call and a task."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from framework.context import call, trace

listeners: list[Callable[[call.Record, float], None]] = []  # told of each unit that ended, and how many seconds it took


class Unit:
    """What this thread does from now on, for one caller."""

    __slots__ = ("_log", "_span", "_started", "record", "request_id")

    def __init__(
        self,
        log: Any,
        door: str,
        name: str,
        carrier: Mapping[str, Any],
        *,
        request_id: str | None,
        seconds: float | None = None,
    ) -> None:
        """`carrier` may hold the caller's `traceparent`; for the others see `call.start`."""
        self._started = time.perf_counter()
        self._log = log
        self.request_id = call.start(request_id, seconds=seconds)
        self.record = call.record()
        self.record.door, self.record.name = door, name
        self._span = trace.begin(name, "consumer" if door == "task" else "server", carrier)

    def end(self, event: str, code: str, **more: Any) -> None:
        """Write the access line; `code` is OK or the name of an error, `more` is what only this door knows."""
        seconds = time.perf_counter() - self._started
        record = self.record
        record.code = code
        if record.cost is not None:
            more["cost"] = record.cost
        self._log.info(
            event,
            name=record.name[:100],
            code=code,
            ms=round(seconds * 1000, 1),
            queries=record.queries,
            sql_ms=round(record.sql_seconds * 1000, 2),
            actor=str(call.actor()),
            **more,
        )
        for tell in listeners:
            tell(record, seconds)
        if self._span is not None:
            name = f"{record.door} {record.name}"
            self._span.end(code, name=name, request_id=self.request_id, queries=record.queries)
