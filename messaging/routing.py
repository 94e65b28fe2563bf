"""Through which gateway: by country and sender, in an order, and which one takes over from one that is down.

The first list that has an entry decides where a message goes, the rest of the order who takes over:

1. Routes for the sender: such a sender belongs to these gateways, and nothing else may carry it.
2. Routes for the country, then routes for every country, then the default gateway; all that carry the channel.

A number, or an e-mail address, belongs to the account that it is registered with. Without routes of its own it goes
where its country goes, and waits there: another provider would refuse it, or its replies would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from accounts.models import Company
from messaging.models.routes import Route
from messaging.models.senders import Gateway

_NUMBER = re.compile(r"\+?[0-9]{3,15}", re.ASCII)
SIMULATOR = "simulator"


class Routes:
    """Of one company and channel; read once, asked for each destination."""

    def __init__(self, *, company: Company | int, channel: str) -> None:
        self.company, self.channel = company, channel

    def choose(self, *, country: str = "", sender: str = "") -> Gateway | None:
        """Where a new message goes: the first that is up; the first when none is. None: nothing carries it."""
        order = self.order(country=country, sender=sender)
        return next((gateway for gateway in order if gateway.is_up), order[0] if order else None)

    def after(self, gateway: Gateway, *, country: str, sender: str) -> Gateway | None:
        """Who takes over from `gateway`, which cannot carry this now."""
        order = self.order(country=country, sender=sender)
        return next((other for other in order if other.pk != gateway.pk and other.is_up), None)

    def order(self, *, country: str = "", sender: str = "") -> list[Gateway]:
        """What may carry this, best first."""
        own = self._through(country, sender) + self._through("", sender) if sender else []
        if own:
            return _each_once(own)
        found = self._through(country, "") + self._through("", "")
        if self._default and (not found or takes_over(self._default, found[-1])):
            found.append(self._default)
        order = _each_once(found)
        return order[:1] if belongs_to_an_account(sender) else order

    def route(self, *, country: str, sender: str = "") -> Route | None:
        """By which `choose` came to its gateway; None when it is the default one without a route."""
        chosen = self.choose(country=country, sender=sender)
        named = [(country, sender), ("", sender), (country, ""), ("", "")]
        rows = (row for key in named for row in self._rows.get(key, ()))
        return next((row for row in rows if chosen and row.gateway_id == chosen.pk), None)

    @property
    def has_others(self) -> bool:
        """Whether there is more than one to choose from at all."""
        return len(self._gateways) > 1

    def _through(self, country: str, sender: str) -> list[Gateway]:
        return [self._gateways[row.gateway_id] for row in self._rows.get((country, sender), ())]

    @cached_property
    def _rows(self) -> dict[tuple[str, str], list[Route]]:
        found: dict[tuple[str, str], list[Route]] = {}
        for row in Route.objects.of(self.company).filter(channel=self.channel).order_by("rank", "pk"):
            if row.gateway_id in self._gateways:
                found.setdefault((row.country, row.sender), []).append(row)
        return found

    @cached_property
    def _gateways(self) -> dict[int, Gateway]:
        from messaging.gateways import ADAPTERS

        able = [kind for kind, adapter in ADAPTERS.items() if self.channel in adapter.channels]
        rows = Gateway.objects.of(self.company).filter(kind__in=able, switched_off_at=None)
        return {gateway.pk: gateway for gateway in rows}

    @cached_property
    def _default(self) -> Gateway | None:
        """The company's default, else a provider of its own, else the simulator."""
        ranked = sorted(self._gateways.values(), key=lambda g: (not g.is_default, g.kind == SIMULATOR, g.pk))
        return ranked[0] if ranked else None


def another_carries(gateway: Gateway) -> bool:
    """Whether what waits for this gateway can go another way, should it be switched off."""
    from messaging.gateways import ADAPTERS

    rest = Gateway.objects.of(gateway.company_id).filter(switched_off_at=None).exclude(pk=gateway.pk)
    kinds = [other.kind for other in rest if takes_over(other, gateway)]
    carried = {channel for kind in kinds if kind in ADAPTERS for channel in ADAPTERS[kind].channels}
    return ADAPTERS[gateway.kind].channels <= carried


def takes_over(other: Gateway, gateway: Gateway) -> bool:
    """A real message must not end on a page of ours."""
    return other.kind != SIMULATOR or gateway.kind == SIMULATOR


def belongs_to_an_account(sender: str) -> bool:
    """Numbers and addresses do; a name can be shown by any provider."""
    return "@" in sender or bool(_NUMBER.fullmatch(sender))


def _each_once(gateways: Iterable[Gateway]) -> list[Gateway]:
    return [*{gateway.pk: gateway for gateway in gateways}.values()]
