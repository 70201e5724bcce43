"""When a crontab runs next, also over a change of the clocks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

HORIZON = 366 * 8  # days: then the 29th of February has come, whatever the century
MINUTE = timedelta(minutes=1)


class Crontab(Protocol):
    """What is read of a celery.schedules.crontab with a time zone."""

    minute: set[int]
    hour: set[int]
    day_of_week: set[int]  # Sunday is 0
    day_of_month: set[int]
    month_of_year: set[int]
    tz: tzinfo


def next_run(entry: Crontab, after: datetime) -> datetime:
    """The first moment after `after` (aware) at which the entry runs, in UTC; `datetime.max` if it never does.

    An entry for each hour runs by absolute time: twice in an hour that the clocks repeat. One for certain hours runs
    once a day: at the first of two equal times, and as much later as the clocks jumped when its time is left out.
    """
    if len(entry.hour) == 24:
        start = after.astimezone(UTC).replace(second=0, microsecond=0)
        for minutes in range(1, 61):
            moment = start + minutes * MINUTE
            if _matches(entry, moment.astimezone(entry.tz)):
                return moment
    return next((moment for moment in _by_the_clock(entry, after) if moment > after), datetime.max.replace(tzinfo=UTC))


def _by_the_clock(entry: Crontab, after: datetime) -> Iterator[datetime]:
    """The entry's times from the day of `after` on, each time of a day once."""
    today = after.astimezone(entry.tz).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None, fold=0)
    for days in range(HORIZON):
        day = today + timedelta(days=days)
        if _matches_day(entry, day):
            for hour in sorted(entry.hour):
                for minute in sorted(entry.minute):
                    yield day.replace(hour=hour, minute=minute, tzinfo=entry.tz).astimezone(UTC)


def _matches(entry: Crontab, local: datetime) -> bool:
    return _matches_day(entry, local) and local.hour in entry.hour and local.minute in entry.minute


def _matches_day(entry: Crontab, day: datetime) -> bool:
    return (
        day.month in entry.month_of_year and day.day in entry.day_of_month and day.isoweekday() % 7 in entry.day_of_week
    )
