"""What is kept of the reader's side: enough to show how somebody said so, too little to follow them."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network

from django.http import HttpRequest

from accounts.network import address_of

_KEPT_BITS = {4: 24, 6: 48}  # no longer a single connection

_BROWSERS = (
    ("SamsungBrowser", "Samsung Internet"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def of(request: HttpRequest, *, language: str, said: str) -> dict[str, str]:
    return {
        "language": language,
        "text": said,
        "browser": _family(request.META.get("HTTP_USER_AGENT", "")[:300]),
        "network": _truncated(address_of(request)),
    }


def _truncated(address: str) -> str:
    if not address:
        return ""
    return str(ip_network(f"{address}/{_KEPT_BITS[6 if ':' in address else 4]}", strict=False))


@lru_cache(maxsize=500)
def _family(agent: str) -> str:
    browser = next((name for mark, name in _BROWSERS if mark in agent), "other")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "other")
    return f"{browser} / {system}"
