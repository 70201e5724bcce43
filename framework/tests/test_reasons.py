"""What is raised is declared, and what is declared is raised; of the framework itself, too."""

from pathlib import Path

import pytest

import framework
from framework import reasons
from framework.errors import BY_CODE, InvalidArgument
from framework.testing.reasons import check_declared, differences, raised
from framework.tests.library import public, rules

PACKAGE = "framework.tests.library"


def test_the_framework_raises_what_it_declares():
    own = {*reasons.ANY, *reasons.GRPC} - BY_CODE.keys()

    assert raised(Path(framework.__file__).parent).keys() == own


def test_a_reason_that_is_not_literal_stands_for_itself(tmp_path):
    (tmp_path / "rules.py").write_text('a = NotFound("", reason="GONE")\nb = errors.Aborted("", reason=f"{x}_TAKEN")\n')

    assert raised(tmp_path) == {"GONE": "rules.py:1", "f'{x}_TAKEN'": "rules.py:2"}


def test_a_reason_that_is_not_declared_is_named_with_its_place(monkeypatch):
    assert differences(PACKAGE) == []
    monkeypatch.setattr(rules, "REASONS", {"get_book": ("BOOK_LOST",)})

    assert differences(PACKAGE) == [
        f"repository.py:17 raises BOOK_NOT_FOUND, which REASONS of {PACKAGE}.rules lacks",
        f"REASONS of {PACKAGE}.rules has BOOK_LOST, which nothing raises",
    ]


def test_a_function_refuses_for_its_own_reasons_only():
    check_declared(public.get_book, InvalidArgument("No.", reason="BOOK_NOT_FOUND"))
    check_declared(public.add_book, InvalidArgument("No."))
    with pytest.raises(AssertionError, match="add_book raised BOOK_NOT_FOUND: declare it in REASONS of"):
        check_declared(public.add_book, InvalidArgument("No.", reason="BOOK_NOT_FOUND"))
