"""Time zones: a country's own, and those to choose from."""

from __future__ import annotations

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel.core import get_global

#: Where a country has several: the one where most people live.
MAIN = {
    "AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo",
    "CA": "America/Toronto", "CD": "Africa/Kinshasa", "CL": "America/Santiago", "CN": "Asia/Shanghai",
    "CY": "Asia/Nicosia", "DE": "Europe/Berlin", "EC": "America/Guayaquil", "ES": "Europe/Madrid",
    "FM": "Pacific/Chuuk", "GL": "America/Nuuk", "ID": "Asia/Jakarta", "KI": "Pacific/Tarawa",
    "KZ": "Asia/Almaty", "MH": "Pacific/Majuro", "MN": "Asia/Ulaanbaatar", "MX": "America/Mexico_City",
    "MY": "Asia/Kuala_Lumpur", "NZ": "Pacific/Auckland", "PF": "Pacific/Tahiti", "PG": "Pacific/Port_Moresby",
    "PS": "Asia/Hebron", "PT": "Europe/Lisbon", "RU": "Europe/Moscow", "UA": "Europe/Kiev",
    "US": "America/New_York", "UZ": "Asia/Tashkent",
}  # fmt: skip
UTC = "UTC"


def zone_of(country: str) -> str:
    """The name of a country's zone; UTC for what is no country."""
    zones = get_global("territory_zones").get(country, ())
    return MAIN.get(country) or (zones[0] if len(zones) == 1 else UTC)


def zone(name: str, *, country: str = "") -> ZoneInfo:
    """By its name, else the country's. A machine without zone files knows UTC at least."""
    for known in (name, zone_of(country)):
        try:
            return ZoneInfo(known)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo(UTC)


@cache
def names() -> list[str]:
    """To choose from: places, without the old names that stand for them."""
    listed = {one for zones in get_global("territory_zones").values() for one in zones}
    return sorted(name for name in listed & available_timezones() if "/" in name and not name.startswith("Etc/"))
