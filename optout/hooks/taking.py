"""From a provider's words to what follows from them; stored first, whatever happens then.

A reply is stored as a `Reply`, a delivery report as a `HookDelivery` until it is acted upon, and so is what nobody
understands, for an administrator to look at.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from addressbook import blocks
from messaging.gateways import ADAPTERS, Adapter, Hook, Inbound, NotUnderstood, Report
from messaging.models import HookDelivery, Reply
from messaging.settling import Settled, address_of, settle
from optout import replies

log = logging.getLogger("stopgate.hooks")
ROUND = 500


def inbound(adapter: Adapter, hook: Hook) -> None:
    """When this returns, every STOP in it is in force."""
    try:
        items = adapter.inbound(hook)
        if not items:
            raise NotUnderstood("no reply in it")
        for item in items:
            _receive(adapter, item)
    except (OperationalError, InterfaceError):
        raise
    except Exception as problem:
        HookDelivery.keep(adapter.gateway, hook).give_up(_why(problem))


def status(adapter: Adapter, hook: Hook) -> None:
    delivery = HookDelivery.keep(adapter.gateway, hook)
    if delivery.read_at is None:
        _act(delivery, adapter)


def due() -> bool:
    return HookDelivery.objects.across_companies().due().exists()


def sweep_waiting() -> int:
    """Act on what was stored and not acted upon; returns how many."""
    waiting = list(
        HookDelivery.objects.across_companies().due().select_related("gateway").order_by("due_at", "pk")[:ROUND]
    )
    for delivery in waiting:
        _act(delivery, ADAPTERS[delivery.gateway.kind](delivery.gateway))
    HookDelivery.objects.across_companies().purge()
    return len(waiting)


def _receive(adapter: Adapter, item: Inbound) -> Reply:
    key = item.provider_id or _key(item)
    if not item.provider_id and item.sent_at is None and _was_opt_out(adapter, key):
        # Without id and time a second STOP after a return looks like a repetition of the first. In doubt it counts;
        # within a day it does not, because providers do repeat themselves.
        key = f"{key} {timezone.now().date()}"
    return replies.receive(
        gateway=adapter.gateway,
        provider_id=key,
        sender=item.sender,
        to=item.to,
        text=item.text,
        received_at=item.sent_at,
        provider_meaning=item.provider_meaning,
    )


def _key(item: Inbound) -> str:
    said = (item.sender, item.to, item.text, item.sent_at.isoformat() if item.sent_at else "")
    return hashlib.sha256("\x00".join(said).encode(errors="replace")).hexdigest()


def _was_opt_out(adapter: Adapter, key: str) -> bool:
    known = Reply.objects.of(adapter.gateway.company_id).filter(gateway=adapter.gateway, provider_id=key)
    return known.filter(meaning="opt_out", received_at__date__lt=timezone.now().date()).exists()


def _act(delivery: HookDelivery, adapter: Adapter) -> None:
    """Once, whoever comes first; what cannot be read must not hold up the others."""
    try:
        with transaction.atomic():
            rows = HookDelivery.objects.of(delivery.company_id).waiting().select_for_update()
            if rows.filter(pk=delivery.pk).exists():
                _read(delivery, adapter)
    except (OperationalError, InterfaceError):
        raise
    except Exception as problem:
        delivery.give_up(_why(problem))


def _read(delivery: HookDelivery, adapter: Adapter) -> None:
    found = adapter.reports(delivery.hook())
    if not found:
        raise NotUnderstood("no report in it")
    outcomes = [_settle(adapter, report) for report in found]
    is_early = Settled.TOO_EARLY in outcomes or Settled.NO_MESSAGE in outcomes
    if is_early and delivery.is_fresh(timezone.now()):
        delivery.try_later()
    elif Settled.NO_MESSAGE in outcomes:
        delivery.give_up("no message of ours")
    elif any(report.is_strange for report in found):
        delivery.give_up("an event of an unknown kind in it")
    elif _must_not_count_twice(found):
        delivery.done_once()
    else:
        delivery.done()


def _settle(adapter: Adapter, report: Report) -> Settled:
    outcome, message_id = settle(adapter.gateway, report)
    if report.block and _is_first(adapter, report):
        blocks.suppress(
            gateway=adapter.gateway,
            address=address_of(report.to),
            message_id=message_id,
            block=report.block,
            error=report.error,
            occurred_at=report.occurred_at,
        )
    return outcome


def _is_first(adapter: Adapter, report: Report) -> bool:
    """Who reports many events at once may tell one of them again among others."""
    return not report.event or HookDelivery.is_first(adapter.gateway, report.event)


def _must_not_count_twice(found: Sequence[Report]) -> bool:
    """A block that is repeated after the person has come back would put them out again."""
    return any(report.block for report in found)


def _why(problem: Exception) -> str:
    if isinstance(problem, NotUnderstood):
        return str(problem)
    log.error("a webhook could not be read: %s", type(problem).__name__)
    return f"not readable ({type(problem).__name__})"
