import pytest
from django.conf import settings

from framework.web.mailbox import _previews

pytestmark = [pytest.mark.django_db, pytest.mark.urls("framework.web.mailbox")]


@pytest.mark.parametrize("name", sorted(_previews()))
def test_every_mail_has_a_preview_that_names_the_project(client, name):
    text = client.get(f"/mailbox/previews/{name}.plain").content.decode()

    assert text.startswith(f"[{settings.PROJECT_NAME}] ")
    assert "None" not in text
    assert client.get(f"/mailbox/previews/{name}.html").status_code == 200
