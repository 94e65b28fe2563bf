"""Connections to hosts that a customer named: out into the world, never into the networks behind us.

A name can lead elsewhere tomorrow, so what counts is the address at the moment of the connection.
"""

from __future__ import annotations

import ipaddress
import socket

from django.conf import settings

#: IANA's special-purpose registries; `ipaddress` knows only some of them.
_SPECIAL_V4 = [
    ipaddress.IPv4Network(net)
    for net in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
]
#: Only this is global unicast: everything else (mapped, NAT64, unique local, link-local, multicast) is refused unseen.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
#: Within it: Teredo, ORCHID and benchmarks; documentation; 6to4, which carries any IPv4 address.
_SPECIAL_V6 = [ipaddress.IPv6Network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


class NoSuchHost(OSError):
    """The name leads nowhere at this moment."""


class NotPublic(OSError):
    """The name leads into a private network."""


def is_public(text: str) -> bool:
    """Whether an address is out in the world; what we cannot read is not."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in net for net in _SPECIAL_V4)
    return address.scope_id is None and address in _GLOBAL_V6 and not any(address in net for net in _SPECIAL_V6)


def resolve(host: str, port: int) -> list[str]:
    """Raises NoSuchHost. Reads whatever the system reads: 127.1, 0x7f000001 and 2130706433 are 127.0.0.1 to it."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError, OverflowError) as problem:
        raise NoSuchHost(host) from problem
    return list(dict.fromkeys(str(sockaddr[0]) for *_rest, sockaddr in found))


def addresses(host: str, port: int) -> list[str]:
    """The addresses behind a name, every one of them allowed. Raises NoSuchHost, NotPublic."""
    found = resolve(host, port)
    if not settings.WEBHOOK_ALLOW_PRIVATE and not all(map(is_public, found)):
        raise NotPublic(host)
    return found


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """To an address that was looked at, not to a name that is looked up a second time. Raises OSError."""
    found = addresses(host, port)
    for address in found[:-1]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError:
            continue
    return socket.create_connection((found[-1], port), timeout)
