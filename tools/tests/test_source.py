"""Edits of Python files keep what is there, and put the new beside it."""

from tools.new import source

OLD = '''"""Doc."""

from a import b

SIZE = 1  # kept


class Query:
    """Kept."""

    one = 1


if remote:
    from c import d
else:
    from e import f

NAMES = ["one"]
KEYS = {"one": 1}
'''


def test_imports_definitions_and_entries_are_merged_by_name():
    made = """from g import h
SIZE = 2


# Why.
class Two:
    pass


class Query:
    two = Two


if remote:
    from c import i
else:
    from e import f

NAMES = ["one", "two"]
KEYS = {"two": 2}


def last():
    return 1
"""
    merged = source.merged(OLD, made)

    assert "from a import b\nfrom g import h\n" in merged
    assert "SIZE = 1  # kept" in merged
    assert "SIZE = 2" not in merged
    assert merged.index("# Why.\nclass Two") < merged.index("class Query")
    assert "    one = 1\n    two = Two\n" in merged
    assert "    from c import d\n    from c import i\nelse:\n    from e import f\n" in merged
    assert 'NAMES = ["one", "two", ]\nKEYS = {"one": 1, "two": 2, }\n' in merged
    assert merged.endswith("def last():\n    return 1\n")


def test_a_line_stands_in_front_of_the_attribute_named_or_last():
    assert "    two: int\n    one = 1\n" in source.with_line(OLD, "Query", "two: int", ["one"])
    assert "    one = 1\n    two: int\n" in source.with_line(OLD, "Query", "two: int")
    assert source.with_line(OLD, "Other", "two: int") is None


def test_entries_go_in_front_of_the_closing_bracket():
    assert 'NAMES = ["one", "ü", ]' in source.with_entries(OLD, "NAMES", ['"ü"'])
    assert source.with_entries(OLD, "OTHER", ["1"]) is None
