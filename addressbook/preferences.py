"""Fewer messages instead of none: pausing, leaving single topics, and taking that back.

Each act is one call of a database function (sql/preferences.sql): ledger lines, evidence and what follows from
them in one transaction. An opt-out is more than any of these: it ends a pause, and nothing here touches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.models import Company
from addressbook import consent
from addressbook.models import Group, Pause, TopicLeft
from lib.keys import digest_key
from messaging.addresses import Address

#: For so many days marketing may be paused.
DAYS = (30, 90)
#: More topics nobody reads.
MOST_TOPICS = 8


@dataclass(frozen=True, slots=True)
class Act:
    """Who chooses, and where: what every line of theirs says."""

    company: Company
    address: Address
    source: str
    campaign_id: int | None = None
    campaign_name: str = ""
    message_id: int | None = None
    country: str = ""
    comment: str = ""
    evidence: Mapping[str, Any] | None = None


def pause(act: Act, *, days: int) -> bool:
    """No marketing for so many days; covers what an opt-out would. False: the address has opted out, which stays."""
    if days not in DAYS:
        raise ValueError(days)
    return _prefer("pause", act, reason=f"pause:{days}")


def end_pause(act: Act) -> bool:
    return _prefer("pause_end", act, reason="")


@transaction.atomic
def leave(act: Act, *, topics: Iterable[Group]) -> bool:
    """Nothing more of these groups, by any channel: a membership is the person's. False as with `pause`."""
    return all(_prefer("topic_out", act, reason=f"topic:{topic.pk}", everywhere=True) for topic in topics)


@transaction.atomic
def come_back(act: Act) -> bool:
    """To all topics that the address has left; who was in the group is in it again."""
    digest = act.address.digest(digest_key())
    left = TopicLeft.objects.of(act.company).filter(channel=act.address.channel, digest=digest)
    topics = sorted(left.values_list("group_id", flat=True))
    return all(_prefer("topic_in", act, reason=f"topic:{pk}", everywhere=True) for pk in topics)


def paused(company: Company, *, channel: str, digests: Iterable[bytes]) -> set[bytes]:
    """Those of the digests whose pause runs."""
    running = Pause.objects.of(company).running().filter(channel=channel, digest__in=list(digests))
    return {bytes(digest) for digest in running.values_list("digest", flat=True)}


@transaction.atomic
def _prefer(kind: str, act: Act, *, reason: str, everywhere: bool = False) -> bool:
    facts = {
        "campaign_id": act.campaign_id,
        "campaign_name": act.campaign_name,
        "message_id": act.message_id,
        "country": act.country or act.address.country,
        "reason": reason,
        "comment": act.comment,
    }
    targets = consent.targets(
        company=act.company, address=act.address, channels=consent.CHANNELS if everywhere else None
    )
    (out,) = consent.call(
        "SELECT consent_prefer_v1(%s, %s, %s, %s, %s, %s)",
        act.company.pk,
        kind,
        act.source,
        targets,
        facts,
        dict(act.evidence or {}),
    )
    return out is None
