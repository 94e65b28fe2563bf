"""Whoever leaves here is out at the providers as well, and back there when they come back here.

Each provider that keeps a list of its own is led along the ledger: for every line it is told how the address stands
now. That is always the latest word, and may be said again after a crash. Nothing waits for it: an opt-out is in force
here long before, and stays so whatever the provider answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from addressbook.models import Telling
from lib import sql
from lib.wake import wake
from messaging.gateways import ADAPTERS, Adapter, Outcome, Standing, Verdict

log = logging.getLogger("stopgate.telling")
STATEMENTS = sql.named(Path(__file__).parent / "sql" / "telling.sql")
TASK = "addressbook.tell_providers"
#: Lines of each of the 64 chains in one round.
MOST_PER_CHAIN = 2
LEASE = timedelta(minutes=10)
SECONDS = 20.0
DONE = Outcome(Verdict.ACCEPTED)


def due() -> bool:
    _run("begin", kinds=[kind for kind, adapter in ADAPTERS.items() if adapter.tell_size])
    return bool(_run("due"))


def run_due() -> None:
    """Some seconds of it; asks for the next job when there is more."""
    until = time.monotonic() + SECONDS
    while numbers := _run("due"):
        if time.monotonic() > until:
            wake(TASK)
            return
        for (number,) in numbers:
            tell_some(number)


def tell_some(number: int) -> None:
    """One round with one provider, unless somebody else is at it."""
    if not _run("claim", telling=number, lease=LEASE):
        return
    telling = Telling.objects.across_companies().select_related("gateway").get(pk=number)
    adapter = ADAPTERS[telling.gateway.kind](telling.gateway)
    if not adapter.tells:
        telling.try_later("")  # its account does not name the list, or cannot be read
        return
    reach, standings = _next(telling, adapter)
    outcome = _tell_all(adapter, standings)
    if outcome.verdict is Verdict.ACCEPTED:
        telling.went_well(reach)
    else:
        telling.try_later(outcome.error, asked_for=outcome.retry_after)


def _next(telling: Telling, adapter: Adapter) -> tuple[list[int], list[Standing]]:
    """How far this round goes, and what is news in it: each address once."""
    rows = _run(
        "next",
        company=telling.company_id,
        gateway=telling.gateway_id,
        since=telling.gateway.created_at,
        channels=list(adapter.channels),
        reach=telling.reach,
        most=MOST_PER_CHAIN,
    )
    reach, news = list(telling.reach), {}
    for shard, position, address, is_out, is_news in rows:
        reach[shard] = max(reach[shard], position)
        if is_news:
            news[address] = Standing(address=address, is_out=is_out)
    return reach, list(news.values())


def _tell_all(adapter: Adapter, standings: Sequence[Standing]) -> Outcome:
    """Those who are out first. The first trouble ends it: all is said again then, which changes nothing."""
    for part in _parts(adapter, standings):
        outcome = _tell(adapter, part)
        if outcome.verdict is Verdict.REJECTED and len(part) > 1:
            outcome = next((o for s in part if (o := _tell(adapter, [s])).verdict not in _SETTLED), DONE)
        if outcome.verdict not in _SETTLED:
            return outcome
    return DONE


#: An address that the provider never takes must not hold up the others.
_SETTLED = {Verdict.ACCEPTED, Verdict.REJECTED}


def _parts(adapter: Adapter, standings: Sequence[Standing]) -> Iterator[list[Standing]]:
    for is_out in (True, False):
        alike = [s for s in standings if s.is_out is is_out]
        for start in range(0, len(alike), adapter.tell_size):
            yield alike[start : start + adapter.tell_size]


def _tell(adapter: Adapter, part: list[Standing]) -> Outcome:
    try:
        outcome = adapter.tell(part)
    except Exception as problem:  # its words may hold an address
        log.error("gateway %s could not be told: %s", adapter.gateway.pk, type(problem).__name__)
        return Outcome(Verdict.UNKNOWN, error="the gateway failed")
    if outcome.verdict is Verdict.REJECTED and len(part) == 1:
        log.warning("gateway %s refuses an address for its list", adapter.gateway.pk)
    return outcome


def _run(name: str, **arguments: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall() if cursor.description else []
