"""Opaque keyset cursors: the position after which a list goes on, signed for the one list it came from."""

from __future__ import annotations

from collections.abc import Sequence

from django.core import signing

LONGEST = 500


class InvalidCursor(ValueError):
    """Not a cursor of this list."""


def encode(position: Sequence[int | str], *, purpose: str) -> str:
    return signing.dumps(list(position), salt=f"cursor:{purpose}")


def decode(text: str, *, purpose: str) -> list[int | str]:
    """Raises InvalidCursor: also for another company's, another list's, or another filter's cursor."""
    try:
        if len(text) > LONGEST:
            raise InvalidCursor
        position = signing.loads(text, salt=f"cursor:{purpose}")
    except (signing.BadSignature, ValueError) as problem:
        raise InvalidCursor from problem
    return list(position)
