import json
import os
import selectors
import socket
import subprocess
import sys

import pytest
from gunicorn.config import Config

from project import capacity, web_worker

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
PROGRAM = f"import json; from project import gunicorn as g; print(json.dumps([getattr(g, name) for name in {NAMES!r}]))"


def configured(tmp_path, **variables):
    environ = {"PATH": os.environ["PATH"], "DEBUG": "1", "DATA_DIR": str(tmp_path), **variables}
    environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
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


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 8 CPUs and 16 GiB, and a container on it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4 * 2**20}[name])

    def limited(**files):
        for name, text in files.items():
            (tmp_path / name.replace("_max", ".max")).write_text(text)
        return tmp_path

    return limited


@pytest.mark.parametrize(
    ("files", "workers"),
    [
        ({}, 8),
        ({"cpu_max": "max 100000\n", "memory_max": "max\n"}, 8),
        ({"cpu_max": "250000 100000\n"}, 3),
        ({"cpu_max": "50000 100000\n"}, 2),
        ({"memory_max": f"{512 * 2**20}\n"}, 2),
        ({"memory_max": f"{128 * 2**20}\n"}, 1),
        ({"cpu_max": "400000 100000\n", "memory_max": f"{2**30}\n"}, 4),
    ],
)
def test_workers_fit_the_container(machine, files, workers):
    assert capacity.web_workers(machine(**files)) == workers


def test_the_older_kind_of_control_groups_is_read_too(machine):
    folder = machine()
    for name, text in {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "memory").mkdir()
    (folder / "memory" / "memory.limit_in_bytes").write_text(str(2**30))

    assert (capacity.cpus(folder), capacity.memory(folder)) == (3, 2**30)


def test_no_limit_is_written_as_minus_one(machine):
    folder = machine()
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text("-1")

    assert capacity.cpus(folder) == 8
