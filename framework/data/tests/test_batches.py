import pytest

from framework import context
from framework.data import batches
from framework.data.batches import thin
from framework.errors import DeadlineExceeded


def test_a_table_is_thinned_batch_by_batch_until_too_few_are_left(monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 5)
    left = [5, 5, 3, 5]
    thin(lambda batch: left.pop(0))

    assert left == [5]


def test_thinning_ends_with_its_time():
    sizes = []
    with pytest.raises(DeadlineExceeded), context.within(-1):
        thin(lambda batch: sizes.append(batch) or batch)

    assert sizes == [batches.BATCH]
