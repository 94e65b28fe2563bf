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
from collections.abc import Callable, Sequence
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


#: Whose turn it was in this process, by category (claim).
_turns: dict[str, int] = {}


def run(*, category: str, seconds: float = 20) -> bool:
    """Hand over batch after batch for about this long; True when there is more to do."""
    worker = uuid.uuid4()
    until = time.monotonic() + seconds
    # Texts of one campaign are made by one composer, which knows the lines that it has filled.
    composers: dict[tuple[int, int], Composer] = {}
    is_over = False

    def claim_next() -> Batch | None:
        nonlocal is_over
        is_over = time.monotonic() >= until
        return None if is_over else claim(worker=worker, category=category)

    batch = claim_next()
    while batch is not None:
        composer = composers.get((batch.company_id, batch.campaign_id or 0)) if batch.campaign_id else None
        if composer is None:
            composer = composers[batch.company_id, batch.campaign_id or 0] = Composer.of(batch)
        batch = hand_over(batch, worker=worker, composer=composer, then=claim_next)
    return is_over


def claim(*, worker: uuid.UUID, category: str) -> Batch | None:
    """The first batch that is due, of the company whose turn it is."""
    rows = _run("claim", {"worker": worker, "category": category, "after": _turns.get(category, 0)})
    if not rows:
        return None
    fields = ("pk", "company_id", "gateway_id", "campaign_id", "category", "pinned")
    batch = Batch(**dict(zip(fields, rows[0], strict=True)))
    _turns[category] = batch.company_id
    return batch


def nothing() -> Batch | None:
    return None


