"""What an adapter does: carry a batch of messages, say honestly what became of each, and understand what comes back.

Every provider has its own words. An adapter is tables from those words to ours, and the little that differs.
A word that stands in no table becomes `unknown`, never an exception.
"""

from __future__ import annotations

import abc
import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from cryptography.fernet import InvalidToken

from messaging.gateways.account import Account
from messaging.gateways.hooks import Hook

if TYPE_CHECKING:
    from messaging.models import Gateway

LONGEST_ERROR = 200
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]+")


class Verdict(enum.StrEnum):
    ACCEPTED = "accepted"
    DELIVERED = "delivered"  # accepted, and the provider already says that it arrived
    REJECTED = "rejected"
    RETRYABLE = "retryable"  # certainly not taken: never left, or refused for now
    UNKNOWN = "unknown"  # may have been taken; never sent again by itself


class Block(enum.StrEnum):
    """Why a provider carries nothing to an address any more; each becomes a suppression here."""

    OPTED_OUT = "opted_out"  # the person's own wish: everything marketing ends
    COMPLAINED = "complained"  # the person called it spam: a wish as well, in other words
    BOUNCED = "bounced"  # there is no such address: this channel ends
    REFUSED = "refused"  # it stands on the provider's own list, which does not say why: this channel ends


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
    country: str = ""
    #: An e-mail's page, whole and final; empty where there is only the text.
    html: str = ""


@dataclass(slots=True)
class Outcome:
    verdict: Verdict
    provider_id: str = ""
    error: str = ""
    delivered_at: datetime | None = None
    #: Of a retryable one: how many seconds the provider asked us to wait.
    retry_after: float | None = None
    block: Block | None = None
    #: The gateway itself was in the way, whatever the message: no connection, or an account that is refused.
    gateway_at_fault: bool = False
    #: We did not even ask: the message waits its turn, which says nothing about the gateway.
    is_ours: bool = False


@dataclass(slots=True)
class Inbound:
    """MO: a message from a recipient, in the provider's words apart from the names."""

    sender: str
    to: str
    text: str
    #: The provider's own id. Without one it is known again by what it says and when it was sent.
    provider_id: str = ""
    sent_at: datetime | None = None
    #: What the provider has read in it: opt_out, opt_in or help. It has answered by itself then, so that we do not;
    #: and an opt-out is one, whatever we make of the text.
    provider_meaning: str = ""


@dataclass(slots=True)
class Report:
    """DLR: what became of a message. It is found by our reference, else by the provider's id, else by `to`."""

    #: sent, delivered, failed; empty when the provider says something that changes nothing.
    status: str
    provider_id: str = ""
    reference: str = ""
    to: str = ""
    error: str = ""
    block: Block | None = None
    #: The provider's own id of this event: a block that is told again, in whatever company, must not count again.
    event: str = ""
    occurred_at: datetime | None = None
    #: An event of a kind that we do not know, beside others that we do: the delivery is kept for an administrator.
    is_strange: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an address wants marketing, as a provider is told."""

    address: str
    is_out: bool


class Adapter(abc.ABC):
    """One provider. Subclasses set `kind`, `label` and write `send`; those with webhooks write the rest too."""

    kind: ClassVar[str]
    label: ClassVar[str]
    #: What companies may set up; the others serve us alone.
    is_offered: ClassVar[bool] = True
    channels: ClassVar[frozenset[str]] = frozenset({"sms"})
    #: How many messages are claimed, and looked up for the last time, together.
    batch_size: ClassVar[int] = 500
    account: ClassVar[Account] = Account()
    #: What a webhook is answered with, once it is in force: content type and body.
    answer: ClassVar[tuple[str, str]] = ("text/plain", "")
    #: In bytes; who reports many messages at once needs more.
    largest_hook: ClassVar[int] = 256 * 1024
    #: Of `tell`: how many addresses go in one request; 0 where the provider keeps no list that we could write to.
    tell_size: ClassVar[int] = 0

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @cached_property
    def settings(self) -> dict[str, str]:
        return self.gateway.settings

    @property
    def is_set_up(self) -> bool:
        """Whether all that `account` needs is there and can be read."""
        try:
            return all(name in self.settings for name in self.account.needed)
        except (InvalidToken, ValueError):  # sealed under another SECRET_KEY
            return False

    @abc.abstractmethod
    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        """Hand over; one outcome per message in the same order. Must not raise for what the provider did."""
        ...  # every adapter writes its own

    def is_authentic(self, hook: Hook) -> bool:
        """Whether the provider sent this. Without webhooks nobody did."""
        return False

    def inbound(self, hook: Hook) -> list[Inbound]:
        """The replies in it. Raises NotUnderstood."""
        return []

    def reports(self, hook: Hook) -> list[Report]:
        """The delivery reports in it. Raises NotUnderstood."""
        return []

    @property
    def tells(self) -> bool:
        """Whether this account's own list is kept in step with the suppressions."""
        return self.tell_size > 0 and self.is_set_up

    def tell(self, standings: Sequence[Standing]) -> Outcome:
        """Write them to the provider's list; all are out, or all are in. Again changes nothing.

        Rejected means that one of them can never be written; all other trouble is tried again. Must not raise for
        what the provider did.
        """
        raise NotImplementedError


def words(value: Any, *, longest: int = LONGEST_ERROR) -> str:
    """A provider's word as one line of text, whatever it was."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    return _UNPRINTABLE.sub(" ", str(value)).strip()[:longest]


def moment(value: Any) -> datetime | None:
    """ISO 8601; without a zone UTC. None when it is nothing of the kind."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
