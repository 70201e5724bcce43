"""The client's address and scheme, as told by the proxies in TRUSTED_PROXIES and by nobody else."""

from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]


@cache
def networks(names: Iterable[str]) -> Networks:
    return tuple(ip_network(name) for name in names)


def apply_forwarded(environ: dict[str, Any], trusted: Networks) -> None:
    """Set REMOTE_ADDR and the scheme to what a trusted proxy forwards; remove the headers in any case."""
    hops = environ.pop("HTTP_X_FORWARDED_FOR", "").split(",")
    scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip()
    peer = _address(environ.get("REMOTE_ADDR", "")) if trusted else None
    if peer is None or not _is_in(peer, trusted):
        return
    environ["REMOTE_ADDR"] = str(_client(peer, hops, trusted))
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme


def _client(peer: Address, hops: list[str], trusted: Networks) -> Address:
    """The last address that a trusted proxy has seen itself; clients may have written what is left of it."""
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
