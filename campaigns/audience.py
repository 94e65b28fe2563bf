"""Who gets a campaign: one set-based statement, the suppressed left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Company
from addressbook.models.contact import CHANNELS
from campaigns.models import Campaign
from lib import sql
from messaging.gateways import ADAPTERS
from messaging.models import Gateway, Sender
from optout import destinations
from optout.methods import SenderOption, Way, choose

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "audience.sql")


class NoGateway(Exception):
    """The company has no gateway to send through, or none that can carry messages."""


@dataclass(frozen=True)
class Ways:
    """The way out per destination, for one company, sender and channel."""

    company: Company
    sender: str
    channel: str

    @cached_property
    def _senders(self) -> list[SenderOption]:
        return [
            SenderOption(value=s.value, kind=s.kind, country=s.country) for s in Sender.objects.usable_by(self.company)
        ]

    def for_country(self, country: str) -> Way | None:
        """None: no lawful way out there with this sender (promise 11)."""
        if self.channel == "email":
            return Way(method="link", sender=self.sender, code="", keyword="")
        own = next((s for s in self._senders if s.value == self.sender), None)
        if own is None and self.sender:
            own = SenderOption(value=self.sender, kind="alphanumeric", country="")
        codes = [s for s in self._senders if s.kind != "alphanumeric"]
        return choose(rule=destinations.rule(country), sender=own, codes=codes, country=country)


@dataclass
class Reach:
    """What will happen, before it does."""

    audience: int = 0
    suppressed: int = 0
    no_address: int = 0
    no_way: int = 0
    countries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def all(self) -> int:
        """Everybody in the groups, with an address or without."""
        return self.audience + self.no_address

    @property
    def reached(self) -> int:
        return self.audience - self.suppressed - self.no_way


def _run(name: str, arguments: dict[str, Any], *, channel: str) -> list[tuple[Any, ...]]:
    address, digest = CHANNELS[channel]
    statement = STATEMENTS[name].replace("{digest}", digest).replace("{field}", address)
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else [(cursor.rowcount,)]


def _selection(campaign: Campaign) -> dict[str, Any]:
    return {
        "company": campaign.company_id,
        "channel": campaign.channel,
        "groups": list(Campaign.groups.through.objects.filter(campaign=campaign).values_list("group_id", flat=True)),
        "exclude": list(
            Campaign.exclude_groups.through.objects.filter(campaign=campaign).values_list("group_id", flat=True)
        ),
    }


def reach(campaign: Campaign, *, groups: list[int] | None = None, exclude: list[int] | None = None) -> Reach:
    """Who would be reached now, who is left out and why, and the way out per destination.

    `groups` and `exclude` stand for a campaign that is not saved yet.
    """
    channel = campaign.channel
    if groups is None:
        selection = _selection(campaign)
    else:
        selection = {"company": campaign.company_id, "channel": channel, "groups": groups, "exclude": exclude or []}
    ((total, no_address),) = _run("count", selection, channel=channel)
    ((suppressed,),) = _run("suppressed", selection, channel=channel)
    found = Reach(audience=total, suppressed=suppressed, no_address=no_address)
    ways = Ways(company=campaign.company, sender=campaign.sender, channel=channel)
    for country, recipients, sample, language in _run("by_country", selection, channel=channel):
        way = ways.for_country(country)
        if way is None:
            found.no_way += recipients
        found.countries.append(
            {"country": country, "recipients": recipients, "sample": sample, "language": language, "way": way}
        )
    return found


def build(campaign: Campaign) -> int:
    """Write the campaign's messages, all or none; returns how many. A second call does nothing.

    Raises NoGateway. The campaign's row stays locked, so pause and cancel wait and then
    find every batch.
    """
    with transaction.atomic():
        locked = Campaign.objects.of(campaign.company_id).select_for_update().get(pk=campaign.pk)
        if locked.built_at or locked.status != Campaign.Status.SENDING:
            return 0
        # Somebody being erased at this moment is gone before, or is erased with the new message after.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s::int, 64)", [locked.company_id])
        gateway = gateway_of(locked.company)
        written, found = _write(locked, gateway=gateway, due_at=timezone.now())
        locked.audience = written + found.suppressed + found.no_way
        locked.left_out_suppressed, locked.left_out_no_way = found.suppressed, found.no_way
        locked.built_at = timezone.now()
        locked.save(update_fields=["audience", "left_out_suppressed", "left_out_no_way", "built_at"])
        return written


def gateway_of(company: Company) -> Gateway:
    gateway = Gateway.objects.of(company).order_by("-is_default", "pk").first()
    if gateway is None or gateway.kind not in ADAPTERS:
        raise NoGateway
    return gateway


def _write(campaign: Campaign, *, gateway: Gateway, due_at: datetime) -> tuple[int, Reach]:
    selection, channel = _selection(campaign), campaign.channel
    ways = Ways(company=campaign.company, sender=campaign.sender, channel=channel)
    countries = sorted({*destinations.countries(), ""})
    chosen = {country: ways.for_country(country) for country in countries}
    other = ways.for_country("?")
    ((total, no_address),) = _run("count", selection, channel=channel)
    ((suppressed,),) = _run("suppressed", selection, channel=channel)
    no_way = 0
    if other is None or not all(chosen.values()):
        blocked = _run("by_country", selection, channel=channel)
        no_way = sum(n for country, n, *_ in blocked if chosen.get(country, other) is None)
    size = ADAPTERS[gateway.kind].batch_size
    batches = [
        row[0]
        for row in _run(
            "batches",
            {**selection, "gateway": gateway.pk, "campaign": campaign.pk, "due_at": due_at, "n": total // size + 1},
            channel=channel,
        )
    ]
    arguments = {
        **selection,
        "campaign": campaign.pk,
        "batches": batches,
        "batch_size": size,
        "countries": countries,
        "methods": [w.method if w else "" for w in chosen.values()],
        "senders": [w.sender if w else "" for w in chosen.values()],
        "reply_codes": [w.code if w and w.method == "reply" else "" for w in chosen.values()],
        "languages": [(destinations.rule(country).languages or ("",))[0] if country else "" for country in countries],
        "language": campaign.company.language,
        "sender": other.sender if other else campaign.sender,
        "method": other.method if other else "",
        "reply_code": other.code if other and other.method == "reply" else "",
    }
    ((written,),) = _run("messages", arguments, channel=channel)
    _run("drop_empty", {"batches": batches[written // size :]}, channel=channel)
    return written, Reach(audience=total, suppressed=suppressed, no_address=no_address, no_way=no_way)
