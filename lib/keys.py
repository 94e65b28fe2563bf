"""The server's secrets as keys of bytes."""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from cryptography.fernet import Fernet
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


def check_value(name: str) -> bytes:
    """By which a changed secret is noticed; says nothing about the secret."""
    return hashlib.blake2b(getattr(settings, name).encode(), person=b"check value", digest_size=32).digest()


def seal(text: str) -> bytes:
    """For what must be read again but not lie open in the database, such as a provider's token."""
    return _fernet(settings.SECRET_KEY).encrypt(text.encode())


def unseal(sealed: bytes) -> str:
    """Raises cryptography.fernet.InvalidToken under another SECRET_KEY."""
    return _fernet(settings.SECRET_KEY).decrypt(bytes(sealed)).decode()


@cache
def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derived(secret, "fields")))
