from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from framework import discovery


@pytest.fixture
def caller(tmp_path, monkeypatch):
    """A domain that calls accounts."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "acme_billing"
    (folder / "tests").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "services.py").write_text(
        "from apps.accounts import public as accounts\nfrom apps.billing import tasks\n"
    )
    (folder / "tests" / "factories.py").write_text("from apps.catalog import public as catalog\n")
    return {"billing": "acme_billing"}


def test_a_domain_whose_callee_is_nowhere_refuses_to_start(caller):
    with pytest.raises(ImproperlyConfigured) as refused:
        discovery.check_calls(caller, {})

    assert str(refused.value) == "The domain 'billing' calls 'accounts': add it to DOMAINS, or set ACCOUNTS_URL."


def test_a_callee_may_be_here_or_elsewhere(caller):
    discovery.check_calls(caller | {"accounts": "apps.accounts"}, {})
    discovery.check_calls(caller, {"accounts": "grpc://accounts:50051"})


def test_two_domains_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(discovery, "_is_domain", lambda _: True)
    with pytest.raises(ImproperlyConfigured, match=r"two domains .accounts.: apps.accounts and acme.accounts"):
        discovery.packages(["acme.accounts"])


def test_a_name_that_two_modules_declare_is_refused_and_both_are_named():
    one, two = ModuleType("apps.one.schema"), ModuleType("apps.two.schema")

    with pytest.raises(ImproperlyConfigured) as refused:
        discovery.unique("GraphQL Query field", [("product", one), ("user", one), ("product", two)])
    assert str(refused.value) == (
        "The GraphQL Query field 'product' is declared by both apps.one.schema and apps.two.schema."
    )


def test_a_module_that_is_absent_is_passed_over_and_a_broken_one_is_not(settings, tmp_path, monkeypatch):
    folder = tmp_path / "brokendomain"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "schema.py").write_text("import nothing_of_this_name")
    monkeypatch.syspath_prepend(tmp_path)
    settings.DOMAINS = {"brokendomain": "brokendomain"}

    assert list(discovery.modules("rpc")) == []
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        list(discovery.modules("schema"))
