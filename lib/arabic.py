"""Arabic letters in the shapes in which they join (pure): for paper, where nothing else does that."""

from __future__ import annotations

import unicodedata
from functools import cache

TATWEEL = "\u0640"


def join(text: str) -> str:
    """The same text in presentation forms, still in the order in which it is read."""
    forms = _forms()
    if not any(c in forms for c in text):
        return text
    letters = _with_lam_alef(text)
    joined = []
    for n, letter in enumerate(letters):
        before = next((c for c in reversed(letters[:n]) if not _is_mark(c)), "")
        after = next((c for c in letters[n + 1 :] if not _is_mark(c)), "")
        backwards = _reaches_on(before) and "final" in forms.get(letter, {})
        onwards = _reaches_on(letter) and (after == TATWEEL or "final" in forms.get(after, {}))
        shape = {(1, 1): "medial", (1, 0): "final", (0, 1): "initial", (0, 0): "isolated"}[backwards, onwards]
        joined.append(forms.get(letter, {}).get(shape, letter))
    return "".join(joined)


def _reaches_on(letter: str) -> bool:
    """To the letter after it; alef, for one, does not."""
    return letter == TATWEEL or "initial" in _forms().get(letter, {})


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter[0]) == "Mn"


def _with_lam_alef(text: str) -> list[str]:
    """Lam and the alef behind it are one shape."""
    letters: list[str] = []
    for c in text:
        if letters and letters[-1] + c in _forms():
            letters[-1] += c
        else:
            letters.append(c)
    return letters


@cache
def _forms() -> dict[str, dict[str, str]]:
    """Letter → how it stands → its shape, from the Unicode blocks of presentation forms."""
    found: dict[str, dict[str, str]] = {}
    for code in (*range(0xFB50, 0xFBB2), *range(0xFBD3, 0xFC00), *range(0xFE80, 0xFEFD)):
        kind, _, letters = unicodedata.decomposition(chr(code)).partition(" ")
        letter = "".join(chr(int(one, 16)) for one in letters.split())
        if len(letter) == 1 or letter.startswith("\u0644"):
            found.setdefault(letter, {}).setdefault(kind.strip("<>"), chr(code))
    return found
