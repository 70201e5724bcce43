from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from apps.common.grpc.testing import LocalChannel
from apps.common.tests import probe


@contextmanager
def serving(interceptor=None, threads=4, **options):
    """The probe service on a free port: yields its address."""
    pool = ThreadPoolExecutor(threads)
    server = grpc.server(pool, interceptors=[interceptor or probe.chain()], **options)
    probe.register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
        pool.shutdown()


@pytest.fixture(params=["local", "network"])
def channel(request):
    """The same calls without and with a network."""
    if request.param == "local":
        yield LocalChannel(probe.register, probe.chain())
        return
    with serving() as address, grpc.insecure_channel(address) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return probe.Stub(channel)


@pytest.fixture
def act(monkeypatch):
    """Tell the probe's methods what to do."""

    def set_act(function):
        monkeypatch.setattr(probe.ProbeService, "act", staticmethod(function))

    return set_act
