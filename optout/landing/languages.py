"""In which language a recipient reads: the page's switch, the browser, the contact, the country."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.utils.translation.trans_real import parse_accept_lang_header

from optout import destinations

LONGEST_HEADER = 500


def choose(*, asked: str = "", header: str = "", contact: str = "", country: str = "") -> str:
    found = _wanted_by_reader(asked[:10], header[:LONGEST_HEADER]) or _supported(contact)
    if found is None and country:
        spoken = destinations.rule(country).languages
        found = next((language for language in map(_supported, spoken) if language), None)
    return found or settings.LANGUAGE_CODE


@lru_cache(maxsize=2000)
def _wanted_by_reader(asked: str, header: str) -> str | None:
    wanted = [asked, *(tag for tag, quality in parse_accept_lang_header(header) if quality > 0)]
    return next((language for language in map(_supported, wanted) if language), None)


@lru_cache(maxsize=2000)
def _supported(tag: str) -> str | None:
    known = dict(settings.LANGUAGES)
    tag = tag.lower()
    for candidate in (tag, tag.partition("-")[0]):
        if candidate in known:
            return candidate
    return None
