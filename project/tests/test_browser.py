"""What a person sees, in a real browser that reaches nothing but this server."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.accounts.tests.factories import PASSWORD, UserFactory

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    from playwright.sync_api import sync_playwright

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright's loop runs in the thread of the tests
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(chromium, live_server, settings) -> Iterator:
    settings.GRAPHIQL = True
    page = chromium.new_page(base_url=live_server.url)
    page.strangers = []

    def only_here(route):
        if route.request.url.startswith((live_server.url, "data:")):
            return route.continue_()
        page.strangers.append(route.request.url)
        return route.abort()

    page.route("**/*", only_here)
    yield page
    page.close()


def test_graphiql_shows_the_schema_and_runs_a_query_without_a_network(page):
    page.goto("/graphql#query={me{email}}")
    page.get_by_label("Execute query").click()
    page.locator(".result-window").get_by_text('"me"').wait_for()
    page.get_by_label("Show Documentation Explorer").click()
    page.get_by_role("link", name="Query", exact=True).click()
    page.get_by_role("link", name="me", exact=True).wait_for()

    assert page.strangers == []


@pytest.fixture
def app() -> Iterator[str]:
    """The origin of a page that is served elsewhere."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # a page that says 501 is one, too
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


SESSION = """async site => {
    const send = (path, method, headers, body) =>
        fetch(site + path, {method, credentials: "include", headers, body: JSON.stringify(body)});
    const json = {"Content-Type": "application/json"};
    const asked = await send("/graphql", "POST", json, {query: "{ csrfToken }"});
    const {csrfToken} = (await asked.json()).data;
    const headers = {...json, "X-CSRFToken": csrfToken, "X-Request-ID": "from-the-app"};
    const answer = await send("/accounts/browser/v1/auth/login", "POST", headers, {email: "a@b.de", password: "no"});
    return [answer.headers.get("X-Request-ID"), (await answer.json()).errors[0].code];
}"""


@pytest.mark.parametrize("allowed", [True, False])
def test_an_app_of_another_origin_has_a_session_if_it_is_allowed(chromium, live_server, settings, app, allowed):
    settings.CORS_ALLOWED_ORIGINS = [app] if allowed else ["http://localhost:1"]
    page = chromium.new_page()
    page.goto(app)

    if allowed:
        assert page.evaluate(SESSION, live_server.url) == ["from-the-app", "email_password_mismatch"]
    else:
        with pytest.raises(Exception, match="Failed to fetch"):
            page.evaluate(SESSION, live_server.url)
    page.close()


def test_staff_edit_a_user_in_the_admin(page):
    staff = UserFactory(is_staff=True, is_superuser=True)
    user = UserFactory(email="kim@example.com")
    page.goto("/admin/")
    page.get_by_label("Email").fill(staff.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign In", exact=True).click()
    page.get_by_role("link", name="Users").first.click()
    page.get_by_role("link", name="kim@example.com").click()
    page.get_by_label("Email").fill("robin@example.com")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text(re.compile("was changed successfully")).wait_for()

    user.refresh_from_db()
    assert user.email == "robin@example.com"
    assert page.strangers == []
