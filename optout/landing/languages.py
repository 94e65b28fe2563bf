"""In which language a recipient reads: the page's switch, the browser, the contact, the country, the company."""

from __future__ import annotations

from functools import lru_cache

from django.utils.translation.trans_real import parse_accept_lang_header

from optout import destinations, keywords
from optout.landing import texts

LONGEST_HEADER = 500
#: Norwegian has two written forms and one name for both; Java still says the old code of Hebrew.
ALSO_CALLED = {"no": "nb", "nn": "nb", "iw": "he"}


def choose(*, asked: str = "", header: str = "", contact: str = "", country: str = "", company: str = "") -> str:
    return (
        _wanted_by_reader(asked[:10], header[:LONGEST_HEADER])
        or _supported(contact)
        or _spoken_in(country)
        or _supported(company)
        or texts.DEFAULT_LANGUAGE
    )


def _spoken_in(country: str) -> str | None:
    """By the rule that administrators edit, else by what is known of the country."""
    if not country:
        return None
    spoken = (*destinations.rule(country).languages, *keywords.languages().get(country, ()))
    return next((language for language in map(_supported, spoken) if language), None)


@lru_cache(maxsize=2000)
def _wanted_by_reader(asked: str, header: str) -> str | None:
    wanted = [asked, *(tag for tag, quality in parse_accept_lang_header(header) if quality > 0)]
    return next((language for language in map(_supported, wanted) if language), None)


@lru_cache(maxsize=2000)
def _supported(tag: str) -> str | None:
    tag = tag.lower()
    language = tag.partition("-")[0]
    for candidate in (tag, language, ALSO_CALLED.get(language, "")):
        if candidate in texts.languages():
            return candidate
    return None
