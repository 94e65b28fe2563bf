"""How often somebody may try a password.

Per account and network, per network, and per account from anywhere. The last one
would let strangers lock an owner out, so a browser that has logged in to the
account before passes it (a device cookie, as OWASP describes it).
"""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse

from accounts import limits
from accounts.network import network_of

MINUTE = 60
COOKIE = "known-device"
COOKIE_SECONDS = 180 * 24 * 60 * MINUTE


class LogInAttempt:
    """Takes its tokens before the password is looked at, so that parallel tries count; success gives them back."""

    def __init__(self, request: HttpRequest, *, account: str) -> None:
        name, network = fingerprint(account), network_of(request)
        self._buckets = {
            f"login:{name}:{network}": (10, 15 * MINUTE),
            f"login:net:{network}": (60, 15 * MINUTE),
        }
        if not knows_device(request, account=account):
            self._buckets[f"login:all:{name}"] = (100, 60 * MINUTE)
        taken = [limits.take(key, size=size, seconds=seconds) for key, (size, seconds) in self._buckets.items()]
        self.allowed = all(taken)

    def succeeded(self) -> None:
        for key, (size, _) in self._buckets.items():
            limits.give_back(key, size=size)


def may_ask_for_reset(request: HttpRequest, *, account: str) -> bool:
    """Every mail we send on a stranger's word is limited: per account and per network."""
    by_network = limits.take(f"reset:net:{network_of(request)}", size=20, seconds=60 * MINUTE)
    return limits.take(f"reset:{fingerprint(account)}", size=5, seconds=60 * MINUTE) and by_network


def remember_device(response: HttpResponse, *, account: str, secure: bool) -> None:
    response.set_signed_cookie(
        COOKIE,
        fingerprint(account),
        salt="accounts.device",
        max_age=COOKIE_SECONDS,
        secure=secure,
        httponly=True,
        samesite="Lax",
    )


def knows_device(request: HttpRequest, *, account: str) -> bool:
    known = request.get_signed_cookie(COOKIE, default="", salt="accounts.device", max_age=COOKIE_SECONDS)
    return known == fingerprint(account)


def fingerprint(account: str) -> str:
    """What is typed as an account may be long, secret or foreign; the bucket's key shows nothing of it."""
    return hashlib.sha256(account.strip().lower().encode("utf-8", "replace")).hexdigest()[:32]
