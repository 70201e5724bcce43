"""The attacks of `./run bench abuse`, few of each: every answer has the right code, and the server goes on."""

import random

import pytest

from apps.catalog.tests.factories import ProductFactory
from benchmarks import abuse, abuse_web
from framework.grpc import server as grpc_server
from framework.grpc import service as rpc
from framework.testing.grpc import serving


@pytest.fixture
def address(settings, monkeypatch):
    settings.GRPC_TOKENS = f"abuse:{abuse.TOKEN}"
    monkeypatch.setattr(abuse, "IN_FLIGHT", 10)
    random.seed(1)
    with serving(rpc.register, grpc_server.chain()) as address:
        yield address


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", abuse.ATTACKS, ids=lambda attack: attack.name)
def test_the_server_survives(attack, address):
    ProductFactory()

    codes = attack.run(address, max(6, attack.times // 100))

    assert codes
    assert codes.keys() <= attack.allowed
    abuse.check_alive(address, attack.name)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attack", abuse_web.ATTACKS, ids=lambda attack: attack.name)
def test_the_web_server_survives(attack, live_server, monkeypatch):
    monkeypatch.setattr(abuse_web, "SOCKETS", 5)
    monkeypatch.setattr(abuse_web, "CONNECTIONS", 2)
    ProductFactory()
    port = live_server.thread.port
    codes = attack.run(port, 0.3)

    assert codes
    assert codes.keys() <= attack.allowed
    assert abuse_web.observe(port, 0.1).failed == 0
