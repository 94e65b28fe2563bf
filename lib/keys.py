"""The server's secrets as keys of bytes."""

from __future__ import annotations

import hashlib
from functools import cache

from django.conf import settings


@cache
def _derived(secret: str, purpose: str) -> bytes:
    return hashlib.blake2b(secret.encode(), person=purpose.encode()[:16], digest_size=32).digest()


def digest_key() -> bytes:
    """Key of the address digests (DIGEST_KEY). Changing it would set erased people free."""
    return _derived(settings.DIGEST_KEY, "digest")


def link_key() -> bytes:
    """Key of codes and receipts (LINK_KEY)."""
    return _derived(settings.LINK_KEY, "link")
