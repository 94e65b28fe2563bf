"""A program of Acme's that takes events: a real server on loopback that checks signatures with the official package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from standardwebhooks.webhooks import Webhook

from accounts.models import Company
from tests.gateways.stub import Behaviour, Reply, Stub, provider
from webhooks import deliveries
from webhooks.models import EVENTS, Delivery, Endpoint


@dataclass
class Receiver:
    stub: Stub
    endpoint: Endpoint
    secret: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """What came, every signature verified."""
        return [Webhook(self.secret).verify(r.body, r.headers) for r in self.stub.requests]

    @property
    def ids(self) -> list[str]:
        return [request.headers["webhook-id"] for request in self.stub.requests]


@contextmanager
def receiver(company: Company, behaviour: Behaviour | None = None, *, events=EVENTS) -> Iterator[Receiver]:
    with provider(behaviour or Reply(204)) as stub:
        endpoint, secret = Endpoint.issue(company=company, url=f"{stub.base_url}/hook?a=b", events=list(events))
        yield Receiver(stub, endpoint, secret)


def told(company: Company) -> list[tuple[str, str]]:
    return list(Delivery.objects.of(company).order_by("pk").values_list("type", "status"))


def make_due(company: Company) -> None:
    Delivery.objects.of(company).exclude(due_at=None).update(due_at="2020-01-01T00:00:00Z")


def deliver() -> int:
    return deliveries.run(seconds=5)
