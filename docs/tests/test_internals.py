import re

import pytest
from django.conf import settings

LINE = re.compile(r"^\| [^|`]+ \| `(\w[\w.]*)` \| (\S+) \| [^|]+ \| (\S+)::(\w+) \|$", re.MULTILINE)
PAGE = (settings.BASE_DIR / "docs" / "internals.md").read_text()


def test_every_line_of_the_table_can_be_read():
    assert len(LINE.findall(PAGE)) == sum(line.startswith("| ") for line in PAGE.splitlines()) - 1


@pytest.mark.parametrize(("internal", "where", "test_file", "test"), LINE.findall(PAGE))
def test_an_internal_is_used_where_the_page_says_and_its_test_exists(internal, where, test_file, test):
    assert internal in (settings.BASE_DIR / where).read_text()
    assert f"def {test}(" in (settings.BASE_DIR / test_file).read_text()
