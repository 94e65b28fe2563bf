"""Opting out and in: the only writers of ledger and suppressions.

Each act is one call of a database function (sql/ledger.sql), so that event,
evidence, suppressions and the cancelled messages are one transaction and one
round trip.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction

from accounts.models import Company
from addressbook.models import Contact
from lib.keys import digest_key
from messaging.addresses import Address

CHANNELS = ("sms", "email")
#: Key of pg_advisory_xact_lock(company, …), below the ledger's 64 chains. Opt-outs share it from reading the
#: contact's other address until they commit; who gives a contact a new address takes it alone (`cover`).
COVER_LOCK = -2
#: What sql/newer_consent.sql calls its refusal.
NEWER_CONSENT = "consent_newer_than_opt_out"


class EvidenceMissing(ValueError):
    """An opt-in needs evidence: how, when, and what text was shown."""


class ConsentTooOld(ValueError):
    """The consent was given before the opt-out that it would lift; `since` is that opt-out's time."""

    def __init__(self, since: datetime) -> None:
        super().__init__("a consent newer than the opt-out is needed")
        self.since = since


@dataclass(frozen=True, slots=True)
class OptOut:
    event_id: int
    already: bool


@dataclass(frozen=True, slots=True)
class Gained:
    """A contact has the address `new` from now on; `beside` is, or was until now, another one of the same contact."""

    new: Address
    beside: Address


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
    row = call(
        "SELECT event_id, already FROM consent_leave_v1(%s, %s, %s, %s, %s, %s::text[], %s, %s)",
        company.pk,
        source,
        address.channel,
        address.digest(digest_key()),
        address.value,
        "{" + ",".join(sorted(_wanted(company=company, address=address, channels=channels))) + "}",
        facts,
        dict(evidence or {}),
    )
    return OptOut(event_id=row[0], already=row[1])


@transaction.atomic
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

    Raises EvidenceMissing, and ConsentTooOld when an opt-out came after `occurred_at`: then nothing is recorded.
    GDPR Art. 7(1): consent must be demonstrable.
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
    covered = targets(company=company, address=address, channels=channels)
    try:
        row = call("SELECT consent_opt_in_v1(%s, %s, %s, %s, %s)", company.pk, source, covered, facts, dict(evidence))
    except IntegrityError as refused:
        diagnosis = getattr(refused.__cause__, "diag", None)
        if diagnosis is None or diagnosis.constraint_name != NEWER_CONSENT:
            raise
        raise ConsentTooOld(datetime.fromisoformat(diagnosis.message_detail)) from refused
    return int(row[0])


