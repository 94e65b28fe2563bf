"""Who gets a campaign: one set-based statement, the suppressed left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Company
from addressbook import grouping
from addressbook.models.contact import CHANNELS
from campaigns.models import Campaign, Slice
from lib import sql
from lib.wake import wake
from messaging.bulk import bulk
from messaging.gateways import ADAPTERS
from messaging.models import Gateway, Sender
from optout import destinations
from optout.methods import SenderOption, Way, choose

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "audience.sql")


#: Contacts per slice of an audience: about a second's work, one transaction.
SLICE = 50_000
EXCLUDE = (
    " AND NOT EXISTS (SELECT FROM addressbook_groupcontact x"
    " WHERE x.group_id = ANY(%(exclude)s) AND x.contact_id = c.id)"
)


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
    statement = statement.replace("{exclude}", EXCLUDE if arguments.get("exclude") else "")
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


def _refresh(company: Company, selection: dict[str, Any], *, older_than: timedelta = timedelta(0)) -> None:
    """Dynamic groups get the members that meet their conditions now."""
    grouping.refresh(company, [*selection["groups"], *selection["exclude"]], older_than=older_than)


def reach(campaign: Campaign, *, groups: list[int] | None = None, exclude: list[int] | None = None) -> Reach:
    """Who would be reached now, who is left out and why, and the way out per destination.

    `groups` and `exclude` stand for a campaign that is not saved yet.
    """
    channel = campaign.channel
    if groups is None:
        selection = _selection(campaign)
    else:
        selection = {"company": campaign.company_id, "channel": channel, "groups": groups, "exclude": exclude or []}
    _refresh(campaign.company, selection, older_than=timedelta(minutes=1))
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
    """Write the campaign's messages, slice by slice; returns how many this call wrote. A second call does nothing.

    Any number of workers may build side by side, and a crash loses at most the slice in hand: each is a transaction
    of its own, and what is written begins to leave at once. Raises NoGateway.
    """
    if not _plan(campaign):
        return 0
    gateway = gateway_of(campaign.company, channel=campaign.channel)
    messages = 0
    while (written := _write_slice(campaign, gateway=gateway)) is not None:
        messages += written
    _run("built", {"campaign": campaign.pk}, channel=campaign.channel)
    campaign.refresh_from_db()
    return messages


class _Stopped(Exception):
    """The campaign was paused or cancelled while a slice was being written: the slice is undone."""


def _plan(campaign: Campaign) -> bool:
    """False when there is nothing to build."""
    with transaction.atomic():
        locked = Campaign.objects.of(campaign.company_id).select_for_update().get(pk=campaign.pk)
        if locked.built_at or locked.status != Campaign.Status.SENDING:
            return False
        if not Slice.objects.of(locked.company_id).filter(campaign=locked).exists():
            arguments = {**_selection(locked), "campaign": locked.pk, "size": SLICE}
            _refresh(locked.company, arguments)
            ((slices,),) = _run("plan", arguments, channel=locked.channel)
            if slices > 1:  # whoever is idle helps
                wake("campaigns.build_audience", company_id=locked.company_id, campaign_id=locked.pk)
    return True


def _write_slice(campaign: Campaign, *, gateway: Gateway) -> int | None:
    """How many messages one slice has; None when no slice is left for us."""
    channel = campaign.channel
    try:
        with bulk():
            # Somebody being erased at this moment is gone before, or is erased with the new message after.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock_shared(%s::int, 64)", [campaign.company_id])
            taken = _run("take_slice", {"campaign": campaign.pk}, channel=channel)
            if not taken:
                return None
            ((slice_id, first, last),) = taken
            arguments = {**_arguments(campaign, gateway=gateway), "first": first, "last": last}
            ((messages, suppressed, no_way),) = _run("write_slice", arguments, channel=channel)
            _run("slice_written", {"slice": slice_id, "messages": messages}, channel=channel)
            counts = {"campaign": campaign.pk, "messages": messages, "suppressed": suppressed, "no_way": no_way}
            if not _run("counted_in", counts, channel=channel):
                raise _Stopped
            return int(messages)
    except _Stopped:
        return None


def _arguments(campaign: Campaign, *, gateway: Gateway) -> dict[str, Any]:
    """What each destination asks for, as columns beside each other."""
    ways = Ways(company=campaign.company, sender=campaign.sender, channel=campaign.channel)
    countries = sorted({*destinations.countries(), ""})
    chosen = {country: ways.for_country(country) for country in countries}
    other = ways.for_country("?")
    return {
        **_selection(campaign),
        "campaign": campaign.pk,
        "gateway": gateway.pk,
        "due_at": timezone.now(),
        "batch_size": ADAPTERS[gateway.kind].batch_size,
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


def gateway_of(company: Company, *, channel: str) -> Gateway:
    gateway = Gateway.carrying(channel, company=company)
    if gateway is None or gateway.kind not in ADAPTERS:
        raise NoGateway
    return gateway
