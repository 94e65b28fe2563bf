"""When marketing may reach a destination: hours by weekday, in the recipient's time zone, public holidays (pure).

A moment is allowed when the clock on the recipient's wall shows an hour of the destination's window, on a day that
is no public holiday there. Where the recipient may live in one of several zones it has to be so in each of them.
Because a moment has one wall time in a zone, days on which clocks change need no rule of their own: an hour that is
skipped cannot be hit, one that comes twice is judged twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: From and to, in minutes since midnight.
Span = tuple[int, int]
#: What each day of the week allows, Monday first; empty: no hours are asked for.
Week = tuple[tuple[Span, ...], ...]
#: So far is looked ahead. What opens never (hours that several zones do not share) waits for that long and is
#: looked at again then.
HORIZON = timedelta(days=31)
_SPAN = re.compile(r"([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)", re.ASCII)
_DAY_LONG = 24 * 60


class InvalidWindow(ValueError):
    """The hours of a rule cannot be read; the message says which and how they are written."""


@dataclass(frozen=True, slots=True)
class Hours:
    """What one destination asks for."""

    week: Week = ()
    #: Not on public holidays.
    holidays: bool = False


NO_HOURS = Hours()


def parse(window: object) -> Week:
    """`{"mon": "08:00-12:00,14:00-20:00", …}`; a day that is not named is closed. Raises InvalidWindow."""
    if not isinstance(window, Mapping):
        raise InvalidWindow('Write hours as {"mon": "08:00-20:00", …}.')
    unknown = [str(day) for day in window if day not in DAYS]
    if unknown:
        raise InvalidWindow(f"“{unknown[0][:20]}” is no day. Days are {', '.join(DAYS)}.")
    return tuple(tuple(_spans(window[day])) if day in window else () for day in DAYS) if window else ()


def _spans(text: object) -> list[Span]:
    spans: list[Span] = []
    for part in str(text).split(","):
        found = _SPAN.fullmatch(part.strip())
        start, end = (_minutes(found[1], found[2]), _minutes(found[3], found[4])) if found else (0, 0)
        if not (spans[-1][1] if spans else 0) <= start < end <= _DAY_LONG:
            raise InvalidWindow(f"“{str(text)[:40]}” cannot be read. Write 08:00-20:00, several in their order.")
        spans.append((start, end))
    return spans


def _minutes(hours: str, minutes: str) -> int:
    return int(hours) * 60 + int(minutes)


def opens_at(hours: Hours, country: str, zones: Sequence[ZoneInfo], at: datetime) -> datetime | None:
    """None when marketing may leave at this moment, else the first moment at which it may.

    `country` is whose public holidays are kept.
    """
    if not hours.week:
        return None
    moment = at.replace(second=0, microsecond=0)  # hours begin and end with a minute, and so do changes of clocks
    opening = _opening(hours, country, tuple(zones), moment)
    return None if opening == moment else opening


@lru_cache(maxsize=4096)
def _opening(hours: Hours, country: str, zones: tuple[ZoneInfo, ...], at: datetime) -> datetime:
    """Zone by zone the next moment that is allowed there, until all agree on one."""
    latest, moment = at + HORIZON, at
    while moment < latest:
        agreed = moment
        for zone in zones:
            agreed = _opening_in(hours, country, zone, agreed, latest)
        if agreed == moment:
            return moment
        moment = agreed
    return latest


def _opening_in(hours: Hours, country: str, zone: ZoneInfo, at: datetime, latest: datetime) -> datetime:
    while at < latest:
        local = at.astimezone(zone)
        wait = _wait(hours, country, local)
        if wait == 0:
            return at
        if wait is None:
            return latest
        then = at + timedelta(minutes=wait)
        if then.astimezone(zone).utcoffset() != local.utcoffset():  # clocks change meanwhile: look again just then
            then = _change(zone, at, then)
        at = then
    return latest


def _wait(hours: Hours, country: str, local: datetime) -> int | None:
    """In minutes, by the clock on the wall."""
    today, weekday, now = local.date(), local.weekday(), local.hour * 60 + local.minute
    for n in range(HORIZON.days):
        midnight = n * _DAY_LONG - now
        for start, end in hours.week[(weekday + n) % 7]:
            if midnight + end > 0:
                day = today + timedelta(days=n)
                if hours.holidays and day in public_holidays(country, day.year):
                    break
                return max(midnight + start, 0)
    return None


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The minute at which the clocks of a zone change, between two moments with different clocks."""
    offset, low, high = before.astimezone(zone).utcoffset(), 0, int((after - before).total_seconds()) // 60
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(minutes=middle)).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return before + timedelta(minutes=high)


@lru_cache(maxsize=512)
def public_holidays(country: str, year: int) -> frozenset[date]:
    """National ones; none where nobody has collected them."""
    try:
        return frozenset(holidays.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()
