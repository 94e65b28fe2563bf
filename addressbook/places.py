"""Countries and languages: which codes there are, and their names in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import phonenumbers
from babel import Locale, UnknownLocaleError
from django.utils.functional import lazy
from django.utils.translation import get_language


@cache
def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def _reader() -> Locale:
    return _locale(get_language() or "en")


def country_name(code: str) -> str:
    return _reader().territories.get(code, code) if code else ""


def language_name(code: str) -> str:
    """Name of `nl` or `pt-BR`; the code when it has none."""
    language, _dash, region = code.partition("-")
    name = _reader().languages.get(language.lower(), language)
    return f"{name} ({country_name(region.upper())})" if region else name


def country_choices() -> list[tuple[str, str]]:
    """Every country that has telephone numbers, by name."""
    return _sorted([(code, country_name(code)) for code in phonenumbers.SUPPORTED_REGIONS])


def language_choices() -> list[tuple[str, str]]:
    """Every language of two letters, by name."""
    return _sorted([(code, name) for code, name in _reader().languages.items() if len(code) == 2])


def _sorted(choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(choices, key=lambda choice: choice[1].casefold())


def with_blank(label: Any, choices: Callable[[], list[tuple[str, str]]]) -> Any:
    """For a form field: named in the language of whoever looks, with an empty choice first."""
    return lazy(lambda: [("", label), *choices()], list)
