from types import SimpleNamespace

import pytest
from django.http import HttpResponse

from framework.web import timing


@pytest.mark.parametrize(
    ("took", "status", "slept"), [(0.01, 200, 0.24), (0.24, 400, 0.01), (0.26, 401, 0.24), (0.01, 429, None)]
)
def test_an_answer_comes_after_a_whole_number_of_steps(monkeypatch, took, status, slept):
    times, naps = iter([100.0, 100.0 + took]), []
    monkeypatch.setattr(timing, "time", SimpleNamespace(monotonic=lambda: next(times), sleep=naps.append))

    assert timing.in_steps(lambda request: HttpResponse(status=status))(None).status_code == status
    assert naps == ([] if slept is None else [pytest.approx(slept)])
