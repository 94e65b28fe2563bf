"""Ten thousand texts, sized a second time by really encoding and cutting them.

The table is that of 3GPP TS 23.038 6.2.1 by code number; parts are cut as 3GPP TS 23.040 9.2.3.24.1 leaves room for.
"""

from __future__ import annotations

import random
import unicodedata

from messaging.segments import measure

TEXTS = 10_000
ESCAPE = 0x1B
# Rows of sixteen, as the standard prints them; 001B is the escape itself.
TABLE = """
0040 00A3 0024 00A5 00E8 00E9 00F9 00EC 00F2 00C7 000A 00D8 00F8 000D 00C5 00E5
0394 005F 03A6 0393 039B 03A9 03A0 03A8 03A3 0398 039E 001B 00C6 00E6 00DF 00C9
0020 0021 0022 0023 00A4 0025 0026 0027 0028 0029 002A 002B 002C 002D 002E 002F
0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 003C 003D 003E 003F
00A1 0041 0042 0043 0044 0045 0046 0047 0048 0049 004A 004B 004C 004D 004E 004F
0050 0051 0052 0053 0054 0055 0056 0057 0058 0059 005A 00C4 00D6 00D1 00DC 00A7
00BF 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F
0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 00E4 00F6 00F1 00FC 00E0
"""
SEPTET = {chr(int(code, 16)): n for n, code in enumerate(TABLE.split()) if n != ESCAPE}
ESCAPED = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}

KINDS = [
    [c for c in SEPTET if c.isprintable()],
    ["a", "€", "[", "~", "\f"],
    list(SEPTET) + list(ESCAPED),
    ["я", "ж", "a"],
    ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1f3\U0001f1f1", "x"],
    ["e\u0301", "a\u0308", "n\u0303", "c\u0327", "o\u0302\u0323", "\u0301"],
    ["ا", "ل", "س", " ", "1"],
]
#: Around every length at which a part is full.
EDGES = [edge * n + delta for edge in (35, 67, 70, 76, 80, 153, 160) for n in (1, 2, 3) for delta in (-2, -1, 0, 1, 2)]


def septets(text: str) -> list[int] | None:
    """None when a character is not in the alphabet."""
    found = []
    for character in text:
        if character in ESCAPED:
            found += [ESCAPE, ESCAPED[character]]
        elif character in SEPTET:
            found.append(SEPTET[character])
        else:
            return None
    return found


def cut(units: list[int], *, single: int, part: int, opens_pair: range) -> int:
    """How many parts; one that would end with the first half of a pair gives it to the next."""
    if len(units) <= single:
        return 1
    parts = 0
    while units:
        size = min(part, len(units))
        if units[size - 1] in opens_pair:
            size -= 1
        units, parts = units[size:], parts + 1
    return parts


def reference(text: str) -> tuple[str, int, int]:
    text = unicodedata.normalize("NFC", text)
    units = septets(text)
    if units is not None:
        return "GSM-7", len(units), cut(units, single=160, part=153, opens_pair=range(ESCAPE, ESCAPE + 1))
    data = text.encode("utf-16-be")
    units = [int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2)]
    return "UCS-2", len(units), cut(units, single=70, part=67, opens_pair=range(0xD800, 0xDC00))


def test_ten_thousand_texts_have_the_size_that_encoding_them_gives():
    dice = random.Random(23_038)
    seen = set()
    for n in range(TEXTS):
        kind = KINDS[n % len(KINDS)]
        length = dice.choice(EDGES) if dice.random() < 0.7 else dice.randrange(0, 500)
        text = "".join(dice.choices(kind, k=length))
        if dice.random() < 0.3:
            text = dice.choice(["€", "\U0001f600", "я", "é"]) + text
        size = measure(text)

        assert (size.encoding, size.characters, size.segments) == reference(text), ascii(text)
        seen.add((size.encoding, size.segments))
    assert len(seen) > 10
