"""Characters that halve the room of an SMS, and what to write instead."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass

from messaging.segments import REPLACEMENTS, non_gsm

#: Signs, not letters: a quotation mark may be straight, but é is not e.
TYPOGRAPHIC = {
    **{sign: plain for sign, plain in REPLACEMENTS.items() if not sign.isalpha()},
    **dict.fromkeys(map(chr, range(0x2000, 0x200B)), " "),  # spaces of many widths
    **dict.fromkeys("\u200c\u2060\ufeff", ""),  # what cannot be seen at all
    **dict.fromkeys("‚‛‹›′", "'"),
    **dict.fromkeys("‟«»″", '"'),
    **dict.fromkeys("‐‑‒―−·", "-"),
}
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Costly:
    """`own`: it stands in what the marketer wrote and can be replaced there; else in a name or the company's line."""

    character: str
    replacement: str | None
    own: bool

    @property
    def as_values(self) -> str:
        return json.dumps({"character": self.character})

    @property
    def name(self) -> str:
        """For characters that show nothing."""
        return self.character if self.character.isprintable() and self.character.strip() else _code(self.character)


def costly(text: str, *, written: str) -> list[Costly]:
    own = unicodedata.normalize("NFC", written)
    return [
        Costly(character, TYPOGRAPHIC.get(character, REPLACEMENTS.get(character)), character in own)
        for character in non_gsm(text)
    ]


def replaced(text: str, character: str = "") -> str:
    """With one character's replacement, else with those of all signs that are no letters."""
    text = unicodedata.normalize("NFC", text)
    if character:
        other = TYPOGRAPHIC.get(character, REPLACEMENTS.get(character))
        return text if other is None else text.replace(character, other)
    return text.translate(str.maketrans(TYPOGRAPHIC))


def links(text: str) -> list[str]:
    return [found[0].rstrip(".,;:!?)") for found in _LINK.finditer(text)]


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"
