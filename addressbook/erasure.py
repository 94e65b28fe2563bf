"""Erasure: everything that says who the person was goes; the keyed digest of the address stays.

By the digest they are still left alone: a suppression goes on without its address, and a later
import or send of the same number is stopped as before (promise 9).
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import phonenumbers
from django.db import connection, transaction
from django.dispatch import Signal

from accounts.models import User
from addressbook import consent, retention
from addressbook.models import Contact
from lib import sql
from lib.keys import digest_key

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "erasure.sql")


#: Whoever above the address book keeps addresses empties them on this: (company_id, addresses), in the transaction.
erased = Signal()
#: A file that was uploaded so long ago and not gone on with is dropped: who is in it, nobody could tell.
ABANDONED = timedelta(days=1)


class Busy(Exception):
    """A message to the contact is being handed over, or a reply read, at this moment; try again in a minute."""


def erase(contact: Contact, *, by: User | str, source: str = "marketer", opt_out: bool = False) -> list[int]:
    """Erase the contact and everything kept about its addresses; returns the ids of the ledger's lines.

    With `opt_out` the addresses are opted out first.

    1. Wait for acts on the same addresses; hold their waiting batches, so that nobody claims them.
    2. Cancel what waits; empty messages, replies, evidence, suppressions and handsets.
    3. Delete the contact and write one line per address.

    Raises Busy, and Contact.DoesNotExist when somebody else was faster.
    """
    with transaction.atomic():
        _run("lock_replies", {"digests": [a.digest(digest_key()) for a in contact.addresses()]})
        locked = Contact.objects.of(contact.company_id).select_for_update().get(pk=contact.pk)
        key = digest_key()
        digests = {a.channel: a.digest(key) for a in locked.addresses()}
        scope: dict[str, Any] = {
            "company": locked.company_id,
            "contact": locked.pk,
            "digests": list(digests.values()),
        }
        _run("lock_cover", scope)
        _run("lock", scope)
        if opt_out:
            _opt_out(locked, by=by, source=source)
        scope["messages"] = [row[0] for row in _run("find", scope)]
        _run("hold", scope)
        if _run("in_flight", scope)[0][0]:
            raise Busy
        written = {row[0] for row in _run("written_as", scope)} | {a.value for a in locked.addresses()}
        scope["addresses"] = sorted(written)
        scope["numbers"] = [n for n in map(_national, scope["addresses"]) if n]
        for statement in (
            "messages", "replies", "hooks", "handsets", "evidence", "suppressions", "rejected_rows", "contact",
        ):  # fmt: skip
            _run(statement, scope)
        retention.forget_abandoned(locked.company_id, age=ABANDONED)
        erased.send(sender=Contact, company_id=locked.company_id, addresses=scope["addresses"])
        return _events(locked, digests, by=by, source=source)


def _opt_out(contact: Contact, *, by: User | str, source: str) -> None:
    consent.opt_out(
        company=contact.company,
        address=contact.addresses()[0],
        source=source,
        channels=consent.CHANNELS,
        country=contact.country,
        evidence={"by": by.email if isinstance(by, User) else by, "method": "with erasure"},
    )


def rejected_rows_of(contact: Contact) -> list[dict[str, Any]]:
    """Rows of imports in which the contact stands although they were left out."""
    addresses = [a.value for a in contact.addresses()]
    scope = {
        "company": contact.company_id,
        "addresses": addresses,
        "numbers": [n for n in map(_national, addresses) if n],
    }
    names = ("import", "file", "line", "cells", "reason")
    found = [dict(zip(names, row, strict=True)) for row in _run("rejected_rows_of", scope)]
    return [
        {**row, "cells": json.loads(row["cells"]) if isinstance(row["cells"], str) else row["cells"]} for row in found
    ]


def _national(address: str) -> str:
    """The digits that every writing of a number has."""
    if not address.startswith("+"):
        return ""
    try:
        return str(phonenumbers.parse(address).national_number)
    except phonenumbers.NumberParseException:
        return ""


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
