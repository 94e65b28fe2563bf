"""Whom a reply concerns, and what follows from it.

1. `receive` stores the reply; once that is committed it cannot be lost. A plain STOP is stored and acted on in one
   statement (stops.py); when that does not apply, or fails, everything goes the long way.
2. `read` finds what it means and whom it concerns, and acts, all in one transaction.
3. What nobody can tell is left for a person (`ReviewItem`), never dropped and never acted on silently. What may be a
   no holds marketing to that number until it is decided.
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
from messaging.models import Gateway, Message, Reply, Sender
from optout import answers, destinations, keywords, stops
from optout.models import ReviewItem

log = logging.getLogger("stopgate.replies")
STATEMENTS = sql.named(Path(__file__).parent / "sql" / "replies.sql")
LONGEST_TEXT = 10_000
ROUND = 500
SIMULATOR = "simulator"
_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")
_DIGITS = re.compile(r"\+?([1-9][0-9]{6,14})", re.ASCII)


class Decided(Exception):
    """Somebody has settled this reply already."""


class NotOnSimulator(Exception):
    """This company sends through a provider: only real handsets answer it."""


@dataclass(frozen=True, slots=True)
class Concern:
    """A company that a reply is about, and the message that it answers, if any."""

    company_id: int
    message_id: int | None = None
    campaign_id: int | None = None
    campaign_name: str = ""


def receive(
    *,
    gateway: Gateway,
    provider_id: str,
    sender: str,
    to: str,
    text: str,
    received_at: datetime | None = None,
    provider_meaning: str = "",
) -> Reply:
    """Keep a reply and act on it; when this returns, what it asked for is in force.

    A repeated delivery (same gateway and provider's id) has no second effect, unless
    the first was stored but not yet read. `received_at` is the provider's time, `provider_meaning` what it has read
    (and answered) by itself.
    """
    address, is_number = _address_of(sender)
    now = timezone.now()
    reply = Reply(
        company_id=gateway.company_id,
        gateway=gateway,
        provider_id=_printable(provider_id).strip()[:100] or str(uuid.uuid4()),
        sender=address.value,
        digest=address.digest(digest_key()),
        country=address.country,
        to=_printable(to).strip()[:20],
        text=_printable(text[:LONGEST_TEXT]),
        provider_meaning=provider_meaning,
        received_at=min(received_at or now, now),
    )
    if is_number and _is_done_at_once(reply):
        return reply
    _run("store", _stored(reply))
    reply = Reply.objects.of(gateway.company_id).get(gateway=gateway, provider_id=reply.provider_id)
    if reply.read_at is None:
        _read_or_keep(reply)
    return reply


def receive_simulated(*, company: Company, from_: str, to: str, text: str) -> Reply:
    """A handset of the simulator answers. Raises NotOnSimulator, and InvalidAddress when `from_` is no number.

    `to` is what the message showed as its sender, or the number its text named for replies.
    """
    gateway = answers.gateway_of(company.pk)
    if gateway is None or gateway.kind != SIMULATOR:
        raise NotOnSimulator
    handset = parse_phone(from_, default_country=company.country)
    return receive(gateway=gateway, provider_id=f"sim-{uuid.uuid4()}", sender=handset.value, to=to, text=text)


def due() -> bool:
    """Whether a reply waits to be read."""
    return Reply.objects.across_companies().filter(read_at=None).exists()


def sweep_unread() -> int:
    """Read what was stored but not acted upon; returns how many."""
    waiting = list(Reply.objects.across_companies().filter(read_at=None).order_by("received_at", "pk")[:ROUND])
    for reply in waiting:
        _read_or_keep(reply)
    return len(waiting)


def _stored(reply: Reply) -> dict[str, Any]:
    return {
        "company": reply.company_id,
        "gateway": reply.gateway_id,
        "provider_id": reply.provider_id,
        "sender": reply.sender,
        "digest": reply.digest,
        "country": reply.country,
        "to": reply.to,
        "text": reply.text,
        "provider_meaning": reply.provider_meaning,
        "received_at": reply.received_at,
    }


def _is_done_at_once(reply: Reply) -> bool:
    """Whether this was a plain STOP that is now stored and in force. If not, nothing has happened."""
    try:
        kind, source, everyone = _meaning(reply)
        if kind != "opt_out" or everyone:
            return False
        is_confirmed = not reply.provider_meaning
        reply.pk = stops.take(_stored(reply), source=source, evidence=_evidence(reply), is_confirmed=is_confirmed)
    except (OperationalError, InterfaceError):
        raise
    except Exception as problem:
        log.error("a STOP was not taken in one go: %s", type(problem).__name__)
        return False
    if reply.pk is None:
        return False
    reply.meaning, reply.read_at = kind, timezone.now()
    reply._state.adding = False
    return True


def _meaning(reply: Reply) -> tuple[str, str, bool]:
    """What it is read as, who has read it so, and whether it is about every company."""
    advertised = destinations.rule(reply.country).keyword
    meaning = keywords.load().read(reply.text, country=reply.country, advertised=advertised)
    kind = "" if meaning.kind == "none" else meaning.kind
    if reply.provider_meaning == "opt_out" and kind != "opt_out":
        return "opt_out", "provider", meaning.all  # a word that the provider takes for a no, and blocks the number for
    return kind, "reply", meaning.all


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
                _tell(reply, [Concern(reply.company_id)])


def read(reply: Reply) -> None:
    """Act on a stored reply, once."""
    _address, is_number = _address_of(reply.sender)
    kind, source, everyone = _meaning(reply)
    is_answered = bool(reply.provider_meaning)
    with transaction.atomic():
        _run("lock_replies", {"digest": reply.digest})
        if not _claim(reply, meaning=kind):
            return
        concerned, is_certain = _concerned(reply, everyone=kind == "opt_out" and everyone)
        if is_certain and kind == "opt_out":
            left = _opt_out(reply, concerned, source=source)
            if left and is_number and not is_answered:
                _try(_confirm, reply, left, everyone=len(concerned) > 1)
        elif is_certain and kind == "opt_in" and is_number:
            _opt_in(reply, concerned[0])
        elif is_certain and kind == "help" and is_number:
            if not is_answered:
                _try(_say_who, reply, concerned[0])
        else:
            is_certain = False
        if not is_certain or not is_number:
            _for_a_person(reply, concerned[0], suggestion="opt_out" if kind == "maybe_opt_out" else kind)
        _tell(reply, concerned)


def decide(item: ReviewItem, *, decision: str, by: User) -> None:
    """A person has settled what a reply means. Raises Decided when somebody was faster."""
    with transaction.atomic():
        _run("lock_replies", {"digest": item.reply.digest})
        if not _settle(ReviewItem.objects.of(item.company_id).filter(pk=item.pk), decision=decision, by=by):
            raise Decided
        if not item.reply.sender:
            return  # erased meanwhile: suppressed for good, and nobody to write to
        concern = _message(item.message_id, company_id=item.company_id)
        if decision == ReviewItem.Decision.OPT_OUT:
            _opt_out(item.reply, [concern], by=by)
        elif decision == ReviewItem.Decision.HELPED:
            _say_who(item.reply, concern, asked_by_person=True)


def _settle(items: Any, *, decision: str, by: User | None) -> int:
    return int(items.waiting().update(decision=decision, decided_by=by, decided_at=timezone.now()))


def _claim(reply: Reply, *, meaning: str) -> bool:
    """One reader per reply; whoever comes second finds it read."""
    now = timezone.now()
    unread = Reply.objects.of(reply.company_id).filter(pk=reply.pk, read_at=None)
    if not unread.update(read_at=now, meaning=meaning):
        return False
    reply.read_at, reply.meaning = now, meaning
    return True


def _concerned(reply: Reply, *, everyone: bool) -> tuple[list[Concern], bool]:
    """The companies in question, the one that wrote last first, and whether that is certain."""
    number = reply.to.lstrip("+")
    owners = _owners(number, country=reply.country)
    if None in owners:
        found = _latest(reply, company_id=None, to=number)
        if found:
            return found if everyone else found[:1], True
        if reply.company_id not in owners:
            return [Concern(reply.company_id)], False
    # Somebody else's own number cannot have reached this company's account: nothing there is touched.
    found = _latest(reply, company_id=reply.company_id, to=number) or _latest(reply, company_id=reply.company_id, to="")
    if found:
        return found, True
    return [Concern(reply.company_id)], not owners or reply.company_id in owners


def _owners(number: str, *, country: str) -> set[int | None]:
    """Whose number this is; None stands for all companies. The same short code may be another's abroad."""
    rows = Sender.objects.receiving_replies().filter(value__in=[number, f"+{number}"])
    registered = list(rows.values_list("company_id", "country"))
    here = [company_id for company_id, where in registered if where in {"", country}]
    return set(here or [company_id for company_id, _where in registered])


def _latest(reply: Reply, *, company_id: int | None, to: str) -> list[Concern]:
    rows = _run(
        "latest_messages",
        {"digest": reply.digest, "to": to, "received_at": reply.received_at, "company": company_id},
    )
    found = [Concern(*row[:4]) for row in rows]
    if company_id is None and reply.gateway.kind == SIMULATOR:
        # A company on trial can make any handset say anything: it must not speak for a provider's subscribers.
        found = [concern for concern in found if _is_on_simulator(concern.company_id)]
    return found


def _is_on_simulator(company_id: int) -> bool:
    gateway = answers.gateway_of(company_id)
    return gateway is not None and gateway.kind == SIMULATOR


def _message(message_id: int | None, *, company_id: int) -> Concern:
    row = Message.objects.of(company_id).filter(pk=message_id).values_list("campaign_id", "campaign__name").first()
    return Concern(company_id, message_id, row[0], row[1] or "") if row else Concern(company_id)


def _opt_out(reply: Reply, concerned: list[Concern], *, source: str = "reply", by: User | None = None) -> list[Concern]:
    """Out of marketing from these companies; returns those it was news to. Replies that waited are settled by it."""
    address = _address_of(reply.sender)[0]
    companies = Company.objects.in_bulk([concern.company_id for concern in concerned])
    evidence = _evidence(reply) | ({"decided_by": str(by)} if by else {})
    left = []
    # In a fixed order, so that two acts cannot wait for each other.
    for concern in sorted(concerned, key=lambda concern: concern.company_id):
        out = consent.opt_out(
            company=companies[concern.company_id],
            address=address,
            source=source,
            campaign_id=concern.campaign_id,
            campaign_name=concern.campaign_name,
            message_id=concern.message_id,
            country=reply.country,
            occurred_at=reply.received_at,
            evidence=evidence,
        )
        came_back = by is None and _came_back_since(reply, concern)
        if not out.already and not came_back:
            left.append(concern)
        waiting = ReviewItem.objects.of(concern.company_id).filter(digest=reply.digest)
        _settle(waiting, decision=ReviewItem.Decision.OPT_OUT, by=by)
    return [concern for concern in concerned if concern in left]


def _came_back_since(reply: Reply, concern: Concern) -> bool:
    """A STOP that arrives after the START that followed it: the START is acted on again, in the order of the clock."""
    rows = _run(
        "later_start",
        {
            "company": concern.company_id,
            "owner": reply.company_id,
            "digest": reply.digest,
            "gateway": reply.gateway_id,
            "received_at": reply.received_at,
        },
    )
    return any(_opt_in(Reply.objects.of(reply.company_id).get(pk=pk), concern) for (pk,) in rows)


def _opt_in(reply: Reply, concern: Concern) -> bool:
    """START, for this address. One that was sent before the last STOP comes too late (in doubt: suppressed)."""
    facts = {"company": concern.company_id, "owner": reply.company_id, "digest": reply.digest}
    _run("lock_address", facts)
    ((out_since,),) = _run("out_since", facts)
    if out_since is not None and reply.received_at <= out_since:
        return False
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
    return True


def _confirm(reply: Reply, left: list[Concern], *, everyone: bool) -> None:
    """One for all companies: from the one that wrote last."""
    answers.confirm(
        company=Company.objects.get(pk=left[0].company_id),
        to=_address_of(reply.sender)[0],
        code=reply.to,
        message_id=left[0].message_id,
        everyone=everyone,
    )


def _say_who(reply: Reply, concern: Concern, *, asked_by_person: bool = False) -> None:
    answers.say_who(
        company=Company.objects.get(pk=concern.company_id),
        to=_address_of(reply.sender)[0],
        code=reply.to,
        message_id=concern.message_id,
        asked_by_person=asked_by_person,
    )


def _try(answer: Any, *args: Any, **kwargs: Any) -> None:
    """An answer that fails must not take the opt-out with it."""
    try:
        with transaction.atomic():
            answer(*args, **kwargs)
    except (OperationalError, InterfaceError):
        raise
    except Exception as problem:
        log.error("a reply could not be answered: %s", type(problem).__name__)


def _evidence(reply: Reply) -> dict[str, Any]:
    return {
        "text": reply.text,
        "to": reply.to,
        "provider_id": reply.provider_id,
        "occurred_at": reply.received_at.isoformat(),
        # It has blocked the number by itself, so it need not be told (addressbook/telling.py).
        **({"gateway": reply.gateway_id} if reply.provider_meaning == "opt_out" else {}),
    }


def _for_a_person(reply: Reply, concern: Concern, *, suggestion: str) -> None:
    ReviewItem.objects.of(concern.company_id).get_or_create(
        reply=reply,
        defaults={
            "company_id": concern.company_id,
            "digest": reply.digest,
            "suggestion": suggestion,
            # Nobody knows yet whether this is a no; START and HELP surely are none.
            "holds": suggestion not in {"opt_in", "help"},
            "message_id": concern.message_id,
            "campaign_name": concern.campaign_name,
        },
    )


def _tell(reply: Reply, concerned: list[Concern]) -> None:
    """The programs of the companies that the reply is about; no others learn of it."""
    _run(
        "tell",
        {
            "reply": reply.pk,
            "companies": [concern.company_id for concern in concerned],
            "messages": [concern.message_id for concern in concerned],
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


def _run(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall() if cursor.description else []
