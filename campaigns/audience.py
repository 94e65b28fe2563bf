"""Who gets a campaign: one set-based statement, whoever must not get it left out and counted by reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Company
from addressbook import grouping
from addressbook.models.contact import CHANNELS
from campaigns import left_out
from campaigns.choice import STATEMENTS, Choice, conditions, looks_back
from campaigns.models import Campaign, Slice
from lib.wake import wake
from messaging.bulk import bulk
from messaging.gateways import ADAPTERS
from messaging.models import Gateway, Sender
from messaging.routing import Routes
from optout import destinations
from optout.methods import SenderOption, Way, choose

#: Contacts per slice of an audience: about a second's work, one transaction.
SLICE = 50_000
#: Keys of pg_advisory_xact_lock(company, …), above the ledger's 64 chains.
ERASURE_LOCK, LOOK_BACK_LOCK = 64, 65
EXCLUDE = (
    " AND NOT EXISTS (SELECT FROM addressbook_groupcontact x"
    " WHERE x.group_id = ANY(%(exclude)s) AND x.contact_id = c.id)"
)


class NoGateway(Exception):
    """The company has no gateway to send through, or none that can carry messages."""


@dataclass(frozen=True)
class Ways:
    """The way out per destination, for one company, its senders and channel."""

    company: Company
    sender: str
    channel: str
    #: Country → who speaks there instead.
    senders: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _senders(self) -> list[SenderOption]:
        return [
            SenderOption(value=s.value, kind=s.kind, country=s.country) for s in Sender.objects.usable_by(self.company)
        ]

    def for_country(self, country: str) -> Way | None:
        """None: no lawful way out there with this sender (promise 11)."""
        if self.channel == "email":
            return Way(method="link", sender=self.sender, code="", keyword="")
        sender = self.senders.get(country) or self.sender
        same = [s for s in self._senders if s.value == sender]
        own = next((s for s in same if s.receives_replies_in(country)), same[0] if same else None)
        if own is None and sender:
            own = SenderOption(value=sender, kind="alphanumeric", country="")
        codes = [s for s in self._senders if s.kind != "alphanumeric"]
        return choose(rule=destinations.rule(country), sender=own, codes=codes, country=country)


@dataclass
class Reach:
    """What will happen, before it does. Reached and left out are together everybody in the groups."""

    reached: int = 0
    left_out: dict[str, int] = field(default_factory=lambda: dict.fromkeys(left_out.REASONS, 0))
    #: Where a message goes, and where none may (`way` is None).
    countries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def all(self) -> int:
        """Everybody in the groups, with an address or without."""
        return self.reached + sum(self.left_out.values())

    @property
    def audience(self) -> int:
        """Of whom the campaign's counts will speak."""
        return self.reached + sum(self.left_out[reason] for reason in left_out.IN_AUDIENCE)

    @property
    def uncovered(self) -> list[str]:
        """Countries without a lawful way out."""
        return [row["country"] for row in self.countries if row["way"] is None]


def _run(name: str, arguments: dict[str, Any], *, channel: str) -> list[tuple[Any, ...]]:
    address, digest = CHANNELS[channel]
    statement = STATEMENTS[name].replace("{people}", STATEMENTS["people"]).replace("{why}", arguments.get("why", ""))
    statement = statement.replace("{digest}", digest).replace("{field}", address)
    statement = statement.replace("{exclude}", EXCLUDE if arguments.get("exclude") else "")
    part = "BETWEEN %(first)s AND %(last)s" if "first" in arguments else ""
    statement = statement.replace("{slice}", f" AND c.id {part}" if part else "")
    statement = statement.replace("{members}", f" AND contact_id {part}" if part else "")
    if arguments.get("through"):
        gateway, lanes = "lane.gateway", STATEMENTS["lanes"]
        numbered, group = STATEMENTS["through_many"], "batch_id, lane.gateway"
    else:
        gateway, lanes = "%(gateway)s", ""
        numbered, group = STATEMENTS["through_one"], "batch_id"
    statement = statement.replace("{numbered}", numbered).replace("{gateway}", gateway)
    statement = statement.replace("{lanes}", f" {lanes}".rstrip()).replace("{group}", group)
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else [(cursor.rowcount,)]


def _refresh(company: Company, choice: Choice, *, older_than: timedelta = timedelta(0)) -> None:
    """Dynamic groups get the members that meet their conditions now."""
    grouping.refresh(company, [*choice.groups, *choice.exclude], older_than=older_than)


def reach(campaign: Campaign, choice: Choice | None = None) -> Reach:
    """Who would be reached now, who is left out and why, and the way out per destination.

    `choice` stands for that of a campaign that is not saved yet.
    """
    choice = choice or Choice.of(campaign)
    _refresh(campaign.company, choice, older_than=timedelta(minutes=1))
    ways = _ways(campaign, choice)
    arguments = {**_selection(campaign, choice), **_destinations(campaign, ways)}
    found = Reach()
    for country, why, people, sample, language in _run("reach", arguments, channel=campaign.channel):
        if why:
            found.left_out[why] += people
        else:
            found.reached += people
        if why in {"", "no_way"}:
            way = ways.for_country(country)
            found.countries.append(
                {"country": country, "recipients": people, "sample": sample, "language": language, "way": way}
            )
    return found


