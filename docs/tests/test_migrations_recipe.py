"""The recipe of docs/migrations.md for filling a column, run on users, of whom each installation has a table."""

import re

import pytest
from celery import current_app, shared_task
from django.conf import settings
from django.contrib.auth import get_user_model

from framework.queue import table
from framework.queue.models import QueuedTask

(RECIPE,) = re.findall(r"(?ms)^```python fill\n(.*?)^```$", (settings.BASE_DIR / "docs" / "migrations.md").read_text())
NAME = "docs.fill"


@pytest.fixture
def fill():
    code = RECIPE.replace("weight=None", "is_active=False").replace("weight=0", "is_active=True")
    names = {"Product": get_user_model(), "shared_task": shared_task, "table": table, "BATCH": 2}
    exec(code.replace("catalog.fill_weights", NAME), names)
    yield names["fill_weights_in_batches"]
    current_app.tasks.pop(NAME)


@pytest.mark.django_db
@pytest.mark.parametrize("rows", [0, 1, 4, 5])
def test_the_recipe_fills_every_row_in_batches_and_ends(fill, rows, run_queued_tasks):
    users = get_user_model().objects
    for number in range(rows):
        users.create_user(f"{number}@example.com", is_active=False)
    fill()
    assert users.filter(is_active=True).count() == min(rows, 2)
    assert list(QueuedTask.objects.values_list("task", "priority")) == [(NAME, table.BULK)] * (rows >= 2)
    run_queued_tasks()

    assert not users.filter(is_active=False).exists()
    assert not QueuedTask.objects.exists()
