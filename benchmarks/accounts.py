"""`./run bench accounts`: whether an answer, or the time it takes, tells who has an account.

Pairs of an address that has an account and one that has none are asked about where a stranger can name an address.
What is answered has to be the same; a threshold on the time, learned from half of the pairs, has to be right about
the other half as often as a coin. Limits count per client, so each request comes from another one.
"""

import argparse
import contextlib
import ipaddress
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import requests

from benchmarks.servers import Server, running
from framework.testing.servers import free_port, valkey

PASSWORD, AT_ONCE, TOLERANCE = "correct-horse-battery", 4, 3.0
PLACES: dict[str, tuple[str, dict[str, str]]] = {
    "register": ("/auth/signup", {"password": "another-battery-staple"}),
    "log in": ("/auth/login", {"password": "wrong-battery-staple"}),
    "forgotten password": ("/auth/password/request", {}),
    "change of address": ("/account/email", {}),
}
VARYING = {"Date", "Expires", "X-Request-ID", "Set-Cookie"}
FILL = """
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from apps.accounts.models import User
hashed = make_password("{password}")
names = [f"{{kind}}{{number:06}}@example.com" for kind in ("known", "owner") for number in range({number})]
users = User.objects.bulk_create(User(email=name, password=hashed) for name in names)
EmailAddress.objects.bulk_create(EmailAddress(user=u, email=u.email, verified=True, primary=True) for u in users)
"""


class Answer(NamedTuple):
    told: str
    seconds: float


class Page:
    """A browser on an address of its own."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}/accounts/browser/v1"
        self.session = requests.Session()
        self.ask("GET", "/config", None)

    def ask(self, method: str, path: str, body: Mapping[str, str] | None) -> tuple[requests.Response, float]:
        client = str(ipaddress.ip_address(random.getrandbits(31) | 1 << 24))
        headers = {"X-Forwarded-For": client, "X-CSRFToken": self.session.cookies.get("backend-csrftoken", "")}
        start = time.perf_counter()
        answer = self.session.request(method, self.base + path, json=body, headers=headers, timeout=30)
        return answer, time.perf_counter() - start

    def close(self) -> None:
        self.session.close()


def ask(port: int, place: str, number: int, kind: str) -> Answer:
    with contextlib.closing(Page(port)) as page:
        return _ask(page, place, number, f"{kind}{number:06}@example.com")


def _ask(page: Page, place: str, number: int, email: str) -> Answer:
    path, body = PLACES[place]
    if place == "change of address":
        page.ask("POST", "/auth/login", {"email": f"owner{number:06}@example.com", "password": PASSWORD})
        page.ask("POST", "/auth/reauthenticate", {"password": PASSWORD})
    answer, seconds = page.ask("POST", path, {"email": email} | body)
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    told = f"{answer.status_code} {headers} {sorted(answer.cookies.keys())} {answer.text}"
    return Answer(told.replace(email, "EMAIL").replace(f"owner{number:06}", "OWNER"), seconds)


def pair(port: int, place: str, number: int) -> dict[str, Answer]:
    """An address with an account and one without, in any order."""
    kinds = random.sample(["known", "other"], 2)
    return {kind: ask(port, place, number, kind) for kind in kinds}


def accuracy(pairs: Sequence[dict[str, Answer]]) -> float:
    """Of a hundred times in the second half, how often the best threshold of the first half is right."""
    half = len(pairs) // 2
    learned = [(each[kind].seconds, kind) for each in pairs[:half] for kind in each]
    cuts = sorted(seconds for seconds, _ in learned)[:: max(1, half // 50)]
    cut, slow = max(((cut, slow) for cut in cuts for slow in ("known", "other")), key=partial(_right, learned))
    tested = [(each[kind].seconds, kind) for each in pairs[half:] for kind in each]
    return 100 * _right(tested, (cut, slow)) / len(tested)


def _right(times: Sequence[tuple[float, str]], rule: tuple[float, str]) -> int:
    cut, slow = rule
    return sum((seconds > cut) == (kind == slow) for seconds, kind in times)


def report(place: str, pairs: Sequence[dict[str, Answer]]) -> bool:
    """Whether nothing was told."""
    unlike = [each for each in pairs if each["known"].told != each["other"].told]
    right = accuracy(pairs)
    allowed = max(TOLERANCE, 300 * 0.5 / len(pairs) ** 0.5)  # of few pairs, chance alone takes more
    good = not unlike and abs(right - 50) <= allowed
    print(f"{place:20} {len(pairs)} pairs, {len(unlike)} unlike; time alone is right in {right:.1f} %"
          f" (50 +- {allowed:.1f}) {'ok' if good else 'TELLS'}", flush=True)  # fmt: skip
    if unlike:
        print(f"  {unlike[0]['known'].told}\n  {unlike[0]['other'].told}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench accounts", description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000, metavar="N", help="at each place")
    parser.add_argument("--quick", action="store_true", help="100 pairs")
    options = parser.parse_args()
    number = 100 if options.quick else options.pairs
    with tempfile.TemporaryDirectory() as folder, valkey() as redis:
        port = free_port()
        values: dict[str, Any] = {"DEBUG": "1", "REDIS_URL": redis, "DATA_DIR": folder, "PORT": str(port)}
        environment = os.environ | values | {"TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "WARNING", "WEB_WORKERS": "1"}
        manage = [sys.executable, "manage.py"]
        subprocess.run([*manage, "migrate", "-v0"], env=environment, check=True)
        fill = FILL.format(password=PASSWORD, number=number)
        subprocess.run([*manage, "shell", "-v0", "-c", fill], env=environment, check=True)
        command = [sys.executable, "-m", "gunicorn", "-c", "python:project.gunicorn", "project.wsgi"]
        web = Server("web", command, environment, port, Path(folder) / "web.log")
        with running([web]), ThreadPoolExecutor(AT_ONCE) as pool:
            found = [report(p, list(pool.map(partial(pair, port, p), range(number)))) for p in PLACES]
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main())
