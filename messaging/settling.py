"""What a delivery report changes. Reports come late, twice and in any order; a status never goes back."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

from django.db import connection

from lib import sql
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse_email, parse_phone
from messaging.gateways import Report, references
from messaging.models import Gateway, Message

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "settling.sql")


class Settled(enum.Enum):
    CHANGED = "changed"
    KNOWN = "known"  # it says nothing new
    TOO_EARLY = "too early"  # the worker that hands the message over has not finished
    NO_MESSAGE = "no message"  # perhaps too early as well


def settle(gateway: Gateway, report: Report) -> tuple[Settled, int | None]:
    """Also says which message it was."""
    message = _message_of(gateway, report)
    if message is None:
        return Settled.NO_MESSAGE, None
    facts = {"message": message, "status": report.status, "error": report.error, "provider_id": report.provider_id}
    if report.status and _run("settle", facts):
        return Settled.CHANGED, message
    ((status, batch_status),) = _run("where", facts) or ((None, None),)
    is_early = status in Message.WAITING and batch_status == "handing"
    return Settled.TOO_EARLY if is_early and report.status else Settled.KNOWN, message


def address_of(text: str) -> Address | None:
    """Providers leave out the + as they like; None when it is no address."""
    for written in (text, f"+{text}"):
        try:
            return parse_email(written) if "@" in written else parse_phone(written)
        except InvalidAddress:
            continue
    return None


def _message_of(gateway: Gateway, report: Report) -> int | None:
    facts: dict[str, Any] = {"company": gateway.company_id, "gateway": gateway.pk, "provider_id": report.provider_id}
    message = references.read(report.reference)
    if message is not None:
        rows = _run("by_id", {**facts, "message": message})
        return rows[0][0] if rows else None
    rows = _run("by_provider_id", facts) if report.provider_id else []
    if not rows and (address := address_of(report.to)):
        rows = _run("by_address", {**facts, "digest": address.digest(digest_key())})
    return rows[0][0] if rows else None


def _run(name: str, arguments: dict[str, Any]) -> list[Any]:
    """Rows; of a change one entry per row that changed."""
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall() if cursor.description else [None] * cursor.rowcount
