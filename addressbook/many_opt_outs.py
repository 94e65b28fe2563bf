"""Opt-outs by the thousand, as another provider's list brings them: the same rules as for a single one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.models import Company
from addressbook import consent
from lib.keys import digest_key
from messaging.addresses import Address


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody who has left elsewhere; `addresses` are all of the same person."""

    addresses: tuple[Address, ...]
    when: datetime | None
    reason: str
    evidence: Mapping[str, Any]


@transaction.atomic
def opt_out(*, company: Company, rows: Sequence[Left], source: str, file: str) -> list[bool]:
    """Per row whether that made a difference. `file` is the digest that stands in the evidence.

    Who opted in later than the file says, or since the same file was read before, stays in:
    an old wish does not undo a newer one.
    """
    if not rows:
        return []
    key = digest_key()
    with connection.cursor() as cursor:
        # As for a single opt-out: nobody gives a contact a new address meanwhile, and all chains in one order.
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s::int, %s)", [company.pk, consent.COVER_LOCK])
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s::int, chain) FROM generate_series(0, 63) AS chain", [company.pk]
        )
        flat = [(n, a, a.digest(key)) for n, row in enumerate(rows) for a in row.addresses]
        superseded = _superseded(cursor, company, rows, flat, file)
        others = _other_addresses(cursor, company, [digest for _, _, digest in flat])
        targets, facts, evidence = [], [], []
        for n, row in enumerate(rows):
            said = [(a, a.digest(key)) for a in row.addresses if (n, a.channel) not in superseded]
            if not said:
                continue
            covered = {digest: (a.channel, a.value) for a, digest in said}
            for _address, digest in said:
                covered |= {d: other for d, other in others.get(digest, {}).items() if d not in covered}
            targets.append(
                json.dumps([{"channel": c, "digest": d.hex(), "address": value} for d, (c, value) in covered.items()])
            )
            facts.append(
                json.dumps(
                    {
                        "reason": row.reason,
                        "country": row.addresses[0].country,
                        "occurred_at": row.when.isoformat() if row.when else None,
                    }
                )
            )
            evidence.append(json.dumps(row.evidence, ensure_ascii=False))
        before = _lines(cursor, company, flat)
        cursor.execute(
            """SELECT count(*) FROM unnest(%s::jsonb[], %s::jsonb[], %s::jsonb[]) AS c(targets, facts, evidence)
               CROSS JOIN LATERAL consent_opt_out_v1(%s, %s, c.targets, c.facts, c.evidence)""",
            [targets, facts, evidence, company.pk, source],
        )
        after = _lines(cursor, company, flat)
    taken: set[bytes] = set()
    changed = [False] * len(rows)
    for n, _address, digest in flat:
        if digest in after and digest not in before and digest not in taken:
            taken.add(digest)
            changed[n] = True
    return changed


def _lines(cursor: Any, company: Company, flat: list[tuple[int, Address, bytes]]) -> set[bytes]:
    """Which of these are out."""
    cursor.execute(
        "SELECT digest FROM addressbook_suppression WHERE company_id = %s AND digest = ANY(%s)",
        [company.pk, [digest for _, _, digest in flat]],
    )
    return {bytes(digest) for (digest,) in cursor.fetchall()}


def _superseded(
    cursor: Any, company: Company, rows: Sequence[Left], flat: list[tuple[int, Address, bytes]], file: str
) -> set[tuple[int, str]]:
    cursor.execute(
        """SELECT r.n, r.channel FROM unnest(%s::int[], %s::text[], %s::bytea[], %s::timestamptz[])
               AS r(n, channel, digest, at)
           CROSS JOIN LATERAL (
             SELECT id, occurred_at FROM addressbook_consentevent e
             WHERE e.company_id = %s AND e.digest = r.digest AND e.channel = r.channel AND e.type = 'opt_in'
             ORDER BY id DESC LIMIT 1) i
           WHERE r.at < i.occurred_at OR EXISTS (
             SELECT FROM addressbook_consentevent o JOIN addressbook_evidence v ON v.event_id = o.id
             WHERE o.company_id = %s AND o.digest = r.digest AND o.channel = r.channel AND o.type = 'opt_out'
               AND o.source = 'import' AND o.id < i.id AND v.details->>'sha256' = %s)""",
        [
            [n for n, _, _ in flat],
            [a.channel for _, a, _ in flat],
            [digest for _, _, digest in flat],
            [rows[n].when for n, _, _ in flat],
            company.pk,
            company.pk,
            file,
        ],
    )
    return set(cursor.fetchall())


def _other_addresses(cursor: Any, company: Company, digests: list[bytes]) -> dict[bytes, dict[bytes, tuple[str, str]]]:
    """Digest → the other address of the same contact, where an opt-out covers the whole contact."""
    if company.opt_out_scope == Company.Scope.CHANNEL:
        return {}
    cursor.execute(
        """SELECT phone_digest, phone, email_digest, email FROM addressbook_contact
           WHERE company_id = %s AND phone_digest = ANY(%s) AND email IS NOT NULL
           UNION
           SELECT phone_digest, phone, email_digest, email FROM addressbook_contact
           WHERE company_id = %s AND email_digest = ANY(%s) AND phone IS NOT NULL""",
        [company.pk, digests, company.pk, digests],
    )
    found: dict[bytes, dict[bytes, tuple[str, str]]] = {}
    for phone_digest, phone, email_digest, email in cursor.fetchall():
        found.setdefault(bytes(phone_digest), {})[bytes(email_digest)] = ("email", email)
        found.setdefault(bytes(email_digest), {})[bytes(phone_digest)] = ("sms", phone)
    return found
