"""The embedded Valkey, which is broker and cache in one."""

import subprocess

import pytest
import redis

from framework.management.commands.valkey import command
from framework.testing.servers import free_port, wait_for_port


@pytest.fixture
def client(tmp_path):
    port = free_port()
    server = subprocess.Popen([*command(port, tmp_path), "--maxmemory", "4mb"], stdout=subprocess.DEVNULL)
    wait_for_port(port)
    with redis.Redis(port=port) as client:
        yield client
    server.terminate()
    server.wait()


def test_a_full_cache_does_not_stop_the_queue(client):
    for number in range(1_000):
        client.set(f"cached:{number}", "x" * 10_000, ex=3_600)
        client.rpush("celery", f"task {number}")

    assert client.llen("celery") == 1_000
    assert client.lindex("celery", 0) == b"task 0"
    assert client.info("stats")["evicted_keys"] > 0
