"""Network addresses of callers: who is counted together, and what may be kept as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

_COUNTED = {4: 32, 6: 64}  # one household or office has a whole /64 of IPv6
_KEPT = {4: 24, 6: 48}  # no longer a single connection


def caller(meta: Mapping[str, Any], *, trusted_proxies: int) -> IPv4Address | IPv6Address | None:
    """The caller's address; X-Forwarded-For counts only as far as our own proxies wrote it. None on a socket."""
    written = str(meta.get("REMOTE_ADDR", ""))
    if trusted_proxies:
        hops = str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")
        if len(hops) >= trusted_proxies and hops[-trusted_proxies].strip():
            written = hops[-trusted_proxies].strip()
    try:
        address = ip_address(written)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def counted_as(address: IPv4Address | IPv6Address | None) -> str:
    """The network that attempts are counted for."""
    return _network(address, _COUNTED)


def truncated(address: IPv4Address | IPv6Address | None) -> str:
    """What may stand in evidence."""
    return _network(address, _KEPT)


def _network(address: IPv4Address | IPv6Address | None, bits: dict[int, int]) -> str:
    if address is None:
        return ""
    return str(ip_network((address, bits[address.version]), strict=False))
