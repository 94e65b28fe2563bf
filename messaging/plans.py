"""The numbering plans of `phonenumbers`, compiled: the usual number in a tenth of the time.

What is answered here is what `phonenumbers` answers; whatever needs more than a look at
the plan (carrier codes, kept zeros, several readings) is None and left to it.
"""

from __future__ import annotations

import re
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata

Pattern = re.Pattern[str]
_INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_NATIONAL = re.compile(r"0[1-9][0-9]{4,12}", re.ASCII)
_KINDS = (
    "mobile",
    "fixed_line",
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
#: Kinds that phonenumbers asks after before it calls a number a landline's.
_SPECIAL = frozenset(_KINDS[2:])


class _Plan:
    """The national numbers of a region."""

    __slots__ = ("general", "kinds", "leading")

    def __init__(self, metadata: PhoneMetadata) -> None:
        self.general = _pattern(metadata.general_desc)
        found = ((kind, _pattern(getattr(metadata, kind))) for kind in _KINDS)
        self.kinds = tuple((kind, pattern) for kind, pattern in found if pattern is not None)
        self.leading = re.compile(metadata.leading_digits) if metadata.leading_digits else None

    def kind(self, number: str) -> str:
        """The first kind that has the number, mobile before all others; empty when none has."""
        if self.general and _fits(self.general, number):
            for kind, pattern in self.kinds:
                if _fits(pattern, number):
                    return kind
        return ""

    def is_landline(self, number: str) -> bool:
        """Of a `fixed_line`: nothing else that a phone may be, so it takes no SMS."""
        return not any(kind in _SPECIAL and _fits(pattern, number) for kind, pattern in self.kinds)


def _pattern(description: object) -> tuple[frozenset[int], Pattern] | None:
    text = getattr(description, "national_number_pattern", None)
    if not text:
        return None
    return frozenset(description.possible_length), re.compile(text)  # type: ignore[attr-defined]


def _fits(pattern: tuple[frozenset[int], Pattern], number: str) -> bool:
    lengths, digits = pattern
    return (not lengths or len(number) in lengths) and digits.fullmatch(number) is not None


@cache
def _plan(region: str) -> _Plan | None:
    metadata = PhoneMetadata.metadata_for_region(region, None)
    return _Plan(metadata) if metadata else None


@cache
def _calling_code(code: str) -> tuple[tuple[tuple[str, _Plan], ...], Pattern | None] | None:
    """The regions behind a calling code, and what may stand before their national numbers."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if not regions or regions[0] == "001":
        return None
    plans = tuple((region, plan) for region in regions if (plan := _plan(region)))
    first = PhoneMetadata.metadata_for_region(regions[0])
    prefix = first.national_prefix_for_parsing if first else None
    return plans, re.compile(prefix) if prefix else None


@cache
def _of_country(country: str) -> tuple[str, Pattern | None] | None:
    """Calling code and international prefix, where national numbers begin with a plain 0."""
    metadata = PhoneMetadata.metadata_for_region(country, None)
    if metadata is None or metadata.national_prefix_for_parsing != "0" or metadata.national_prefix_transform_rule:
        return None
    prefix = metadata.international_prefix
    return str(metadata.country_code), re.compile(prefix) if prefix else None


def valid(text: str, country: str = "") -> tuple[str, str] | None:
    """E.164 and region of a number in use, written without separators: +…, 00… or in `country` 0…"""
    found = look(text, country)
    return found[:2] if found else None


def look(text: str, country: str = "") -> tuple[str, str, bool] | None:
    """As `valid`, and whether it is a landline that takes no SMS."""
    if text.startswith("00"):
        text = "+" + text[2:]
    if _INTERNATIONAL.fullmatch(text):
        for length in (1, 2, 3):
            found = _calling_code(text[1 : 1 + length]) if length < 4 else None
            if found:
                return _in_use(text[1 : 1 + length], found, text[1 + length :])
        return None
    if country and _NATIONAL.fullmatch(text) and (home := _of_country(country)):
        code, abroad = home
        found = _calling_code(code)
        if found and not (abroad and abroad.match(text)):
            return _in_use(code, found, text[1:])
    return None


def _in_use(
    code: str, found: tuple[tuple[tuple[str, _Plan], ...], Pattern | None], number: str
) -> tuple[str, str, bool] | None:
    plans, prefix = found
    if number.startswith("0") or (prefix and prefix.match(number)):
        return None
    for region, plan in plans:
        by_digits = plan.leading if len(plans) > 1 else None
        if by_digits and not by_digits.match(number):
            continue
        if kind := plan.kind(number):
            return f"+{code}{number}", region, kind == "fixed_line" and plan.is_landline(number)
        if by_digits:
            return None
    return None
