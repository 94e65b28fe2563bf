"""Message id ↔ code: a keyed permutation, written in Crockford's base32 (pure).

SMS: seven characters are 35 bits, and the number that must be typed is the second
factor. E-mail links name the address by themselves, so they carry a tag of 130 bits.
"""

from __future__ import annotations

import hmac

from lib.permutation import Permutation

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {c: n for n, c in enumerate(ALPHABET)}
_VALUE |= {c.lower(): n for c, n in _VALUE.items()}
_VALUE |= {"O": 0, "o": 0, "I": 1, "i": 1, "L": 1, "l": 1}
_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
TAG_LENGTH = 26  # characters of 5 bits: 130 bits, over the 128 that a link which acts by itself needs
LONGEST = 9


class Codes:
    """Codes under one key. Ids beyond 32**length get one character more, and so on."""

    def __init__(self, key: bytes, length: int = 7) -> None:
        if not 6 <= length <= LONGEST:
            raise ValueError("length must be between 6 and 9")
        self._key = key
        self.length = length
        self._permutations: dict[int, Permutation] = {}

    def encode(self, message_id: int) -> str:
        length = self.length
        while message_id >= 32**length:
            length += 1
        return _text(self._permutation(length).forward(message_id), length)

    def decode(self, text: str) -> int | None:
        """None for what cannot be a code. Case, hyphens and O, I, L do not matter."""
        digits = [c for c in text if c != "-"]
        if not self.length <= len(digits) <= LONGEST or any(c not in _VALUE for c in digits):
            return None
        number = 0
        for c in digits:
            number = number << 5 | _VALUE[c]
        message_id = self._permutation(len(digits)).backward(number)
        if len(digits) > self.length and message_id < 32 ** (len(digits) - 1):
            return None  # would have been written shorter
        return message_id

    def encode_tagged(self, message_id: int) -> str:
        return self.encode(message_id) + self._tag(message_id, "e-mail")

    def decode_tagged(self, text: str) -> int | None:
        """None unless every character of the tag is right."""
        text = "".join(c for c in text if c != "-")
        message_id = self.decode(text[:-TAG_LENGTH])
        if message_id is None or not self._is_tag(text[-TAG_LENGTH:], message_id, "e-mail"):
            return None
        return message_id

    def receipt(self, message_id: int, purpose: str) -> str:
        """Proof, for the address bar, that something was done with this link."""
        return self._tag(message_id, f"receipt:{purpose}")

    def check_receipt(self, message_id: int, purpose: str, receipt: str) -> bool:
        return self._is_tag(receipt, message_id, f"receipt:{purpose}")

    def _is_tag(self, given: str, message_id: int, purpose: str) -> bool:
        written = "".join(ALPHABET[_VALUE[c]] if c in _VALUE else "?" for c in given)
        return hmac.compare_digest(written, self._tag(message_id, purpose))

    def _tag(self, message_id: int, purpose: str) -> str:
        mac = hmac.digest(self._key, f"{purpose}:{message_id}".encode(), "sha256")
        return _text(int.from_bytes(mac) >> (256 - 5 * TAG_LENGTH), TAG_LENGTH)

    def _permutation(self, length: int) -> Permutation:
        if length not in self._permutations:
            self._permutations[length] = Permutation(self._key, 5 * length)
        return self._permutations[length]


def _text(number: int, length: int) -> str:
    if length == 7:  # nearly all of them
        high, low = number >> 20, number & 0xFFFFF
        return f"{ALPHABET[high >> 10]}{_PAIRS[high & 1023]}{_PAIRS[low >> 10]}{_PAIRS[low & 1023]}"
    pairs = []
    for _ in range(length // 2):
        pairs.append(_PAIRS[number & 1023])
        number >>= 10
    if length % 2:
        pairs.append(ALPHABET[number])
    return "".join(reversed(pairs))
