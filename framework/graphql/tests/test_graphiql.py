import hashlib
from pathlib import Path

import pytest
from django.test import Client

import framework

FOLDER = Path(framework.__file__).parent / "static" / "graphiql"
# As npm serves them: graphiql 2.4.7, react and react-dom 17.0.2.
SHA256 = {
    "graphiql.min.js": "9ff2ca6842eea42d47fcf53a8e8cfec9b7912474f6c4275e904b7a39830e3995",
    "graphiql.min.css": "3ac6ccf8b4077271478b4887ec050ab9e66f0dc101a32ff3e2127b8f1d5ca6c3",
    "react.production.min.js": "229bbf4d0e7488209564152c6723497f1ac3934136ca1684233d2fa88fa4146f",
    "react-dom.production.min.js": "9db33292007ab6c38527b39d5663e976a305564e19b2a5a8713ea2b2c00f505d",
}


@pytest.mark.parametrize("name", SHA256)
def test_a_vendored_file_is_what_npm_serves(name):
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == SHA256[name]


def test_every_vendored_script_has_its_licence_beside_it():
    assert {path.name for path in FOLDER.glob("*.LICENSE.txt")} == {"graphiql.LICENSE.txt", "react.LICENSE.txt"}


@pytest.fixture
def browser():
    return Client(headers={"host": "localhost", "accept": "text/html,application/xhtml+xml,*/*;q=0.8"})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
def test_a_browser_is_shown_graphiql_from_this_server_only(browser, settings, path):
    settings.GRAPHIQL = True
    page = browser.get(path).content.decode()

    assert "graphiql.min.js" in page
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.django_db
def test_a_browser_is_shown_no_graphiql_where_it_is_off(browser, settings):
    settings.GRAPHIQL = False

    assert browser.get("/graphql").headers["Content-Type"].startswith("application/")
