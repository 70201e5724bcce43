"""What `manage.py explain` says is what the code has."""

import io
import json

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from framework import discovery


def printed(*args):
    out = io.StringIO()
    call_command("explain", *args, stdout=out)
    return out.getvalue()


def test_all_domains_with_whom_they_call():
    found = json.loads(printed("--json"))

    assert found["domains"].keys() == settings.DOMAINS.keys()
    assert found["settings"]["DEBUG"].startswith("Development mode")
    assert "/graphql" in found["routes"]
    for name, package in settings.DOMAINS.items():
        assert found["domains"][name].get("calls", []) == list(discovery.calls(package))


@pytest.mark.parametrize("name", list(settings.DOMAINS))
def test_every_place_of_a_field_names_it(name):
    (described,) = json.loads(printed(name, "--json")).values()

    places = [
        (field, place) for fields in described["fields"].values() for field, found in fields.items() for place in found
    ]
    assert {place.partition(":")[0] for _, place in places} >= {f"apps/{name}/models.py"}
    for field, place in places:
        path, _, number = place.partition(":")
        assert field in (settings.BASE_DIR / path).read_text().splitlines()[int(number) - 1]


def test_as_text_a_domain_comes_with_its_name_first():
    name = next(iter(settings.DOMAINS))

    assert printed(name).splitlines()[0] == name


def test_an_unknown_domain_is_refused_with_those_that_are_here():
    with pytest.raises(CommandError, match=r"There is no domain 'nothing'\. Here are: accounts"):
        printed("nothing")
