import json
import os
import selectors
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest
from gunicorn.config import Config

from framework.web import worker as web_worker

NAMES = [
    "workers",
    "threads",
    "graceful_timeout",
    "max_requests",
    "max_requests_jitter",
    "bind",
    "control_socket_disable",
    "forwarded_allow_ips",
]
PROGRAM = (
    f"import json; from framework.web import gunicorn as g; print(json.dumps([getattr(g, name) for name in {NAMES!r}]))"
)


def configured(tmp_path, **variables):
    kept = {name: os.environ[name] for name in ("PATH", "REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    environ = kept | {"DATA_DIR": str(tmp_path)} | variables
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=True)
    return dict(zip(NAMES, json.loads(done.stdout), strict=True))


def test_the_environment_decides(tmp_path):
    variables = {
        "WEB_WORKERS": "3",
        "WEB_THREADS": "8",
        "WEB_GRACE": "7",
        "WEB_MAX_REQUESTS": "1000",
        "HOST": "0.0.0.0",
    }

    assert configured(tmp_path, **variables) == {
        "workers": 3,
        "threads": 8,
        "graceful_timeout": 7,
        "max_requests": 1000,
        "max_requests_jitter": 100,
        "bind": "0.0.0.0:8000",
        "control_socket_disable": True,
        "forwarded_allow_ips": "",
    }


def test_a_worker_says_how_long_a_request_waited_for_a_thread(monkeypatch):
    waited = []
    monkeypatch.setattr(web_worker, "time", SimpleNamespace(monotonic=lambda: 102.5))
    monkeypatch.setattr(web_worker, "context", SimpleNamespace(arrive=waited.append))
    monkeypatch.setattr(web_worker.ThreadWorker, "handle", lambda self, conn: None)
    worker = web_worker.Worker(1, 1, [], None, 30, Config(), None)
    worker.handle(SimpleNamespace(queued_at=100.0))

    assert waited == [2.5]


def test_a_worker_that_stops_serves_who_has_connected_and_refuses_the_rest():
    listener = socket.create_server(("127.0.0.1", 0))
    clients = [socket.create_connection(listener.getsockname()) for _ in range(3)]
    worker = web_worker.Worker(1, 1, [listener], None, 30, Config(), None)
    served = []
    worker.enqueue_req = served.append
    worker.poller = selectors.DefaultSelector()
    worker.set_accept_enabled(True)
    address = listener.getsockname()
    worker.alive = False
    worker.set_accept_enabled(False)

    assert sorted(conn.client[1] for conn in served) == sorted(client.getsockname()[1] for client in clients)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    for end in (*clients, *(conn.sock for conn in served)):
        end.close()