def _ways(campaign: Campaign, choice: Choice) -> Ways:
    return Ways(company=campaign.company, sender=campaign.sender, channel=campaign.channel, senders=choice.senders)


def _selection(campaign: Campaign, choice: Choice) -> dict[str, Any]:
    return {
        "company": campaign.company_id,
        "campaign": campaign.pk,
        "channel": campaign.channel,
        "groups": choice.groups,
        "exclude": choice.exclude,
        **conditions(campaign, choice),
    }


def build(campaign: Campaign) -> int:
    """Write the campaign's messages, slice by slice; returns how many this call wrote. A second call does nothing.

    Any number of workers may build side by side, and a crash loses at most the slice in hand: each is a transaction
    of its own, and what is written begins to leave at once. Raises NoGateway.
    """
    if not _plan(campaign):
        return 0
    gateway_of(campaign.company, channel=campaign.channel)
    messages = 0
    while (written := _write_slice(campaign)) is not None:
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
            choice = Choice.of(locked)
            _refresh(locked.company, choice)
            arguments = {"company": locked.company_id, "campaign": locked.pk, "groups": choice.groups, "size": SLICE}
            ((slices,),) = _run("plan", arguments, channel=locked.channel)
            if slices > 1:  # whoever is idle helps
                wake("campaigns.build_audience", company_id=locked.company_id, campaign_id=locked.pk)
    return True


def _write_slice(campaign: Campaign) -> int | None:
    """How many messages one slice has; None when no slice is left for us."""
    channel, choice = campaign.channel, Choice.of(campaign)
    try:
        with bulk():
            # Somebody being erased at this moment is gone before, or is erased with the new message after.
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock_shared(%s::int, %s)", [campaign.company_id, ERASURE_LOCK])
                if looks_back(
                    campaign, choice
                ):  # two campaigns written side by side would not see each other's messages
                    cursor.execute("SELECT pg_advisory_xact_lock(%s::int, %s)", [campaign.company_id, LOOK_BACK_LOCK])
            taken = _run("take_slice", {"campaign": campaign.pk}, channel=channel)
            if not taken:
                return None
            ((slice_id, first, last),) = taken
            arguments = {**_arguments(campaign, choice), "first": first, "last": last}
            counts = dict(_run("write_slice", arguments, channel=channel))
            messages = counts.pop("", 0)
            _run("slice_written", {"slice": slice_id, "messages": messages}, channel=channel)
            if not _counted_in(campaign, messages=messages, counts=counts):
                raise _Stopped
            return int(messages)
    except _Stopped:
        return None


def _counted_in(campaign: Campaign, *, messages: int, counts: dict[str, int]) -> bool:
    """The campaign's sums grow with each slice. False when it was paused or cancelled meanwhile."""
    audience = messages + sum(counts.get(reason, 0) for reason in left_out.IN_AUDIENCE)
    rows = Campaign.objects.of(campaign.company_id).to_build().filter(pk=campaign.pk)
    sums = {left_out.field(reason): F(left_out.field(reason)) + n for reason, n in counts.items()}
    return bool(rows.update(audience=F("audience") + audience, **sums))


def _destinations(campaign: Campaign, ways: Ways) -> dict[str, Any]:
    """What each destination asks for, as columns beside each other."""
    countries = sorted({*destinations.countries(), *ways.senders, ""})
    chosen = [ways.for_country(country) for country in countries]
    other = ways.for_country("?")
    return {
        "countries": countries,
        "methods": [w.method if w else "" for w in chosen],
        "senders": [w.sender if w else "" for w in chosen],
        "reply_codes": [w.code if w and w.method == "reply" else "" for w in chosen],
        "languages": [(destinations.rule(country).languages or ("",))[0] if country else "" for country in countries],
        "language": campaign.company.language,
        "sender": other.sender if other else campaign.sender,
        "method": other.method if other else "",
        "reply_code": other.code if other and other.method == "reply" else "",
    }


def _arguments(campaign: Campaign, choice: Choice) -> dict[str, Any]:
    """Whom, how, and through what."""
    to = _destinations(campaign, _ways(campaign, choice))
    # Read for each slice: what went down meanwhile gets no more of it.
    routes = Routes(company=campaign.company, channel=campaign.channel)
    gateway = routes.choose(sender=to["sender"])
    if gateway is None:
        raise NoGateway
    through = [
        routes.choose(country=country, sender=sender) or gateway
        for country, sender in zip(to["countries"], to["senders"], strict=True)
    ]
    sizes = [ADAPTERS[each.kind].batch_size for each in (*through, gateway)]
    many = len({each.pk for each in (*through, gateway)}) > 1
    return {
        **_selection(campaign, choice),
        **to,
        "gateway": gateway.pk,
        # By destination, where not everything goes through one.
        "through": [each.pk for each in through] if many else [],
        "sizes": sizes[:-1],
        "size": sizes[-1],
        "gateways": len({each.pk for each in (*through, gateway)}) if many else 0,
        "due_at": timezone.now(),
        "batch_size": min(sizes),
    }


def gateway_of(company: Company, *, channel: str, country: str = "", sender: str = "") -> Gateway:
    """Raises NoGateway."""
    gateway = Gateway.carrying(channel, company=company, country=country, sender=sender)
    if gateway is None:
        raise NoGateway
    return gateway
