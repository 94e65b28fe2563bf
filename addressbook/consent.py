"""Opting out and in: the only writers of ledger and suppressions.

Each act is one call of a database function (sql/ledger.sql), so that event,
evidence, suppressions and the cancelled messages are one transaction and one
round trip.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import Company
from addressbook.models import Contact
from lib.keys import digest_key
from messaging.addresses import Address

CHANNELS = ("sms", "email")


class EvidenceMissing(ValueError):
    """An opt-in needs evidence: how, when, and what text was shown."""


@dataclass(frozen=True, slots=True)
class OptOut:
    event_id: int
    already: bool


def opt_out(
    *,
    company: Company,
    address: Address,
    source: str,
    channels: Iterable[str] | None = None,
    campaign_id: int | None = None,
    campaign_name: str = "",
    message_id: int | None = None,
    country: str = "",
    reason: str = "",
    comment: str = "",
    occurred_at: datetime | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> OptOut:
    """No more marketing from `company` to `address`; in force when the transaction commits.

    Covers the other address of the same contact too, unless the company narrows an
    opt-out to its channel or `channels` says otherwise. Twice is friendly: `already`.
    """
    facts = {
        "campaign_id": campaign_id,
        "campaign_name": campaign_name,
        "message_id": message_id,
        "country": country or address.country,
        "reason": reason,
        "comment": comment,
        "occurred_at": occurred_at.isoformat() if occurred_at else None,
    }
    row = _call(
        "SELECT event_id, already FROM consent_opt_out_v1(%s, %s, %s, %s, %s)",
        company.pk,
        source,
        _targets(company=company, address=address, channels=channels),
        facts,
        dict(evidence or {}),
    )
    return OptOut(event_id=row[0], already=row[1])


def opt_in(
    *,
    company: Company,
    address: Address,
    source: str,
    evidence: Mapping[str, Any],
    channels: Iterable[str] | None = None,
    campaign_id: int | None = None,
    campaign_name: str = "",
    message_id: int | None = None,
    occurred_at: datetime | None = None,
) -> int:
    """Records a consent and lifts what it covers; returns the event's id.

    Raises EvidenceMissing. GDPR Art. 7(1): consent must be demonstrable.
    """
    if not any(evidence.values()):
        raise EvidenceMissing
    facts = {
        "campaign_id": campaign_id,
        "campaign_name": campaign_name,
        "message_id": message_id,
        "country": address.country,
        "occurred_at": occurred_at.isoformat() if occurred_at else None,
    }
    targets = _targets(company=company, address=address, channels=channels)
    row = _call("SELECT consent_opt_in_v1(%s, %s, %s, %s, %s)", company.pk, source, targets, facts, dict(evidence))
    return int(row[0])


def give_reason(*, company: Company, address: Address, event_id: int, source: str, reason: str, comment: str) -> None:
    """A reason told after the opt-out; the ledger only grows, so it is a line of its own that names the first."""
    _call(
        "SELECT consent_event('reason', %s, %s, %s, %s, %s, %s, %s, %s)",
        company.pk,
        source,
        address.channel,
        address.digest(digest_key()),
        address.value,
        event_id,
        {"reason": reason, "comment": comment, "country": address.country},
        {},
    )


def _targets(*, company: Company, address: Address, channels: Iterable[str] | None) -> list[dict[str, str]]:
    """The acting address first, then the other address of the same contact."""
    wanted = set(channels) if channels is not None else set(CHANNELS)
    if channels is None and company.opt_out_scope == Company.Scope.CHANNEL:
        wanted = {address.channel}
    covered = [address] if address.channel in wanted else []
    if wanted - {address.channel}:
        for contact in Contact.objects.of(company).with_address(address):
            covered += [a for a in contact.addresses() if a.channel in wanted and a.identity != address.identity]
    key = digest_key()
    return [{"channel": a.channel, "digest": a.digest(key).hex(), "address": a.value} for a in covered or [address]]


def _call(statement: str, *arguments: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(a) if isinstance(a, (dict, list)) else a for a in arguments])
        return cursor.fetchone()
