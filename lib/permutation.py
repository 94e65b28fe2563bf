"""A keyed bijection over 0 … 2**bits - 1 (pure).

A Feistel network is a permutation whatever its round functions are, so two numbers
can never share an image: collision-freedom needs no look-up and no unique index. The
round functions are tables read from SHAKE-256, which makes a call cost ten look-ups;
larger permutations hash instead, because their tables would take seconds and megabytes
in whoever is first to ask for one.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Callable

ROUNDS = 10  # as many as NIST SP 800-38G asks of FF1
LARGEST_TABLES = 36  # bits: 10 MB in all


class Permutation:
    """`bits` from 8 to 48. Tables, up to LARGEST_TABLES, take 2**ceil(bits/2) × 4 bytes per round."""

    def __init__(self, key: bytes, bits: int) -> None:
        if not 8 <= bits <= 48:
            raise ValueError("bits must be between 8 and 48")
        self.size = 1 << bits
        low = bits // 2
        high = bits - low
        make: type[_Hashed] | Callable[..., array[int]] = _table if bits <= LARGEST_TABLES else _Hashed
        self._rounds = [
            make(key, bits=bits, number=n, size=low if n % 2 else high, out=high if n % 2 else low)
            for n in range(ROUNDS)
        ]
        self._pairs = list(zip(self._rounds[::2], self._rounds[1::2], strict=True))
        self._low, self._low_mask = low, (1 << low) - 1

    def forward(self, number: int) -> int:
        if not 0 <= number < self.size:
            raise ValueError("number out of range")
        high, low = number >> self._low, number & self._low_mask
        for even, odd in self._pairs:
            low ^= even[high]
            high ^= odd[low]
        return high << self._low | low

    def backward(self, number: int) -> int:
        high, low = self._split(number)
        for n in range(ROUNDS - 1, -1, -1):
            table = self._rounds[n]
            if n % 2:
                high ^= table[low]
            else:
                low ^= table[high]
        return high << self._low | low

    def _split(self, number: int) -> tuple[int, int]:
        if not 0 <= number < self.size:
            raise ValueError("number out of range")
        return number >> self._low, number & self._low_mask


def _table(key: bytes, *, bits: int, number: int, size: int, out: int) -> array[int]:
    """2**size random values of `out` bits."""
    stream = hashlib.shake_256(b"permutation:%d:%d:" % (bits, number) + key).digest(4 << size)
    table = array("I", stream)
    if sys.byteorder == "big":
        table.byteswap()
    mask = (1 << out) - 1
    return array("I", [value & mask for value in table])


class _Hashed:
    """As a table of 2**size values, each made when it is asked for."""

    def __init__(self, key: bytes, *, bits: int, number: int, size: int, out: int) -> None:
        self._state = hashlib.shake_256(b"permutation:%d:%d:" % (bits, number) + key)
        self._mask = (1 << out) - 1

    def __getitem__(self, index: int) -> int:
        state = self._state.copy()
        state.update(index.to_bytes(4, "big"))
        return int.from_bytes(state.digest(4), "big") & self._mask
