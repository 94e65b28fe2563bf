"""The one way out of the house: claim, last look, render, hand over, outcome.

1. *Claim* a batch: one gateway request's worth becomes `handing`, committed at once.
2. *Last look*: a statement of its own reads the batch together with the suppressions.
   An opt-out that was acknowledged before it always wins. Who may not be written to
   at this hour waits in a batch of their own, which is looked at anew when it is due.
3. *Render* each text with its opt-out line.
4. *Hand over*; if rendering took longer than MAX_GAP_SECONDS, look again first.
5. *Store* what became of each message; the batch is done.

A worker that dies after step 1 leaves a batch that nobody claims again; `sweep` marks
its messages `unknown` after LEASE. (Promises 1 and 5.)
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection, transaction
from django.utils import timezone

from accounts.scoping import company_scope
from addressbook import blocks
from campaigns import audience, failover
from campaigns.models import Campaign, WrongState
from campaigns.texts import Composer
from lib import sql
from lib.wake import wake
from messaging import health
from messaging.addresses import Address
from messaging.gateways import ADAPTERS, Outcome, Outgoing, Verdict
from messaging.models import Batch, Gateway, Message
from messaging.models.message import Category
from messaging.segments import measure
from optout.links import unsubscribe_header
from optout.marketing_hours import Doors

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "dispatch.sql")
#: After this long in `handing` a worker is taken for dead.
LEASE = timedelta(seconds=60)
#: The last look must not be older than this when the first byte leaves.
MAX_GAP_SECONDS = 0.2
#: How long one is tried at all.
GIVE_UP_AFTER = timedelta(days=3)

#: Somebody has to mend that first.
NOT_SET_UP = Outcome(
    Verdict.RETRYABLE, error="the gateway's settings are incomplete", retry_after=60, gateway_at_fault=True
)

STATUS_OF = {
    Verdict.ACCEPTED: Message.Status.SENT,
    Verdict.DELIVERED: Message.Status.DELIVERED,
    Verdict.REJECTED: Message.Status.FAILED,
    Verdict.UNKNOWN: Message.Status.UNKNOWN,
}

SEPARATOR = "\x1e"

log = logging.getLogger("stopgate.dispatch")


def run(*, category: str, seconds: float = 20) -> bool:
    """Hand over batch after batch for about this long; True when there is more to do."""
    worker = uuid.uuid4()
    until = time.monotonic() + seconds
    # Texts of one campaign are made by one composer, which knows the lines that it has filled.
    composers: dict[tuple[int, int], Composer] = {}
    while time.monotonic() < until:
        batch = claim(worker=worker, category=category)
        if batch is None:
            return False
        composer = composers.get((batch.company_id, batch.campaign_id or 0)) if batch.campaign_id else None
        if composer is None:
            composer = composers[batch.company_id, batch.campaign_id or 0] = Composer.of(batch)
        hand_over(batch, worker=worker, composer=composer)
    return True


def claim(*, worker: uuid.UUID, category: str) -> Batch | None:
    rows = _run("claim", {"worker": worker, "category": category})
    if not rows:
        return None
    fields = ("pk", "company_id", "gateway_id", "campaign_id", "category", "pinned")
    return Batch(**dict(zip(fields, rows[0], strict=True)))


def hand_over(batch: Batch, *, worker: uuid.UUID, composer: Composer | None = None) -> None:
    """Steps 2 to 5 for a claimed batch."""
    gateway = Gateway.objects.of(batch.company_id).get(pk=batch.gateway_id)
    if failover.set_aside(batch, gateway, worker=worker, run=_run):
        return
    composer = composer or Composer.of(batch)
    for _attempt in range(3):
        looked_at, rows = _last_look(batch, worker=worker, composer=composer)
        free = [row for row in rows if not row[SUPPRESSED]]
        outgoing = [_outgoing(row, composer=composer) for row in free]
        if time.monotonic() - looked_at <= MAX_GAP_SECONDS:
            break
    gap_ms = (time.monotonic() - looked_at) * 1000
    sent_at = timezone.now()
    outcomes = _send(gateway, outgoing)
    if batch.pinned:
        outcomes = failover.tried_once(outcomes)
    _store(
        batch, gateway, worker=worker, rows=rows, outgoing=outgoing, outcomes=outcomes, gap_ms=gap_ms, sent_at=sent_at
    )
    _heed(gateway, outgoing=outgoing, outcomes=outcomes)
    if batch.campaign_id:
        _run("finish", {"campaign": batch.campaign_id})


# Columns of the last look.
ID, CHANNEL, ADDRESS, COUNTRY, LANGUAGE, METHOD, SENDER, REPLY_CODE, SUBJECT, TEXT, SUPPRESSED = range(11)
FIRST_EXTRA = 11


def _last_look(batch: Batch, *, worker: uuid.UUID, composer: Composer) -> tuple[float, list[tuple[Any, ...]]]:
    """When it began, and whom it found; those who have to wait for their hours are gone from the batch."""
    while True:
        looked_at = time.monotonic()
        rows = _look(batch, worker=worker, composer=composer)
        closed = {} if composer.is_test(batch) else _closed(batch, rows)
        if not closed:
            return looked_at, rows
        with transaction.atomic():
            for until, ids in closed.items():
                _run("defer", {"batch": batch.pk, "worker": worker, "ids": ids, "until": until})


def _closed(batch: Batch, rows: Sequence[tuple[Any, ...]]) -> dict[datetime, list[int]]:
    """Marketing that may not leave at this moment, by when it may."""
    closed: dict[datetime, list[int]] = {}
    if batch.category == Category.MARKETING:
        doors = Doors(batch.company_id)
        for row in rows:
            if row[SUPPRESSED]:
                continue
            opening = doors.open_at(channel=row[CHANNEL], country=row[COUNTRY], number=row[ADDRESS])
            if opening:
                closed.setdefault(opening, []).append(row[ID])
    return closed


def _look(batch: Batch, *, worker: uuid.UUID, composer: Composer) -> list[tuple[Any, ...]]:
    columns, joins = composer.contact_columns()
    statement = STATEMENTS["last_look"].replace("{columns}", columns).replace("{joins}", joins)
    return _fetch(statement, {"worker": worker, "batch": batch.pk})


def _outgoing(row: tuple[Any, ...], *, composer: Composer) -> Outgoing:
    text, html = row[TEXT], ""
    if not text:
        how = {
            "message_id": row[ID],
            "channel": row[CHANNEL],
            "language": row[LANGUAGE],
            "method": row[METHOD],
            "reply_code": row[REPLY_CODE],
            "country": row[COUNTRY],
            "contact": row[FIRST_EXTRA:],
        }
        text = composer.text(**how)
        html = composer.html(**how) if row[CHANNEL] == "email" else ""
    return Outgoing(
        id=row[ID],
        channel=row[CHANNEL],
        to=row[ADDRESS],
        sender=row[SENDER],
        subject=row[SUBJECT] or composer.subject,
        text=text,
        country=row[COUNTRY],
        html=html,
        list_unsubscribe=unsubscribe_header(row[ID]) if row[CHANNEL] == "email" and row[METHOD] else "",
    )


def _send(gateway: Gateway, outgoing: Sequence[Outgoing]) -> Sequence[Outcome]:
    if not outgoing:
        return []
    most = failover.most_at_once(gateway)
    now, later = outgoing[:most], outgoing[most:]
    outcomes: Sequence[Outcome]
    try:
        adapter = ADAPTERS[gateway.kind](gateway)
        if not adapter.is_set_up:
            return [NOT_SET_UP] * len(outgoing)
        outcomes = adapter.send(now)
    except Exception as problem:  # an adapter's fault hides what the provider took: the honest word is unknown
        # Its words may hold a number or a text, which have no place in a log.
        log.error("gateway %s failed: %s", gateway.pk, type(problem).__name__)
        outcomes = [Outcome(Verdict.UNKNOWN, error="the gateway failed")] * len(now)
    if len(outcomes) != len(now):
        outcomes = [Outcome(Verdict.UNKNOWN, error="the gateway's answer was incomplete")] * len(now)
    return [*outcomes, *[failover.HELD_BACK] * len(later)]


def _store(
    batch: Batch,
    gateway: Gateway,
    *,
    worker: uuid.UUID,
    rows: Sequence[tuple[Any, ...]],
    outgoing: Sequence[Outgoing],
    outcomes: Sequence[Outcome],
    gap_ms: float,
    sent_at: Any,
) -> None:
    ids, statuses, texts, encodings, segments, provider_ids, errors = [], [], [], [], [], [], []
    again: dict[tuple[timedelta, int | None], list[int]] = {}
    detour = failover.Detour(gateway, outgoing[0].channel if outgoing else "")
    for message, outcome in zip(outgoing, outcomes, strict=True):
        if outcome.verdict is Verdict.RETRYABLE:
            when = detour.after(outcome, country=message.country, sender=message.sender)
            again.setdefault(when, []).append(message.id)
            continue
        encoding, parts = "", 0
        if message.channel == "sms":
            size = measure(message.text)
            encoding, parts = size.encoding, size.segments
        ids.append(message.id)
        statuses.append(STATUS_OF[outcome.verdict])
        texts.append(message.text)
        encodings.append(encoding)
        segments.append(parts)
        provider_ids.append(outcome.provider_id)
        errors.append(outcome.error)
    for row in rows:
        if row[SUPPRESSED]:
            ids.append(row[ID])
            statuses.append(Message.Status.SUPPRESSED)
            texts.append("")
            encodings.append("")
            segments.append(0)
            provider_ids.append("")
            errors.append("" if row[SUPPRESSED] == "suppressed" else row[SUPPRESSED])
    arguments = {
        "batch": batch.pk,
        "worker": worker,
        "gap_ms": gap_ms,
        "sent_at": sent_at,
        "ids": _listed(ids),
        "statuses": _listed(statuses),
        "texts": _listed(texts),
        "encodings": _listed(encodings),
        "segments": _listed(segments),
        "provider_ids": _listed(provider_ids),
        "errors": _listed(errors),
    }
    with transaction.atomic():
        for (wait, other), ids_again in again.items():
            _run("give_up", {"batch": batch.pk, "ids": ids_again, "after": GIVE_UP_AFTER})
            _run("again", {"batch": batch.pk, "ids": ids_again, "wait": wait, "gateway": other})
        _run("store", arguments)


def _listed(values: Sequence[object]) -> str:
    """As one text; the separator is a control character, which no message is made of."""
    return SEPARATOR.join([str(value).replace(SEPARATOR, " ") for value in values])


def _heed(gateway: Gateway, *, outgoing: Sequence[Outgoing], outcomes: Sequence[Outcome]) -> None:
    """What the provider told beside: whom it carries nothing to any more, and whether it carries anything at all."""
    for message, outcome in zip(outgoing, outcomes, strict=True):
        if outcome.block:
            address = Address(message.channel, message.to)
            blocks.suppress(
                gateway=gateway, address=address, message_id=message.id, block=outcome.block, error=outcome.error
            )
    health.heed(gateway, outcomes)


def sweep() -> None:
    """What a crash or a lost wake-up left: due campaigns, unbuilt audiences, dead workers' batches."""
    _run("abandoned", {"lease": LEASE})
    _run("give_up_waiting", {"after": GIVE_UP_AFTER})
    health.sweep()
    for campaign in Campaign.objects.across_companies().filter(
        status=Campaign.Status.SCHEDULED, scheduled_at__lte=timezone.now()
    ):
        with contextlib.suppress(WrongState):  # cancelled at this moment
            campaign.launch()
    build_due()
    finish()
    _run("squash", {})


