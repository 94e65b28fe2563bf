"""What is told about a subject, read when it is told: after an erasure nothing personal is left in it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from addressbook.models import ConsentEvent, Evidence
from messaging.models import Message, Reply
from webhooks.models import TEST


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery that was claimed; the columns of the statement `claim`."""

    id: int
    company_id: int
    endpoint_id: int
    type: str
    subject_id: int
    about_id: int | None
    status: str
    token: UUID
    created_at: datetime
    attempts: int
    url: str
    sealed_secret: bytes
    sealed_old_secret: bytes | None
    fails: bool


def bodies(attempts: Iterable[Attempt]) -> dict[int, bytes]:
    """The body of each delivery by its id; one query per company and kind of event."""
    kinds: dict[tuple[int, str], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        kinds[attempt.company_id, attempt.type].append(attempt)
    found: dict[int, bytes] = {}
    for (company_id, kind), same in kinds.items():
        told = _READERS[kind](company_id, same)
        for one in same:
            event = {"type": one.type, "timestamp": one.created_at.isoformat(), "data": told[one.id]}
            found[one.id] = json.dumps(event, default=_text, ensure_ascii=False, separators=(",", ":")).encode()
    return found


def _consent(company_id: int, attempts: list[Attempt]) -> dict[int, dict[str, Any]]:
    """As the API shows a line of the ledger, without how it came about."""
    ids = {a.subject_id for a in attempts}
    events = ConsentEvent.objects.of(company_id).in_bulk(ids)
    evidence = Evidence.objects.of(company_id).in_bulk(ids)
    told = {}
    for a in attempts:
        event, said = events.get(a.subject_id), evidence.get(a.subject_id) or Evidence()
        told[a.id] = {"event": a.subject_id}
        if event:
            told[a.id] |= {
                "address": said.address,
                "channel": event.channel,
                "source": event.source,
                "campaign": event.campaign_id,
                "campaign_name": event.campaign_name,
                "message": event.message_id,
                "country": event.country,
                "reason": event.reason,
                "comment": said.comment,
                "occurred_at": event.occurred_at,
                "recorded_at": event.recorded_at,
            }
    return told


def _message(company_id: int, attempts: list[Attempt]) -> dict[int, dict[str, Any]]:
    """The status is the one at the time of the event; the text is not told."""
    messages = Message.objects.of(company_id).in_bulk({a.subject_id for a in attempts})
    told = {}
    for a in attempts:
        told[a.id] = {"id": a.subject_id, "status": a.status}
        if message := messages.get(a.subject_id):
            told[a.id] |= {
                "to": message.address,
                "channel": message.channel,
                "category": message.category,
                "campaign": message.campaign_id,
                "error": message.error if message.status == a.status else "",
            }
    return told


def _reply(company_id: int, attempts: list[Attempt]) -> dict[int, dict[str, Any]]:
    """On a shared code the row is of the company that has the account; optout.replies named it for this one."""
    replies = Reply.objects.across_companies().in_bulk({a.subject_id for a in attempts})
    answered = {a.about_id for a in attempts if a.about_id}
    campaigns = dict(Message.objects.of(company_id).filter(pk__in=answered).values_list("pk", "campaign_id"))
    told = {}
    for a in attempts:
        told[a.id] = {"id": a.subject_id}
        if reply := replies.get(a.subject_id):
            told[a.id] |= {
                "from": reply.sender,
                "to": reply.to,
                "text": reply.text,
                "meaning": reply.meaning,
                "message": a.about_id,
                "campaign": campaigns.get(a.about_id),
                "received_at": reply.received_at,
            }
    return told


def _test(_company_id: int, attempts: list[Attempt]) -> dict[int, dict[str, Any]]:
    return {a.id: {"webhook": a.endpoint_id} for a in attempts}


def _text(value: Any) -> str:
    """Times as ISO 8601."""
    return str(value.isoformat())


_READERS: dict[str, Callable[[int, list[Attempt]], dict[int, dict[str, Any]]]] = {
    "suppression.created": _consent,
    "suppression.lifted": _consent,
    "message.updated": _message,
    "reply.received": _reply,
    TEST: _test,
}
