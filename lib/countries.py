"""Countries by name, in the reader's language."""

from __future__ import annotations

from django.utils.translation import get_language
from phonenumbers.geodata.locale import LOCALE_DATA


def country_name(code: str) -> str:
    """The name, else the two letters themselves."""
    names = LOCALE_DATA.get(code, {})
    language = (get_language() or "en").partition("-")[0]
    return _whole(names, language) or _whole(names, "en") or code


def _whole(names: dict[str, str], language: str) -> str:
    # A value such as "*en" stands for the name in that other language.
    name = names.get(language, "")
    return names.get(name[1:], "") if name.startswith("*") else name
