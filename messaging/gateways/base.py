"""What an adapter does: carry a batch of messages and say honestly what became of each."""

from __future__ import annotations

import abc
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from messaging.models import Gateway


class Verdict(enum.StrEnum):
    ACCEPTED = "accepted"
    DELIVERED = "delivered"  # accepted, and the provider already says that it arrived
    REJECTED = "rejected"
    RETRYABLE = "retryable"  # certainly not taken: never left, or refused for now
    UNKNOWN = "unknown"  # may have been taken; never sent again by itself


@dataclass(slots=True)
class Outgoing:
    """One message as the gateway gets it; the text is final."""

    id: int
    channel: str
    to: str
    sender: str
    subject: str
    text: str
    list_unsubscribe: str = ""


@dataclass(slots=True)
class Outcome:
    verdict: Verdict
    provider_id: str = ""
    error: str = ""
    delivered_at: datetime | None = None


class Adapter(abc.ABC):
    """One provider. Subclasses set `kind`, `label` and write `send`."""

    kind: ClassVar[str]
    label: ClassVar[str]
    #: How many messages one request may carry.
    batch_size: ClassVar[int] = 500

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @abc.abstractmethod
    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        """Hand over; one outcome per message in the same order. Must not raise for what the provider did."""
        ...  # every adapter writes its own
