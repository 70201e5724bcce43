"""Answers whose time tells nothing."""

import time
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse

STEP = 0.25  # seconds; more than any of these answers takes on an idle machine


def in_steps(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answers a multiple of STEP after the request came, so that its time does not tell what was found.

    A refusal for a rate (429) found nothing, and is answered at once.
    """

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        start = time.monotonic()
        response = view(request, *args, **kwargs)
        if response.status_code != 429:
            time.sleep((start - time.monotonic()) % STEP)
        return response

    return answer
