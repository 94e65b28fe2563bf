"""Whom a reply concerns, and what follows from it.

1. `receive` stores the reply; once that is committed it cannot be lost.
2. `read` finds what it means and whom it concerns, and acts, all in one transaction.
3. What nobody can tell is left for a person (`ReviewItem`), never dropped and never acted on silently.
4. `sweep_unread` reads what a crash left between the two.
"""

from __future__ import annotations

import logging
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from accounts.models import Company, User
from addressbook import consent
from lib import sql
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse_phone
from messaging.models import Gateway, Reply, Sender
from optout.models import ReviewItem

log = logging.getLogger("stopgate.replies")
STATEMENTS = sql.named(Path(__file__).parent / "sql" / "replies.sql")
LONGEST_TEXT = 10_000
ROUND = 500
_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")
_DIGITS = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)


class Decided(Exception):
    """Somebody has settled this reply already."""


@dataclass(frozen=True, slots=True)
class Concern:
    """A company that a reply is about, and the message that it answers, if any."""

    company_id: int
    message_id: int | None = None
    campaign_id: int | None = None
    campaign_name: str = ""


def receive(
    *, gateway: Gateway, provider_id: str, sender: str, to: str, text: str, received_at: datetime | None = None
) -> Reply:
    """Keep a reply and act on it; when this returns, what it asked for is in force.

    A repeated delivery (same gateway and provider's id) has no second effect, unless
    the first was stored but not yet read. `received_at` is the provider's time.
    """
    address, _is_number = _address_of(sender)
    provider_id = (provider_id or str(uuid.uuid4()))[:100]
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            STATEMENTS["store"],
            {
                "company": gateway.company_id,
                "gateway": gateway.pk,
                "provider_id": provider_id,
                "sender": address.value,
                "digest": address.digest(digest_key()),
                "country": address.country,
                "to": _printable(to).strip()[:20],
                "text": _printable(text)[:LONGEST_TEXT],
                "received_at": min(received_at or now, now),
            },
        )
    reply = Reply.objects.of(gateway.company_id).get(gateway=gateway, provider_id=provider_id)
    if reply.read_at is None:
        _read_or_keep(reply)
    return reply


def due() -> bool:
    return Reply.objects.across_companies().filter(read_at=None).exists()


def sweep_unread() -> int:
    """Read what was stored but not acted upon; returns how many."""
    waiting = list(Reply.objects.across_companies().filter(read_at=None).order_by("received_at", "pk")[:ROUND])
    for reply in waiting:
        _read_or_keep(reply)
    return len(waiting)


def _read_or_keep(reply: Reply) -> None:
    """A reply that we cannot even read is a matter for a person, and must not hold up the others."""
    try:
        read(reply)
    except (OperationalError, InterfaceError):
        raise  # the next round tries again
    except Exception as problem:
        log.error("reply %s could not be read: %s", reply.pk, type(problem).__name__)
        with transaction.atomic():
            if _claim(reply, meaning=""):
                _for_a_person(reply, Concern(reply.company_id), suggestion="")


def read(reply: Reply) -> None:
    """Act on a stored reply, once."""
    from optout import keywords

    meaning = keywords.load().read(reply.text, country=reply.country)
    kind = "" if meaning.kind == "none" else meaning.kind
    _address, is_number = _address_of(reply.sender)
    with transaction.atomic():
        if not _claim(reply, meaning=kind):
            return
        concerned, is_certain = _concerned(reply, everyone=kind == "opt_out" and meaning.all)
        if kind == "opt_out" and is_certain:
            _opt_out(reply, concerned)
        elif kind == "opt_in" and is_certain and is_number:
            _opt_in(reply, concerned[0])
            return
        if kind != "opt_out" or not is_certain or not is_number:
            _for_a_person(reply, concerned[0], suggestion="opt_out" if kind == "maybe_opt_out" else kind)


def decide(item: ReviewItem, *, decision: str, by: User) -> None:
    """A person has settled what a reply means. Raises Decided when somebody was faster."""
    with transaction.atomic():
        settled = ReviewItem.objects.of(item.company_id).filter(pk=item.pk, decision="")
        if not settled.update(decision=decision, decided_by=by, decided_at=timezone.now()):
            raise Decided
        if decision == ReviewItem.Decision.OPT_OUT:
            concern = _message(item.message_id, company_id=item.company_id)
            _opt_out(item.reply, [concern], decided_by=str(by))


