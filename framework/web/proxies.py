"""Who asks, and whether over HTTPS, as told by the proxies in TRUSTED_PROXIES and by nobody else."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]


def real_client(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Put the client's own address and scheme in the place of the proxy's, before anything looks at them."""

    def respond(request: HttpRequest) -> HttpResponse:
        correct(request.META, networks(settings.TRUSTED_PROXIES))
        return get_response(request)

    return respond


def networks(names: Iterable[str]) -> Networks:
    return tuple(ip_network(name) for name in names)


def correct(environ: dict[str, Any], trusted: Networks) -> None:
    """Change REMOTE_ADDR and the scheme if a trusted proxy says so; take out what proxies say in any case."""
    hops = environ.pop("HTTP_X_FORWARDED_FOR", "").split(",")
    scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
    peer = _address(environ.get("REMOTE_ADDR", ""))
    if peer is None or not _is_in(peer, trusted):
        return
    environ["REMOTE_ADDR"] = str(_client(peer, hops, trusted))
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme


def _client(peer: Address, hops: list[str], trusted: Networks) -> Address:
    """The last address that a trusted proxy has seen itself; what stands left of it anyone may have written."""
    client = peer
    for hop in reversed(hops):
        address = _address(hop.strip())
        if address is None:
            break
        client = address
        if not _is_in(address, trusted):
            break
    return client


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)