def build_due() -> None:
    for company_id, campaign_id in Campaign.objects.across_companies().to_build().values_list("company_id", "pk"):
        build_one(company_id=company_id, campaign_id=campaign_id)


def build_one(*, company_id: int, campaign_id: int) -> None:
    """Write a launched campaign's messages, or help somebody who is at it; then they begin to leave."""
    with company_scope(company_id):
        try:
            audience.build(Campaign.objects.select_related("company").get(pk=campaign_id))
        except audience.NoGateway:
            log.error("campaign %s cannot be sent: its company has no gateway", campaign_id)
            return
    wake("campaigns.send_marketing")


def send_due(*, category: str) -> None:
    """A job's worth of sending; asks for the next job when there is more."""
    if category == Category.MARKETING:
        build_due()
    if run(category=category):
        wake(f"campaigns.send_{category}")
    finish()


def finish() -> None:
    """Campaigns with nothing left to hand over are sent."""
    _run("finish", {"campaign": None})


def due(*, category: str) -> bool:
    rows = Batch.objects.across_companies().filter(status=Batch.Status.QUEUED, category=category)
    return rows.filter(due_at__lte=timezone.now()).exists()


def _run(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    return _fetch(STATEMENTS[name], arguments)


def _fetch(statement: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    """With values sent apart from the statement, in binary: for arrays of a batch several times faster."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, arguments, binary=True)
        return cursor.fetchall() if cursor.description else []
