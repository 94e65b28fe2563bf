"""Erasure: everything that says who the person was goes; the keyed digest of the address stays.

By the digest they are still left alone: a suppression goes on without its address, and a later
import or send of the same number is stopped as before (promise 9).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from accounts.models import User
from addressbook.models import Contact
from lib import sql
from lib.keys import digest_key

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "erasure.sql")


class Busy(Exception):
    """A message to the contact is being handed over, or a reply read, at this moment; try again in a minute."""


def erase(contact: Contact, *, by: User | str, source: str = "marketer") -> list[int]:
    """Erase the contact and everything kept about its addresses; returns the ids of the ledger's lines.

    1. Wait for acts on the same addresses; hold their waiting batches, so that nobody claims them.
    2. Cancel what waits; empty messages, replies, evidence, suppressions and handsets.
    3. Delete the contact and write one line per address.

    Raises Busy, and Contact.DoesNotExist when somebody else was faster.
    """
    with transaction.atomic():
        locked = Contact.objects.of(contact.company_id).select_for_update().get(pk=contact.pk)
        key = digest_key()
        digests = {a.channel: a.digest(key) for a in locked.addresses()}
        scope: dict[str, Any] = {
            "company": locked.company_id,
            "contact": locked.pk,
            "digests": list(digests.values()),
        }
        _run("lock", scope)
        scope["messages"] = [row[0] for row in _run("find", scope)]
        _run("hold", scope)
        if _run("in_flight", scope)[0][0]:
            raise Busy
        written = {row[0] for row in _run("written_as", scope)} | {a.value for a in locked.addresses()}
        scope["addresses"] = sorted(written)
        for statement in (
            "messages", "replies", "handsets", "evidence", "suppressions", "rejected_rows", "contact",
        ):  # fmt: skip
            _run(statement, scope)
        return _events(locked, digests, by=by, source=source)


def _events(contact: Contact, digests: dict[str, bytes], *, by: User | str, source: str) -> list[int]:
    ids: list[int] = []
    for channel, digest in digests.items():
        line = {
            "company": contact.company_id,
            "source": source,
            "channel": channel,
            "digest": digest,
            "cause": ids[0] if ids else None,
            "facts": json.dumps({"country": contact.country}),
            "evidence": json.dumps({"by": by.email if isinstance(by, User) else by}),
        }
        ids.append(_run("event", line)[0][0])
    return ids


def _run(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall() if cursor.description else []
