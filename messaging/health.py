"""Whether a gateway works: a circuit breaker in the database, shared by all workers, and figures for its owner.

Only what says something about the gateway counts: no connection, a refused account, answers that make no sense, none
at all. A refused message, a rate that is used up or a person who asks to wait says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from accounts.models import Company
from lib import sql
from messaging.gateways import Outcome, Verdict
from messaging.models import Gateway, GatewayResult

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "health.sql")
#: Failed requests in a row after which a gateway is down.
MOST_FAILURES = 3
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=5)
#: "Last success" is at most this far behind, so that workers do not all write one row all the time.
NOTED_EVERY = timedelta(seconds=10)

_COLUMNS = {
    Verdict.ACCEPTED: "taken",
    Verdict.DELIVERED: "taken",
    Verdict.REJECTED: "rejected",
    Verdict.RETRYABLE: "refused",
    Verdict.UNKNOWN: "unknown",
}


def heed(gateway: Gateway, outcomes: Sequence[Outcome]) -> None:
    """What one request says about its gateway."""
    told = [outcome for outcome in outcomes if not outcome.is_ours]
    if not told:
        return
    counts = Counter(_COLUMNS[outcome.verdict] for outcome in told)
    columns = {name: counts[name] for name in ("taken", "rejected", "refused", "unknown")}
    _run("count", {"company": gateway.company_id, "gateway": gateway.pk, **columns})
    faults = [o for o in told if o.gateway_at_fault or o.verdict is Verdict.UNKNOWN]
    if any(o.verdict is not Verdict.RETRYABLE for o in told if o not in faults):
        if not _is_well(gateway):
            _run("succeeded", {"gateway": gateway.pk})
    elif faults:
        _run("failed", {
            "gateway": gateway.pk, "problem": faults[0].error,
            "most": MOST_FAILURES, "shortest": SHORTEST, "longest": LONGEST,
        })  # fmt: skip
    elif told[0].retry_after is None or told[0].retry_after > 2:  # what waits its turn for a moment is no problem
        gateway.note(told[0].error)


def _is_well(gateway: Gateway) -> bool:
    """As it was when it was read: all is well, and somebody has written that down lately."""
    fresh = gateway.last_success_at is not None and gateway.last_success_at > timezone.now() - NOTED_EVERY
    return fresh and not (gateway.failures or gateway.down_since or gateway.problem)


def may_probe(gateway: Gateway) -> bool:
    """Whether it is time to try a gateway that is down, and nobody else does."""
    return bool(_run("probe", {"gateway": gateway.pk}))


def sweep() -> None:
    _run("squash", {})


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a period; `share` is of what the provider did not take, in percent, None when nothing was sent."""

    sent: int
    failed: int

    @property
    def share(self) -> float | None:
        return round(100 * self.failed / self.sent, 1) if self.sent else None


def figures(gateway: Gateway, *, hours: int) -> Figures:
    rows = GatewayResult.objects.of(gateway.company_id).filter(gateway=gateway)
    sums = rows.filter(at__gt=timezone.now() - timedelta(hours=hours)).aggregate(
        **{name: Sum(name) for name in ("taken", "rejected", "refused", "unknown")}
    )
    found = {name: value or 0 for name, value in sums.items()}
    return Figures(sent=sum(found.values()), failed=sum(found.values()) - found["taken"])


def queued(company: Company) -> dict[int, int]:
    """Waiting messages by gateway."""
    return dict(_run("queued", {"company": company.pk}))


def _run(name: str, arguments: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall() if cursor.description else []
