"""May marketing leave now? Destination rules, their hours, and what an administrator has switched off.

Only SMS: the hours of law, networks and custom are about what rings in a pocket. The setting QUIET_HOURS=off lets
everything leave at once, for trials. Transactional messages never ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Company, User
from lib.countries import country_name
from lib.wake import wake
from messaging.models import Batch
from messaging.models.message import Channel
from optout import destinations, zones
from optout.models import QuietHoursSwitch
from optout.quiet_hours import opens_at


@dataclass(frozen=True, slots=True)
class Wait:
    """Who of an audience is outside of hours, and when they get it. By their own zones where first and last differ."""

    country: str
    recipients: int
    first: datetime
    last: datetime

    @property
    def place(self) -> str:
        return country_name(self.country)


class Doors:
    """Who may be written to at one moment, for one company. Each destination and zone is judged once."""

    def __init__(self, company: Company | int, *, at: datetime | None = None) -> None:
        self.company = company
        self.at = at or timezone.now()
        self._known: dict[tuple[str, zones.Zones], datetime | None] = {}

    def open_at(self, *, channel: str, country: str, number: str) -> datetime | None:
        """None when a message may leave now, else the first moment at which it may."""
        if not settings.QUIET_HOURS or channel != Channel.SMS:
            return None
        return self._opening(country, zones.zones_of(country, number))

    def stand_open(self, *, channel: str, country: str) -> bool:
        """Whether everybody there may be written to now, wherever in the country they are."""
        if not settings.QUIET_HOURS or channel != Channel.SMS:
            return True
        everywhere = zones.country_zones(country)
        return bool(everywhere) and all(self._opening(country, (one,)) is None for one in everywhere)

    def waiting(self, recipients: Mapping[str, int], *, channel: str) -> list[Wait]:
        """Of so many per country, before a number is looked at: the first and the last of each country."""
        if not settings.QUIET_HOURS or channel != Channel.SMS:
            return []
        found = []
        for country, n in recipients.items():
            everywhere = zones.country_zones(country) or zones.zones_of(country, "")
            last = self._opening(country, everywhere)
            if last:
                apart = zones.told_by_number(country)
                first = min(self._opening(country, (one,)) or self.at for one in everywhere) if apart else last
                found.append(Wait(country, n, first, last))
        return found

    def off_in(self, countries: Iterable[str]) -> list[QuietHoursSwitch]:
        """What an administrator has switched off, of these countries."""
        wanted = set(countries)
        return [switch for switch in self.switched_off if switch.country in wanted]

    @cached_property
    def switched_off(self) -> Sequence[QuietHoursSwitch]:
        return QuietHoursSwitch.objects.of(self.company).in_force(self.at)

    def _opening(self, country: str, where: zones.Zones) -> datetime | None:
        key = (country, where)
        if key not in self._known:
            opening = opens_at(destinations.rule(country).hours, country, where, self.at)
            if opening and any(switch.country == country for switch in self.switched_off):
                opening = None
            self._known[key] = opening
        return self._known[key]


def switch(change: QuietHoursSwitch, *, by: User) -> None:
    """Written for good; whoever waits for hours is judged again at once."""
    change.who, change.user_id = str(by)[:254], by.pk
    with transaction.atomic():
        change.save(force_insert=True)
        Batch.objects.of(change.company_id).deferred().update(due_at=timezone.now())
        wake("campaigns.send_marketing")


def rules_changed() -> None:
    """Whoever waits is judged again, when every worker knows the new rules."""
    then = timezone.now() + timedelta(seconds=destinations.SECONDS_KEPT + 1)
    Batch.objects.across_companies().deferred().filter(due_at__gt=then).update(due_at=then)