def _claim(reply: Reply, *, meaning: str) -> bool:
    """One reader per reply; whoever comes second finds it read."""
    now = timezone.now()
    unread = Reply.objects.of(reply.company_id).filter(pk=reply.pk, read_at=None)
    if not unread.update(read_at=now, meaning=meaning):
        return False
    reply.read_at, reply.meaning = now, meaning
    return True


def _concerned(reply: Reply, *, everyone: bool) -> tuple[list[Concern], bool]:
    """The companies in question, in a fixed order, and whether that is certain."""
    number = reply.to.lstrip("+")
    registered = Sender.objects.receiving_replies().filter(value__in=[number, f"+{number}"])
    owners = set(registered.values_list("company_id", flat=True))
    if None in owners and reply.company_id not in owners:
        found = _latest(reply, company_id=None, to=number)
        if found:
            return (sorted(found, key=lambda c: c.company_id), True) if everyone else (found[:1], True)
        return [Concern(reply.company_id)], False
    company_id = reply.company_id
    if owners and company_id not in owners:
        company_id = min(owners)
        among = [c for c in _latest(reply, company_id=None, to=number) if c.company_id in owners]
        if among:
            return among[:1], True
    found = _latest(reply, company_id=company_id, to=number) or _latest(reply, company_id=company_id, to="")
    if found:
        return found, True
    return [Concern(company_id)], bool(owners)


def _latest(reply: Reply, *, company_id: int | None, to: str) -> list[Concern]:
    with connection.cursor() as cursor:
        cursor.execute(
            STATEMENTS["latest_messages"],
            {"digest": reply.digest, "to": to, "received_at": reply.received_at, "company": company_id},
        )
        return [Concern(*row[:4]) for row in cursor.fetchall()]


def _message(message_id: int | None, *, company_id: int) -> Concern:
    from messaging.models import Message

    row = Message.objects.of(company_id).filter(pk=message_id).values_list("campaign_id", "campaign__name").first()
    return Concern(company_id, message_id, row[0], row[1] or "") if row else Concern(company_id)


def _opt_out(reply: Reply, concerned: list[Concern], **more: str) -> None:
    address = _address_of(reply.sender)[0]
    companies = Company.objects.in_bulk([concern.company_id for concern in concerned])
    for concern in concerned:
        consent.opt_out(
            company=companies[concern.company_id],
            address=address,
            source="reply",
            campaign_id=concern.campaign_id,
            campaign_name=concern.campaign_name,
            message_id=concern.message_id,
            country=reply.country,
            occurred_at=reply.received_at,
            evidence=_evidence(reply) | more,
        )


def _opt_in(reply: Reply, concern: Concern) -> None:
    """START, for this address. One that was sent before the last STOP comes too late (in doubt: suppressed)."""
    facts = {"company": concern.company_id, "owner": reply.company_id, "digest": reply.digest}
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS["lock_address"], facts)
        cursor.execute(STATEMENTS["out_since"], facts)
        (out_since,) = cursor.fetchone()
    if out_since is not None and reply.received_at <= out_since:
        return
    consent.opt_in(
        company=Company.objects.get(pk=concern.company_id),
        address=_address_of(reply.sender)[0],
        source="reply",
        channels=["sms"],  # a sender can be forged, so an answer brings back nothing but its own number
        campaign_id=concern.campaign_id,
        campaign_name=concern.campaign_name,
        message_id=concern.message_id,
        occurred_at=reply.received_at,
        evidence={"method": "reply", **_evidence(reply)},
    )


def _evidence(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "to": reply.to,
        "provider_id": reply.provider_id,
        "occurred_at": reply.received_at.isoformat(),
    }


def _for_a_person(reply: Reply, concern: Concern, *, suggestion: str) -> None:
    ReviewItem.objects.of(concern.company_id).get_or_create(
        reply=reply,
        defaults={
            "company_id": concern.company_id,
            "suggestion": suggestion,
            "message_id": concern.message_id,
            "campaign_name": concern.campaign_name,
        },
    )


def _address_of(sender: str) -> tuple[Address, bool]:
    """The number a reply came from, and whether it is one; providers leave out the + as they like."""
    sender = _printable(sender).strip()
    for written in (sender, f"+{sender}"):
        try:
            return parse_phone(written), True
        except InvalidAddress:
            continue
    digits = _DIGITS.fullmatch(sender)
    return Address("sms", f"+{digits[1]}" if digits else sender[:64]), False


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("", text)
