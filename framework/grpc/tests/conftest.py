import grpc
import pytest

from framework.grpc.tests import echo
from framework.testing import grpc as testing


def serving(interceptor=None, **options):
    """The echo service on a free port: yields its address."""
    return testing.serving(echo.register, interceptor or echo.chain(), **options)


@pytest.fixture(scope="module")
def address():
    """A server of the echo service that all tests of a module call."""
    with serving() as address:
        yield address


@pytest.fixture
def channel(address):
    with grpc.insecure_channel(address) as channel:
        yield channel


@pytest.fixture
def stub(channel):
    return echo.Stub(channel)


@pytest.fixture
def act(monkeypatch):
    """Tell the methods of the echo service what to do."""

    def set_act(function):
        monkeypatch.setattr(echo.EchoService, "act", staticmethod(function))

    return set_act
