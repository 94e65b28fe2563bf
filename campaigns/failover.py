"""Where messages go that their gateway cannot carry now: to the next one in the order, or nowhere until it works.

Only what was certainly not taken comes here. Who waits is never handed to two gateways: a message is in one batch, and
a batch is claimed once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from messaging import health
from messaging.gateways import ADAPTERS, Outcome, Verdict
from messaging.models import Batch, Gateway
from messaging.routing import Routes, takes_over

#: How long what was refused for now waits.
RETRY_AFTER = timedelta(seconds=30)
AT_ONCE = timedelta(0)
#: After a failure a request carries one message, so that a provider that takes messages and then fails hides one only.
HELD_BACK = Outcome(Verdict.RETRYABLE, error="one message first", retry_after=0.0, is_ours=True)

Run = Callable[[str, dict[str, Any]], list[tuple[Any, ...]]]


def most_at_once(gateway: Gateway) -> int:
    """How many messages a request may carry; a batch that was made for another gateway may be larger."""
    return 1 if gateway.failures or gateway.down_since else ADAPTERS[gateway.kind].batch_size


def tried_once(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """A test is not tried again: whoever asked for it wants to see what happened."""
    return [
        replace(outcome, verdict=Verdict.REJECTED, gateway_at_fault=True)
        if outcome.verdict is Verdict.RETRYABLE
        else outcome
        for outcome in outcomes
    ]


@dataclass
class Detour:
    """Which gateway takes over from this one, per destination and sender."""

    gateway: Gateway
    channel: str
    _routes: Routes | None = None
    _found: dict[tuple[str, str], Gateway | None] = field(default_factory=dict)

    @property
    def routes(self) -> Routes:
        self._routes = self._routes or Routes(company=self.gateway.company_id, channel=self.channel)
        return self._routes

    def other(self, *, country: str, sender: str) -> Gateway | None:
        key = (country, sender)
        if key not in self._found:
            if self.gateway.switched_off_at:  # for good, so that also senders of its own have to find another way
                chosen = self.routes.choose(country=country, sender=sender)
                self._found[key] = chosen if chosen and takes_over(chosen, self.gateway) else None
            else:
                self._found[key] = self.routes.after(self.gateway, country=country, sender=sender)
        return self._found[key]

    def after(self, outcome: Outcome, *, country: str, sender: str) -> tuple[timedelta, int | None]:
        """How long a refused message waits, and which other gateway takes it then; None: the same."""
        wait = RETRY_AFTER if outcome.retry_after is None else timedelta(seconds=outcome.retry_after)
        other = self.other(country=country, sender=sender) if outcome.gateway_at_fault else None
        if other is None:
            return wait, None
        # At once only to one that is well, so that two that fail do not throw a message to and fro.
        return (AT_ONCE if other.failures == 0 else max(wait, RETRY_AFTER)), other.pk


def set_aside(batch: Batch, gateway: Gateway, *, worker: uuid.UUID, run: Run) -> bool:
    """A claimed batch whose gateway takes nothing now leaves its worker's hands: to others, or until the next try.

    True when there is nothing left to hand over. False: send it all the same, as what is queued at a gateway that was
    switched off when nothing else can carry it.
    """
    if batch.pinned or (gateway.switched_off_at is None and (gateway.down_since is None or health.may_probe(gateway))):
        return False
    rows = run("waiting", {"batch": batch.pk, "worker": worker})
    if not rows:
        return False
    gateway.refresh_from_db(fields=["next_try_at"])
    detour = Detour(gateway, rows[0][1])
    groups: dict[Gateway | None, list[int]] = {}
    for message_id, _channel, country, sender in rows:
        groups.setdefault(detour.other(country=country, sender=sender), []).append(message_id)
    if gateway.switched_off_at and None in groups:
        return False
    now = timezone.now()
    next_try = max(gateway.next_try_at or now, now + timedelta(seconds=1)) - now
    if len(groups) == 1:
        ((other, ids),) = groups.items()
        if other is None and not detour.routes.has_others:
            # The only gateway there is: all that waits for it waits together, with one statement.
            run("postpone", {"gateway": gateway.pk, "wait": next_try})
        if other is None or len(ids) <= ADAPTERS[other.kind].batch_size:
            facts = {"batch": batch.pk, "worker": worker, "gateway": other and other.pk}
            if run("release", {**facts, "wait": AT_ONCE if other else next_try}):
                return True
    with transaction.atomic():
        for other, ids in groups.items():
            size = ADAPTERS[other.kind].batch_size if other else len(ids)
            for start in range(0, len(ids), size):
                some = {"ids": ids[start : start + size], "wait": AT_ONCE if other else next_try, "refused": False}
                run("again", {"batch": batch.pk, "gateway": other and other.pk, **some})
        run("emptied", {"batch": batch.pk, "worker": worker})
    return True
