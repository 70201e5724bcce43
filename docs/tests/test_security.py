import re

from django.conf import settings

PAGE = (settings.BASE_DIR / "docs" / "security.md").read_text()
# How many requirements each section of the two chapters has.
SECTIONS = {"6.1": 3, "6.2": 12, "6.3": 8, "6.4": 6, "6.5": 8, "6.6": 4, "6.7": 2, "6.8": 4}
SECTIONS |= {"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 3, "7.6": 2}


def test_every_requirement_has_its_line():
    found = re.findall(r"^\| (\d\.\d\.\d+) \| [^|]+ \| [^|]{5,} \|$", PAGE, re.MULTILINE)

    assert found == [f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)]


def test_each_test_that_holds_a_requirement_exists():
    named = re.findall(r"`(\S+)::(\w+)`", PAGE)

    assert len(named) > 30
    assert [
        f"{file}::{test}" for file, test in named if f"def {test}(" not in (settings.BASE_DIR / file).read_text()
    ] == []