def hold(*, company: Company, digests: Iterable[bytes]) -> None:
    """Acts on these addresses wait from here to the end of the transaction, and other opt-outs of the company that
    look for a contact's other address.

    For who takes an address away from a contact: after the contact's row, before the address is written, because
    that touches the messages to it, which an opt-out touches last. All chains in one call, as in consent_opt_out_v1.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s::int, %s)", [company.pk, COVER_LOCK])
        cursor.execute(_CHAINS, [company.pk, sorted({digest[0] & 63 for digest in digests})])


_CHAINS = "SELECT pg_advisory_xact_lock(%s::int, chain) FROM unnest(%s::int[]) AS chain"


def cover(*, company: Company, gained: Sequence[Gained]) -> None:
    """A new address of somebody who opted out is out as well, as if it had been there at the time.

    Call it last in the transaction that writes the addresses (`hold` before, where one takes another's place):
    other opt-outs of the company wait from here to its end. An address that was opted in after that opt-out stays
    in, and so does one of the other channel where the company narrows opt-outs to theirs.
    """
    if company.opt_out_scope != Company.Scope.CONTACT:
        gained = [g for g in gained if g.new.channel == g.beside.channel]
    if not gained:
        return
    key = digest_key()
    columns: list[list[Any]] = [
        [g.new.channel for g in gained],
        [g.new.digest(key) for g in gained],
        [g.new.value for g in gained],
        [g.beside.channel for g in gained],
        [g.beside.digest(key) for g in gained],
        [g.beside.value for g in gained],
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s::int, %s)", [company.pk, COVER_LOCK])
        cursor.execute(_COVERED, [*columns, company.pk])
        covered = cursor.fetchall()
        if not covered:
            return
        countries = {g.new.digest(key): g.new.country for g in gained if g.new.channel == "sms"}
        facts = [json.dumps({"country": countries.get(bytes(digest), "")}) for *_, digest in covered]
        # All chains of this act in one order, as in consent_opt_out_v1.
        chains = sorted({bytes.fromhex(t["digest"])[0] & 63 for _, targets, _ in covered for t in json.loads(targets)})
        cursor.execute(_CHAINS, [company.pk, chains])
        cursor.execute(
            """SELECT consent_opt_out_v1(%s, source, targets, facts, %s)
               FROM unnest(%s::text[], %s::jsonb[], %s::jsonb[]) AS c(source, targets, facts)""",
            [company.pk, _FOLLOWED, [row[0] for row in covered], [row[1] for row in covered], facts],
        )


_FOLLOWED = json.dumps({"method": "the contact's other address had opted out"})
_COVERED = """
  SELECT DISTINCT ON (g.digest) s.source,
    jsonb_build_array(
      jsonb_build_object('channel', g.beside_channel, 'digest', encode(g.beside, 'hex'), 'address', g.beside_address),
      jsonb_build_object('channel', g.channel, 'digest', encode(g.digest, 'hex'), 'address', g.address))::text,
    g.digest
  FROM unnest(%s::text[], %s::bytea[], %s::text[], %s::text[], %s::bytea[], %s::text[])
    AS g(channel, digest, address, beside_channel, beside, beside_address)
  JOIN addressbook_suppression s
    ON s.company_id = %s AND s.channel = g.beside_channel AND s.digest = g.beside
  WHERE NOT EXISTS (SELECT FROM addressbook_suppression t
      WHERE t.company_id = s.company_id AND t.channel = g.channel AND t.digest = g.digest)
    AND NOT EXISTS (SELECT FROM addressbook_consentevent e
      WHERE e.company_id = s.company_id AND e.digest = g.digest AND e.channel = g.channel
        AND e.type = 'opt_in' AND e.id > s.event_id)
  ORDER BY g.digest, s.event_id
"""


def give_reason(
    *,
    company: Company,
    address: Address,
    event_id: int,
    source: str,
    reason: str,
    comment: str,
    evidence: Mapping[str, Any] | None = None,
) -> None:
    """A reason told after the opt-out; the ledger only grows, so it is a line of its own that names the first."""
    call(
        "SELECT consent_event('reason', %s, %s, %s, %s, %s, %s, %s, %s)",
        company.pk,
        source,
        address.channel,
        address.digest(digest_key()),
        address.value,
        event_id,
        {"reason": reason, "comment": comment, "country": address.country},
        dict(evidence or {}),
    )


def _wanted(*, company: Company, address: Address, channels: Iterable[str] | None) -> set[str]:
    """The channels that an act covers."""
    if channels is not None:
        return set(channels) & set(CHANNELS)
    return {address.channel} if company.opt_out_scope == Company.Scope.CHANNEL else set(CHANNELS)


def targets(*, company: Company, address: Address, channels: Iterable[str] | None) -> list[dict[str, str]]:
    """The acting address first, then the other address of the same contact."""
    wanted = _wanted(company=company, address=address, channels=channels)
    covered = [address] if address.channel in wanted else []
    if wanted - {address.channel}:
        call("SELECT pg_advisory_xact_lock_shared(%s::int, %s)", company.pk, COVER_LOCK)
        for contact in Contact.objects.of(company).with_address(address):
            covered += [a for a in contact.addresses() if a.channel in wanted and a.identity != address.identity]
    key = digest_key()
    return [{"channel": a.channel, "digest": a.digest(key).hex(), "address": a.value} for a in covered or [address]]


def call(statement: str, *arguments: Any) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(a) if isinstance(a, (dict, list)) else a for a in arguments])
        return cursor.fetchone()
