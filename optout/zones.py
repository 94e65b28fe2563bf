"""In which time zones the owner of a number may be."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from phonenumbers import country_code_for_region
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

DATA = Path(__file__).parent / "data" / "zones.toml"
#: Where a mobile number begins with the code of its area, as a fixed one does: North America, Mexico, Argentina,
#: Brazil. Elsewhere the first digits name a network at most, which is everywhere in its country.
AREA_CODED = ("1", "52", "54", "55")
Zones = tuple[ZoneInfo, ...]
_UTC: Zones = (ZoneInfo("UTC"),)


def zones_of(country: str, number: str) -> Zones:
    """Those of the number's area where it tells one, else all of its country: then the strictest hours count."""
    known = country_zones(country)
    if len(known) == 1:
        return known
    digits = number.removeprefix("+")
    if known and not digits.startswith(AREA_CODED):
        return known
    return _of_area(country, _area(digits))


def told_by_number(country: str) -> bool:
    """Whether numbers of this country are of different zones."""
    return len(country_zones(country)) > 1 and str(country_code_for_region(country)) in AREA_CODED


def _area(digits: str) -> str:
    for n in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
        if digits[:n] in TIMEZONE_DATA:
            return digits[:n]
    return ""


@lru_cache(maxsize=4096)
def _of_area(country: str, area: str) -> Zones:
    """Names differ between the two sources (Asia/Calcutta, Asia/Kolkata); what they do not agree on is not believed."""
    known, here = country_zones(country), _loaded(TIMEZONE_DATA.get(area, ()))
    if not known:
        return here or _UTC
    keys = {zone.key for zone in here}
    return tuple(zone for zone in known if zone.key in keys) or known


@cache
def country_zones(country: str) -> Zones:
    """All of them; empty when the country is not known."""
    return _loaded(_table().get(country, ()))


@cache
def _table() -> dict[str, list[str]]:
    return tomllib.loads(DATA.read_text("utf-8"))


def _loaded(names: tuple[str, ...] | list[str]) -> Zones:
    """Without those that this machine's time zone database does not have (yet, or any more)."""
    found = []
    for name in names:
        try:
            found.append(ZoneInfo(name))
        except ZoneInfoNotFoundError:
            continue
    return tuple(found)
