import grpc
import pytest

from framework.grpc.tests import probe
from framework.testing import grpc as testing


def serving(interceptor=None, **options):
    """The probe service on a free port: yields its address."""
    return testing.serving(probe.register, interceptor or probe.chain(), **options)


@pytest.fixture(params=["local", "network"])
def channel(request):
    """The same calls without and with a network."""
    if request.param == "local":
        yield testing.LocalChannel(probe.register, probe.chain())
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
