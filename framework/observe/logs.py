"""Logs: one line an event, for people (`text`) or for programs (`json`). Every line has the request id."""

import logging
import logging.config
import sys
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from framework import context
from framework.actor import NOBODY


def _unit_of_work(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    unit = context.current()
    if unit.request_id:
        event.setdefault("request_id", unit.request_id)
    if unit.actor != NOBODY:
        event.setdefault("actor", str(unit.actor))
    return event


reporters: list[Callable[[EventDict], None]] = []  # told of each error that is logged


def _report(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if reporters and event.get("level") in ("error", "critical"):
        if event.get("exc_info") is True:  # only here is it still known which
            event["exc_info"] = sys.exc_info()
        for tell in reporters:
            tell(event)
    return event


class CallersFault(logging.Filter):
    """Makes one warning line of what Django logs as an error with a traceback, though any stranger can cause it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security"):
            record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
        return True


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    _unit_of_work,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _report,
]

# Each request and each task has its own access line; these would be second ones.
_QUIETER = {
    "django.request": "CRITICAL",  # framework.web.middleware logs errors
    "django.server": "ERROR",
    "django.template": "WARNING",  # below, it tells the values that stand in pages
    "celery": "WARNING",
    "kombu": "WARNING",
}


def configure(log_format: str, level: str, *, sql: bool = False) -> None:
    """Send structlog and the standard library's loggers through one formatter to standard error.

    With `sql`, Django also logs each statement, which it does under DEBUG only.
    """
    levels = _QUIETER | ({"django.db.backends": "DEBUG"} if sql else {})
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": _SHARED,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        *_renderers(log_format),
                    ],
                }
            },
            "filters": {"callers_fault": {"()": CallersFault}},
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["callers_fault"]}
            },
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {name: {"level": level} for name, level in levels.items()},
        }
    )


def _renderers(log_format: str) -> list[Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,  # the default shows local values, secrets among them
        )
    ]
