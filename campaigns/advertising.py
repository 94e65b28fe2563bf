"""Whether a text that claims to be transactional reads like advertising. A warning, never a refusal (promise 3)."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import override

_WORDS = Path(__file__).parent / "data" / "marketing.toml"
_PERCENT = re.compile(r"(?<![\w.,])[-–−]?\s?\d{1,2}\s?%")
_SHORTENED = re.compile(
    r"\b(bit\.ly|tinyurl\.com|t\.co|goo\.gl|ow\.ly|is\.gd|buff\.ly|rebrand\.ly|cutt\.ly|shorturl\.at|rb\.gy|t\.ly)/",
    re.IGNORECASE,
)


def signs(text: str) -> list[str]:
    """What gives it away, in words; empty for what codes and orders are made of.

    One percent sign (VAT, a battery) or one shortened link says little; a word of advertising is enough.
    """
    words = sorted(set(_words().findall(_folded(text))))
    hints = []
    if _PERCENT.search(text):
        hints.append(_("a percentage"))
    if found := _SHORTENED.search(text):
        hints.append(_("a shortened link (%(host)s)") % {"host": found[1].lower()})
    if words or len(hints) > 1:
        return [*(f"“{word}”" for word in words[:5]), *hints]
    return []


def warning(text: str) -> str:
    """For the answer to a program, so in English; empty when there is none."""
    with override("en"):
        found = signs(text)
    if not found:
        return ""
    return (
        f"This text was sent as transactional but reads like marketing: {', '.join(found)}. "
        "Marketing must go with category marketing, which adds the way out and leaves out who has opted out."
    )


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


@cache
def _words() -> re.Pattern[str]:
    listed = tomllib.loads(_WORDS.read_text(encoding="utf-8"))
    words = sorted({_folded(word) for words in listed.values() for word in words}, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")
