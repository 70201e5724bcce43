"""Size and shape: what counts, and that a failure names what is over a limit."""

import pytest

from tools import shape

FUNCTION = "def f():\n    return 1\n"


@pytest.fixture
def tree(tmp_path):
    for name, text in {
        "framework/data/keys.py": FUNCTION,
        "framework/data/__init__.py": "",
        "framework/data/tests/test_keys.py": FUNCTION * 99,
        "framework/testing/plugin.py": FUNCTION * 99,
        "apps/shop/migrations/0001_initial.py": FUNCTION * 99,
        "apps/shop/models.py": "class A:\n    x = 1\n\n    def f(self):\n        return 1\n",
        "project/env.py": "x = 1\n",
        "protos/shop/v1/shop_pb2.py": FUNCTION * 99,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def over(tree):
    return shape.problems(shape.lines_of_files(tree), list(shape.lines_of_functions(tree)))


def test_production_code_counts_and_nothing_else(tree):
    assert shape.lines_of_files(tree) == {"framework/data/keys.py": 2, "apps/shop/models.py": 5, "project/env.py": 1}
    assert list(shape.lines_of_functions(tree)) == [("framework/data/keys.py:1 f", 2), ("apps/shop/models.py:4 f", 2)]
    assert over(tree) == []


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("ALL_LINES", 7, "lines in all: 8, allowed are 7. The longest: apps (5), framework (2), project (1)"),
        ("PRODUCT_LINES", 5, "lines in apps and project: 6, allowed are 5. The longest: apps/shop/models.py (5)"),
        ("PROJECT_LINES", 0, "lines in project: 1, allowed are 0. The longest: project/env.py (1)"),
        ("PROJECT_MODULES", 0, "modules in project: 1, allowed are 0. The longest: project/env.py (1)"),
        ("FILE_LINES", 4, "lines of nine in ten files: 5, allowed are 4. The longest: apps/shop/models.py (5)"),
        (
            "FUNCTION_LINES",
            1,
            "lines of nine in ten functions: 2, allowed are 1. The longest: framework/data/keys.py:1",
        ),
        ("FUNCTION_MEDIAN", 1, "lines of the median function: 2, allowed are 1. The longest: framework/data/keys.py"),
    ],
)
def test_what_is_over_a_limit_is_named(tree, monkeypatch, limit, value, message):
    monkeypatch.setattr(shape, limit, value)

    (found,) = over(tree)
    assert found.startswith(message)


def test_a_product_may_grow_but_not_its_files_and_functions(tree, monkeypatch):
    for limit in ("ALL_LINES", "PRODUCT_LINES", "PROJECT_LINES", "PROJECT_MODULES", "FILE_LINES"):
        monkeypatch.setattr(shape, limit, 0)
    files = shape.lines_of_files(tree)

    assert [line.partition(":")[0] for line in shape.problems(files, [("f", 1)], is_product=True)] == [
        "lines of nine in ten files"
    ]
