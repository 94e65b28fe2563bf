"""Where a webhook may go: never into the networks behind us (server-side request forgery).

Said when an endpoint is saved, and again for every single connection, because a name can lead elsewhere tomorrow.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from lib import outbound
from webhooks.models import LONGEST_URL

_UNWRITABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ufeff\u200b-\u200f\u202a-\u202e\ud800-\udfff]")
#: Names that no public DNS knows (RFC 6761, 6762, 8375, ICANN's .internal, and what routers use).
_PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa", "lan", "home", "corp", "intranet", "private", "test")


class Refused(ValueError):
    """No webhook goes there; the message says why and what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check(text: str) -> str:
    """The address of an endpoint as it is kept. Raises Refused.

    A name that leads nowhere yet may be saved; every delivery looks again.
    """
    url = parse(text)
    if settings.WEBHOOK_ALLOW_PRIVATE:
        return str(url)
    if url.scheme != "https" and not settings.DEBUG:
        raise Refused("not_https", _("Use an https:// address; what is told is about people."))
    host = url.host.rstrip(".").lower()
    if not _is_address(host) and (
        "." not in host or any(host == name or host.endswith(f".{name}") for name in _PRIVATE_NAMES)
    ):
        raise Refused("private", _private())
    with suppress(outbound.NoSuchHost):
        addresses(url.host, port_of(url))
    return str(url)


def parse(text: str) -> httpx.URL:
    """Raises Refused."""
    unreadable = Refused("not_a_url", _("Write it as https://host/path, without a user name and without #."))
    if len(text) > LONGEST_URL:
        raise Refused("too_long", _("An address has at most 500 characters."))
    if _UNWRITABLE.search(text):
        raise unreadable
    try:
        url = httpx.URL(text)
        host, port = url.raw_host, url.port
    except (httpx.InvalidURL, ValueError, UnicodeError) as problem:
        raise unreadable from problem
    if (
        url.scheme not in {"http", "https"}
        or not host
        or url.userinfo
        or url.fragment
        or "#" in text
        or not _is_port(port)
    ):
        raise unreadable
    if len(str(url)) > LONGEST_URL:
        raise Refused("too_long", _("An address has at most 500 characters."))
    return url


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port < 65_536


def port_of(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def addresses(host: str, port: int) -> list[str]:
    """The addresses behind a name, every one of them allowed. Raises outbound.NoSuchHost, Refused."""
    try:
        return outbound.addresses(host, port)
    except outbound.NotPublic as problem:
        raise Refused("private", _private()) from problem


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _private() -> str:
    return _("This host is in a private network, to which no webhook goes. Use one that is reachable from outside.")
