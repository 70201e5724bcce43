import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import resolve

from framework.graphql.bounded import RateLimit
from framework.web.middleware import apply_forwarded, networks, unit_of_work

TRUSTED = networks(("10.0.0.0/8", "fd00::/8"))


def corrected(peer, forwarded_for="", scheme="", trusted=TRUSTED):
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http"}
    environ |= {"HTTP_X_FORWARDED_FOR": forwarded_for, "HTTP_X_FORWARDED_PROTO": scheme}
    apply_forwarded(environ, trusted)
    return environ


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("10.0.0.2", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the client wrote the first one itself
        ("10.0.0.2", "10.0.0.7, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("10.0.0.2", "10.0.0.7", "10.0.0.7"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", "203.0.113.9, nonsense", "10.0.0.2"),
        ("::ffff:10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("fd00::2", "2001:db8::9", "2001:db8::9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_client_is_whom_the_last_trusted_proxy_saw(peer, forwarded_for, client):
    assert corrected(peer, forwarded_for)["REMOTE_ADDR"] == client


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("10.0.0.2", "https", "https"),
        ("10.0.0.2", "http", "http"),
        ("10.0.0.2", "https, http", "http"),  # the proxy nearest to here is the last
        ("10.0.0.2", "gopher", "http"),
        ("203.0.113.9", "https", "http"),
    ],
)
def test_the_scheme_is_what_a_trusted_proxy_says(peer, said, scheme):
    assert corrected(peer, scheme=said)["wsgi.url_scheme"] == scheme


def test_nobody_is_trusted_by_default(settings):
    assert settings.TRUSTED_PROXIES == ()
    assert corrected("127.0.0.1", "203.0.113.9", "https", networks(()))["REMOTE_ADDR"] == "127.0.0.1"


def test_what_proxies_say_is_gone_for_all_that_comes_after():
    assert set(corrected("203.0.113.9", "198.51.100.1", "https")) == {"REMOTE_ADDR", "wsgi.url_scheme"}


@pytest.mark.parametrize(("peer", "client"), [("10.0.0.2", "198.51.100.1"), ("203.0.113.9", "203.0.113.9")])
def test_views_see_the_client_and_no_header_of_a_proxy(settings, peer, client):
    settings.TRUSTED_PROXIES = ("10.0.0.0/8",)
    seen = []
    respond = unit_of_work(lambda request: seen.append(request) or HttpResponse())
    respond(RequestFactory().get("/", headers={"x-forwarded-for": "198.51.100.1"}, REMOTE_ADDR=peer))

    assert seen[0].META["REMOTE_ADDR"] == client
    assert "x-forwarded-for" not in seen[0].headers


def ask(peer, forwarded_for):
    return Client(REMOTE_ADDR=peer).get("/graphql?query={__typename}", headers={"x-forwarded-for": forwarded_for})


@pytest.fixture
def limited(settings, monkeypatch):
    """Two requests a minute for each address; 10.0.0.0/8 are proxies."""
    settings.TRUSTED_PROXIES = ("10.0.0.0/8",)
    monkeypatch.setattr(resolve("/graphql").func, "rate", RateLimit(2))


@pytest.mark.django_db
def test_a_client_cannot_change_its_address_to_pass_the_rate_limit(limited):
    answers = [ask("203.0.113.9", f"198.51.100.{number}").status_code for number in range(3)]

    assert answers == [200, 200, 429]


@pytest.mark.django_db
def test_a_client_behind_the_proxy_uses_up_only_its_own_limit(limited):
    answers = [ask("10.0.0.2", "203.0.113.9").status_code for _ in range(3)]

    assert answers == [200, 200, 429]
    assert ask("10.0.0.2", "203.0.113.10").status_code == 200
