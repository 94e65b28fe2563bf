"""Telling endpoints what happened: at least once, with retries over three days, nobody waiting for a slow one."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from lib import sql
from lib.keys import digest_key
from lib.wake import wake
from messaging.addresses import InvalidAddress, parse
from webhooks import payloads
from webhooks.models import KEPT, webhook_id
from webhooks.payloads import Attempt
from webhooks.posting import Answer, post

log = logging.getLogger("stopgate.webhooks")
STATEMENTS = sql.named(Path(__file__).parent / "sql" / "deliveries.sql")
TASK = "webhooks.deliver"
#: Standard Webhooks' schedule: seconds after the first, second … attempt; three days and three hours in all.
WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: Each wait is up to so much longer, so that receivers who come back are not met by all at once.
JITTER = 0.2
#: Without any success for so long an endpoint is switched off.
GIVE_UP = timedelta(days=3)
LEASE = timedelta(seconds=60)
#: Requests at a time in this process; of one endpoint and lane; of one that fails, and of how many such.
THREADS = 64
MOST, FEW, FAILING = 8, 2, 8
#: An endpoint with more requests under way gets no more for now.
BUSY = 4
#: After that nothing is begun any more, and what is under way has the time that a request may take.
BEGIN_SECONDS, END_SECONDS = 8.0, 16.0
#: Old rows that go in one sweep.
PIECE = 5000
_alone = threading.Lock()


def due() -> bool:
    return bool(_run("due", {})[0][0])


def run(*, seconds: float = BEGIN_SECONDS) -> int:
    """Post what is due; returns how many attempts were made. One at a time per process: others send."""
    if not _alone.acquire(blocking=False):
        return 0
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="webhook")
    try:
        return _rounds(pool, until=time.monotonic() + seconds)
    finally:
        # A thread that still waits for a receiver ends by itself; its delivery is due again after the lease.
        pool.shutdown(wait=False, cancel_futures=True)
        _alone.release()


def _rounds(pool: ThreadPoolExecutor, *, until: float) -> int:
    running: dict[Future[Answer], Attempt] = {}
    made = 0
    while True:
        if time.monotonic() < until:
            for attempt, body in _claim(running):
                running[_submit(pool, attempt, body)] = attempt
        if not running or time.monotonic() > until + END_SECONDS:
            return made
        done, _waiting = wait(running, timeout=0.05)
        _store([(running.pop(future), future.result()) for future in done])
        made += len(done)


def _claim(running: dict[Future[Answer], Attempt]) -> list[tuple[Attempt, bytes]]:
    under_way = Counter(attempt.endpoint_id for attempt in running.values())
    free = THREADS - len(running)
    if free < 2 * MOST:
        return []
    rows = _run(
        "claim",
        {
            "busy": [endpoint for endpoint, n in under_way.items() if n > BUSY],
            "most": MOST,
            "few": FEW,
            "failing": max(0, FAILING - len({a.endpoint_id for a in running.values() if a.fails})),
            "healthy": free // (2 * MOST),
            "lease": LEASE,
        },
    )
    attempts = [Attempt(*row) for row in rows]
    bodies = payloads.bodies(attempts)
    return [(attempt, bodies[attempt.id]) for attempt in attempts]


def _submit(pool: ThreadPoolExecutor, attempt: Attempt, body: bytes) -> Future[Answer]:
    secrets = [bytes(s) for s in (attempt.sealed_secret, attempt.sealed_old_secret) if s]
    return pool.submit(post, attempt.url, webhook_id=webhook_id(attempt.token), body=body, sealed_secrets=secrets)


def _store(results: list[tuple[Attempt, Answer]]) -> None:
    if not results:
        return
    _run(
        "store",
        {
            "ids": [attempt.id for attempt, _ in results],
            "attempts": [attempt.attempts for attempt, _ in results],
            "responses": [answer.status for _, answer in results],
            "errors": [str(answer.problem) for _, answer in results],
            "delivered": [answer.is_taken for _, answer in results],
            "waits": [None if answer.is_taken else wait_after(attempt.attempts) for attempt, answer in results],
        },
    )
    well = {attempt.endpoint_id for attempt, answer in results if answer.is_taken}
    failed = {attempt.endpoint_id for attempt, answer in results if not answer.is_taken} - well
    gone = {attempt.endpoint_id for attempt, answer in results if answer.is_gone}
    if well:
        _run("well", {"endpoints": sorted(well)})
    if failed:
        _run("failed", {"endpoints": sorted(failed)})
    if failed or gone:
        for endpoint_id, company_id in _run(
            "disable", {"endpoints": sorted(failed | gone), "gone": sorted(gone), "after": GIVE_UP}
        ):
            log.warning("webhook %s of company %s was switched off", endpoint_id, company_id)
            wake("webhooks.say_switched_off", company_id=company_id, endpoint_id=endpoint_id)


def wait_after(attempts: int) -> float | None:
    """Seconds until the next attempt after so many; None: no more."""
    if attempts > len(WAITS):
        return None
    return WAITS[attempts - 1] * (1 + JITTER * random.random())


def tidy() -> int:
    """Old deliveries go, told or not."""
    return len(_run("forget", {"kept": KEPT, "piece": PIECE}))


def forget_person(*, company_id: int, addresses: list[str], **_signal: Any) -> None:
    """What waits to be told names nobody, and what it is about has been emptied; but a reply on a shared code may be
    kept by the company that owns the code."""
    key = digest_key()
    digests = []
    for text in addresses:
        try:
            digests.append(parse(text).digest(key))
        except InvalidAddress:
            continue
    _run("erased", {"company": company_id, "digests": digests})


def _run(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall() if cursor.description else []
