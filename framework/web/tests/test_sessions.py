from types import SimpleNamespace

import pytest

from framework.web import sessions

pytestmark = pytest.mark.django_db
DAY = 86_400


@pytest.fixture
def clock(monkeypatch):
    """The time, which the test moves."""
    now = [1_700_000_000.0]
    monkeypatch.setattr(sessions, "time", SimpleNamespace(time=lambda: now[0]))
    return now


@pytest.fixture
def key():
    store = sessions.SessionStore()
    store.limit(7 * DAY, DAY)
    store["cart"] = 1
    store.save()
    return store.session_key


def use(key):
    """A request with this session: what it holds."""
    store = sessions.SessionStore(key)
    cart = store.get("cart")
    if store.modified:
        store.save()
    return cart


def test_a_session_that_is_left_idle_ends(clock, key):
    clock[0] += DAY - 1
    assert use(key) == 1
    clock[0] += DAY - 1
    assert use(key) == 1
    clock[0] += DAY
    assert use(key) is None
    assert not sessions.SessionStore().exists(key)


def test_a_session_ends_at_its_age_however_much_it_is_used(clock, key):
    for _ in range(13):
        clock[0] += DAY / 2
        assert use(key) == 1
    clock[0] += DAY / 2

    assert use(key) is None
    assert not sessions.SessionStore().exists(key)


def test_a_session_in_use_is_written_once_in_a_while(clock, key):
    clock[0] += DAY / sessions.NOTED - 1
    assert not touched(key)
    clock[0] += 1
    assert touched(key)


def touched(key):
    store = sessions.SessionStore(key)
    store.get("cart")
    return store.modified


def test_the_cookie_and_the_row_live_as_long_as_the_session_may(clock, key):
    assert sessions.SessionStore(key).get_expiry_age() == DAY
    clock[0] += 7 * DAY - 60
    store = sessions.SessionStore()
    store.limit(60, DAY)
    assert store.get_expiry_age() == 60


def test_what_nobody_logged_in_with_lasts_as_django_says(settings):
    settings.SESSION_COOKIE_AGE = 1234
    assert sessions.SessionStore().get_expiry_age() == 1234
