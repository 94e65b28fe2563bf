"""What a campaign will about cost, as far as its routes have prices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from campaigns.models import Campaign
from campaigns.preview import Sample
from messaging.routing import Routes


@dataclass(frozen=True, slots=True)
class Estimate:
    """By currency; `unpriced` people are reached by routes without a price."""

    sums: list[tuple[str, Decimal]]
    unpriced: int


def estimate(campaign: Campaign, samples: Sequence[Sample]) -> Estimate | None:
    """From one sample text per destination; names of different length make it vary. None without any price."""
    routes = Routes(company=campaign.company, channel=campaign.channel)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    unpriced = 0
    for sample in samples:
        if not sample.method:
            continue
        route = routes.route(country=sample.country, sender=sample.sender)
        if route is None or route.price is None:
            unpriced += sample.recipients
        else:
            sums[route.currency] += route.price * sample.recipients * (sample.segments or 1)
    return Estimate(sorted((name, _rounded(amount)) for name, amount in sums.items()), unpriced) if sums else None


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))
