import pytest

from tools.management.commands import settings_docs


@pytest.mark.parametrize("path", settings_docs.files(), ids=lambda path: path.name)
def test_the_documents_of_the_settings_are_current(path):
    assert path.read_text() == settings_docs.files()[path], "run: ./run manage settings_docs"
