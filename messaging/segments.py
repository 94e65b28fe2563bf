"""Characters and segments of an SMS (pure). Sources: 3GPP TS 23.038 6.2.1 (alphabet), TS 23.040 9.2.3.24.1 (UDH)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "^{}\\[~]|€\f"
_BASIC = re.compile(f"[{re.escape(BASIC)}]*")
_GSM = re.compile(f"[{re.escape(BASIC + EXTENSION)}]*")

REPLACEMENTS = {
    "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "…": "...", "•": "-", "`": "'",
    "\u00a0": " ", "\u202f": " ", "\u00ad": "", "\u200b": "", "ç": "Ç", "á": "a", "í": "i", "ó": "o", "ú": "u",
    "â": "a", "ê": "e", "î": "i", "ô": "o", "û": "u", "ë": "e", "ï": "i", "ã": "a", "õ": "o",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Size:
    """`characters` are septets (GSM-7) or UTF-16 units (UCS-2); `left` is what fits into the last segment."""

    encoding: str
    characters: int
    segments: int
    per_segment: int
    left: int


#: By length: most texts are one segment of the basic alphabet.
_SINGLE = [Size("GSM-7", length, 1, 160, 160 - length) for length in range(161)]


def measure(text: str) -> Size:
    """How a text will travel. Segments are packed: an escape or surrogate pair is never split."""
    if len(text) <= 160 and _BASIC.fullmatch(text):
        return _SINGLE[len(text)]
    text = unicodedata.normalize("NFC", text)
    if _GSM.fullmatch(text):
        widths = [2 if c in EXTENSION else 1 for c in text]
        return _pack("GSM-7", widths, single=160, part=153)
    return _pack("UCS-2", [2 if ord(c) > 0xFFFF else 1 for c in text], single=70, part=67)


def _pack(encoding: str, widths: list[int], *, single: int, part: int) -> Size:
    total = sum(widths)
    if total <= single:
        return Size(encoding, total, 1, single, single - total)
    segments, used = 1, 0
    for width in widths:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return Size(encoding, total, segments, part, part - used)


def non_gsm(text: str) -> dict[str, str | None]:
    """The characters that force UCS-2, each with a replacement when a fair one is known."""
    normal = unicodedata.normalize("NFC", text)
    return {c: REPLACEMENTS.get(c) for c in normal if not _GSM.fullmatch(c)}