def hand_over(
    batch: Batch, *, worker: uuid.UUID, composer: Composer | None = None, then: Callable[[], Batch | None] = nothing
) -> Batch | None:
    """Steps 2 to 5 for a claimed batch. `then` claims the next one, in the transaction that stores what became of
    this one: one commit for both, before anything is looked up or handed over of the next."""
    gateway = Gateway.objects.of(batch.company_id).get(pk=batch.gateway_id)
    if failover.set_aside(batch, gateway, worker=worker, run=_run):
        return then()
    composer = composer or Composer.of(batch)
    made: dict[int, tuple[tuple[Any, ...], Outgoing]] = {}
    for _attempt in range(3):
        looked_at, rows = _last_look(batch, worker=worker, composer=composer)
        free = [row for row in rows if not row[SUPPRESSED]]
        if made:  # what was rendered after the look before stays as it is, unless its contact has changed since
            kept = {row[ID]: made[row[ID]][1] for row in free if row[ID] in made and made[row[ID]][0] == row}
            outgoing = [kept.get(row[ID]) or _outgoing(row, composer=composer) for row in free]
        else:
            outgoing = [_outgoing(row, composer=composer) for row in free]
        if time.monotonic() - looked_at <= MAX_GAP_SECONDS:
            break
        made = {row[ID]: (row, message) for row, message in zip(free, outgoing, strict=True)}
    gap_ms = (time.monotonic() - looked_at) * 1000
    sent_at = timezone.now()
    outcomes = _send(gateway, outgoing)
    if batch.pinned:
        outcomes = failover.tried_once(outcomes)
    told_of_blocks = any(outcome.block for outcome in outcomes)
    with transaction.atomic():
        _store(
            batch,
            gateway,
            worker=worker,
            rows=rows,
            outgoing=outgoing,
            outcomes=outcomes,
            gap_ms=gap_ms,
            sent_at=sent_at,
        )
        health.heed(gateway, outcomes)
        # Last, because it holds the next batch; and it waits for nobody.
        following = None if told_of_blocks else then()
    if told_of_blocks:  # before another batch is in hand, which would be lost with us
        _heed(gateway, outgoing=outgoing, outcomes=outcomes)
        following = then()
    if batch.campaign_id and not (following and following.campaign_id == batch.campaign_id):
        _run("finish", {"campaign": batch.campaign_id})
    return following


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
        places = {(row[CHANNEL], row[COUNTRY]) for row in rows}
        shut = {place for place in places if not doors.stand_open(channel=place[0], country=place[1])}
        for row in rows if shut else ():
            if row[SUPPRESSED] or (row[CHANNEL], row[COUNTRY]) not in shut:
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
    message_id, channel, to, country, language, method, sender, reply_code, subject, text, _ = row[:FIRST_EXTRA]
    html = header = ""
    if not text:
        contact = row[FIRST_EXTRA:]
        text = composer.writer(channel, language, method, reply_code, country)(message_id, contact)
        if channel == "email":
            html = composer.html(
                message_id=message_id,
                channel=channel,
                language=language,
                method=method,
                reply_code=reply_code,
                country=country,
                contact=contact,
            )
    if channel == "email" and method:
        header = unsubscribe_header(message_id)
    return Outgoing(message_id, channel, to, sender, subject or composer.subject, text, header, country, html)


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
    again: dict[tuple[timedelta, int | None, bool], list[int]] = {}
    done = list(zip(outgoing, outcomes, strict=True))
    if any(outcome.verdict is Verdict.RETRYABLE for outcome in outcomes):
        detour = failover.Detour(gateway, outgoing[0].channel)
        for message, outcome in done:
            if outcome.verdict is Verdict.RETRYABLE:
                wait, other = detour.after(outcome, country=message.country, sender=message.sender)
                again.setdefault((wait, other, not outcome.is_ours), []).append(message.id)
        done = [(message, outcome) for message, outcome in done if outcome.verdict is not Verdict.RETRYABLE]
    sizes = [measure(message.text) if message.channel == "sms" else None for message, _ in done]
    left_out = [row for row in rows if row[SUPPRESSED]]
    nothing_of = [""] * len(left_out)
    why = ["" if row[SUPPRESSED] == "suppressed" else row[SUPPRESSED] for row in left_out]
    lists = {
        "ids": [*[str(message.id) for message, _ in done], *[str(row[ID]) for row in left_out]],
        "statuses": [*[STATUS_OF[o.verdict] for _, o in done], *[Message.Status.SUPPRESSED] * len(left_out)],
        "texts": [*[message.text for message, _ in done], *nothing_of],
        "encodings": [*[size.encoding if size else "" for size in sizes], *nothing_of],
        "segments": [*[str(size.segments) if size else "0" for size in sizes], *["0"] * len(left_out)],
        "provider_ids": [*[o.provider_id for _, o in done], *nothing_of],
        "errors": [*[o.error for _, o in done], *why],
    }
    arguments = {"batch": batch.pk, "worker": worker, "gap_ms": gap_ms, "sent_at": sent_at}
    with transaction.atomic(savepoint=False):
        for (wait, other, refused), ids_again in again.items():
            if refused:  # waiting for our own turn is no refusal, however many days a slow account takes
                _run("give_up", {"batch": batch.pk, "ids": ids_again, "after": GIVE_UP_AFTER})
            facts = {"ids": ids_again, "wait": wait, "gateway": other, "refused": refused}
            _run("again", {"batch": batch.pk, **facts})
        _run("store", arguments | {name: _listed(values) for name, values in lists.items()})


def _listed(values: list[str]) -> str:
    """As one text, and as one value where it is the same for all; the separator is a control character, which no
    message is made of."""
    if len(values) > 1 and values.count(values[0]) == len(values):
        values = values[:1]
    listed = SEPARATOR.join(values)
    if listed.count(SEPARATOR) >= max(len(values), 1):
        listed = SEPARATOR.join([value.replace(SEPARATOR, " ") for value in values])
    return listed


def _heed(gateway: Gateway, *, outgoing: Sequence[Outgoing], outcomes: Sequence[Outcome]) -> None:
    """What the provider told beside: whom it carries nothing to any more."""
    for message, outcome in zip(outgoing, outcomes, strict=True):
        if outcome.block:
            address = Address(message.channel, message.to)
            blocks.suppress(
                gateway=gateway, address=address, message_id=message.id, block=outcome.block, error=outcome.error
            )


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
