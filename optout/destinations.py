"""From data/ to the tables that administrators edit, and from there to rules."""

from __future__ import annotations

import logging
import time
import tomllib
from pathlib import Path
from typing import Any

from optout.methods import Rule
from optout.quiet_hours import DAYS, Hours, InvalidWindow, parse

DATA = Path(__file__).parent / "data"
#: Rules change by hand, rarely; a worker may know an edit this much later.
SECONDS_KEPT = 5.0
ANYWHERE = "*"
#: Where a row holds hours that nobody can read.
HOUSE_WINDOW = dict.fromkeys(DAYS[:6], "08:00-20:00")

log = logging.getLogger("stopgate.destinations")

_kept: tuple[float, dict[str, Rule]] = (0.0, {})


def load_platform_data(*, rules: Any, texts: Any) -> None:
    """Rows that are missing; what an administrator has edited stays. Takes the models, so migrations can use it."""
    for country, entry in tomllib.loads((DATA / "destinations.toml").read_text("utf-8")).items():
        rules.objects.get_or_create(
            country="" if country == ANYWHERE else country,
            defaults={k: v for k, v in entry.items() if k != "sender_prefix"},
        )
    for language, lines in tomllib.loads((DATA / "texts.toml").read_text("utf-8")).items():
        for method, text in lines.items():
            texts.objects.get_or_create(company=None, language=language, method=method, defaults={"text": text})


def rule(country: str) -> Rule:
    """The rule of a country, else the one for every other country."""
    known = _rules()
    return known.get(country) or known.get("") or Rule()


def countries() -> list[str]:
    return [country for country in _rules() if country]


def _rules() -> dict[str, Rule]:
    global _kept
    if time.monotonic() - _kept[0] > SECONDS_KEPT or not _kept[1]:
        from optout.models import DestinationRule

        _kept = (time.monotonic(), {row.country: _rule(row) for row in DestinationRule.objects.all()})
    return _kept[1]


def _rule(row: Any) -> Rule:
    return Rule(
        country=row.country,
        methods=tuple(row.methods),
        link_allowed=row.link_allowed,
        prefix=row.prefix,
        keyword=row.keyword,
        languages=tuple(row.languages),
        confirmation=row.confirmation,
        hours=_hours(row),
    )


def _hours(row: Any) -> Hours:
    try:
        week = parse(row.window)
    except InvalidWindow:
        log.error("the hours of destination rule %s cannot be read; the house's apply", row.pk)
        week = parse(HOUSE_WINDOW)
    return Hours(week, holidays=row.holidays)
