import grpc
import pytest

from framework.grpc.tests import probe
from framework.testing import grpc as testing


def serving(interceptor=None, **options):
    """The probe service on a free port: yields its address."""
    return testing.serving(probe.register, interceptor or probe.chain(), **options)


@pytest.fixture(scope="module")
def address():
    """A server of the probe service that all tests of a module call."""
    with serving() as address:
        yield address


@pytest.fixture
def channel(address):
    with grpc.insecure_channel(address) as channel:
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
