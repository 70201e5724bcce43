"""Around the changes of the clocks in Berlin: on 29 March 2026 2:00 becomes 3:00, on 25 October 3:00 becomes 2:00."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django_celery_beat.tzcrontab import TzAwareCrontab

from framework.queue.crontab import next_run

BERLIN = ZoneInfo("Europe/Berlin")


def entry(minute="*", hour="*", day="*", month="*", weekday="*") -> TzAwareCrontab:
    return TzAwareCrontab(minute, hour, weekday, day, month, tz=BERLIN)


def runs(crontab: TzAwareCrontab, begin: str, count: int) -> list[str]:
    """The next runs after `begin`, in UTC."""
    moment, found = datetime.fromisoformat(begin).replace(tzinfo=UTC), []
    for _ in range(count):
        moment = next_run(crontab, moment)
        found.append(f"{moment:%m-%d %H:%M}")
    return found


def test_a_daily_entry_runs_once_on_the_day_whose_clocks_leave_its_time_out():
    assert runs(entry("30", "2"), "2026-03-28 00:00", 3) == ["03-28 01:30", "03-29 01:30", "03-30 00:30"]


def test_a_daily_entry_runs_once_on_the_day_whose_clocks_repeat_its_time():
    assert runs(entry("30", "2"), "2026-10-24 00:00", 3) == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]


def test_a_daily_entry_made_up_in_the_repeated_hour_does_not_run_again_that_day():
    assert runs(entry("30", "2"), "2026-10-25 01:10", 1) == ["10-26 01:30"]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_an_hourly_entry_runs_each_hour_that_passes(day):
    month_and_day = day[5:]

    assert runs(entry("0"), f"{day} 00:00", 3) == [f"{month_and_day} 0{hour}:00" for hour in (1, 2, 3)]


def test_an_entry_of_each_minute_runs_each_minute_of_the_repeated_hour():
    assert runs(entry(), "2026-10-25 00:59", 2) == ["10-25 01:00", "10-25 01:01"]


def test_the_first_run_of_a_day_is_by_the_clock_of_that_day():
    assert runs(entry("0", day="29", month="3"), "2026-03-27 12:00", 4) == [
        "03-28 23:00", "03-29 00:00", "03-29 01:00", "03-29 02:00"
    ]  # fmt: skip


def test_day_and_weekday_must_both_match():
    assert runs(entry("0", "12", day="13", weekday="5"), "2026-03-14 00:00", 1) == ["11-13 11:00"]
