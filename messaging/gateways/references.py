"""By which name a provider knows a message of ours.

26 letters and digits, because one provider drops longer references and any other sign. Half of them is a keyed
check, so that the references of other systems on the same account are not taken for ours.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from lib.keys import link_key

LENGTH = 26
LARGEST = 2**63 - 1


def write(message_id: int) -> str:
    number = message_id.to_bytes(8)
    return base64.b32encode(number + _check(number)).decode().rstrip("=").lower()


def read(text: str) -> int | None:
    """The message's id, or None when we did not write this."""
    if len(text) != LENGTH or not text.isascii():
        return None
    try:
        written = base64.b32decode(text.upper() + "======")
    except binascii.Error:
        return None
    number, check = written[:8], written[8:]
    message_id = int.from_bytes(number)
    return message_id if hmac.compare_digest(check, _check(number)) and message_id <= LARGEST else None


def _check(number: bytes) -> bytes:
    return hmac.digest(link_key(), b"reference:" + number, "sha256")[:8]
