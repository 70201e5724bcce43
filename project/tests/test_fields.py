"""A field that one place of a domain has and another lacks is named, unless the domain says why."""

import pytest
from django.conf import settings

from framework import discovery
from framework.testing.fields import lacking, undemonstrated

DOMAINS = list(discovery.modules("tests.left_out"))
LEFT_OUT = {module.__name__.removesuffix(".tests.left_out"): module.LEFT_OUT for module in DOMAINS}
HOW = "add the field where it is missing, or say why not in LEFT_OUT of tests/left_out.py"


def left_out(package: str, *, demo: bool) -> set[str]:
    return {place for place in LEFT_OUT.get(package, {}) if place.startswith("demo ") == demo}


@pytest.mark.parametrize("package", settings.DOMAINS.values())
def test_model_entities_graphql_and_admin_have_the_same_fields_or_say_why_not(package):
    assert lacking(package) == left_out(package, demo=False), HOW


@pytest.mark.django_db
@pytest.mark.parametrize("demo", list(discovery.modules("demo")))
def test_demo_data_shows_each_field_or_says_why_not(demo):
    package = demo.__name__.removesuffix(".demo")
    demo.load()

    assert undemonstrated(package) == left_out(package, demo=True), HOW
