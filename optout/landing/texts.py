"""What recipients read, in each language: data/landing, with the page's own values filled in."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from optout import reasons

DATA = Path(__file__).parents[1] / "data" / "landing"
DEFAULT_LANGUAGE = "en"
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})
IN_ONE_PIECE = 24
_PLACE = re.compile(r"\{([a-z]+)\}")


@cache
def languages() -> dict[str, str]:
    """Code → its own name, in the order of the page's switch."""
    return {code: texts["name"] for code, texts in _read().items()}


def template(name: str, *, language: str) -> str:
    """One text with its places unfilled."""
    text: str = _read()[language][name]
    return text


def text(name: str, *, language: str, company: str = "", own: Mapping[str, str] | None = None) -> str:
    """One text as plain characters: for titles and for what is kept as proof."""
    said = (own or {}).get(name) or template(name, language=language)
    return said.replace("{company}", company)


def for_page(language: str, *, own: Mapping[str, str], **values: str) -> dict[str, SafeString]:
    """All texts as HTML, the company's own before ours.

    Values are isolated: a company's name or a number may run the other way. Short ones stay in one piece, but break
    rather than make a narrow page scroll.
    """
    filled = {
        name: format_html("<bdi>{}</bdi>", value.replace(" ", "\u00a0") if len(value) <= IN_ONE_PIECE else value)
        for name, value in values.items()
    }
    return {
        name: SafeString(_PLACE.sub(lambda place: filled.get(place[1], ""), escape(template)))
        for name, template in {**_read()[language], **own}.items()
        if isinstance(template, str)
    }


def offered_reasons(company_id: int, *, language: str) -> list[tuple[str, str]]:
    """(code, text): our wording in the reader's language, a company's own as it wrote it."""
    ours, translated = dict(reasons.DEFAULTS), _read()[language]["reasons"]
    return [(code, translated[code] if ours.get(code) == said else said) for code, said in reasons.offered(company_id)]


@cache
def _read() -> dict[str, dict]:
    """By their own names: Latin letters first, then the others."""
    found = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in DATA.glob("*.toml")}
    return dict(sorted(found.items(), key=lambda one: _in_order(one[1]["name"])))


def _in_order(name: str) -> str:
    return unicodedata.normalize("NFD", name).casefold()
