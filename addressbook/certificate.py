"""What the ledger says of one address, with all that somebody else needs to check it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Company
from addressbook import reasons, seals, timeline
from addressbook.models import ConsentEvent, Evidence, LedgerSeal, Suppression
from lib import sql
from messaging.models import Message

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "certificate.sql")
#: Nobody comes and goes this often; who does gets the newest, and is told so.
MOST_LINES = 200
FACTS = {
    "address": gettext_lazy("Address"),
    "comment": gettext_lazy("Comment"),
    "text": gettext_lazy("Text"),
    "language": gettext_lazy("Language"),
    "browser": gettext_lazy("Browser"),
    "network": gettext_lazy("Network (shortened)"),
    "method": gettext_lazy("Way"),
    "to": gettext_lazy("Sent to"),
    "provider": gettext_lazy("Provider"),
    "provider_id": gettext_lazy("Provider's id"),
    "occurred_at": gettext_lazy("At"),
    "by": gettext_lazy("By"),
    "decided_by": gettext_lazy("Decided by"),
    "api_key": gettext_lazy("API key"),
}


@dataclass(frozen=True)
class Line:
    event: ConsentEvent
    evidence: Evidence | None
    hashed: str  # the text whose SHA-256 is the line's hash
    is_intact: bool
    seal: LedgerSeal | None

    @property
    def entry(self) -> timeline.Entry:
        return timeline.of_event(self.event, self.evidence)

    @property
    def hash(self) -> str:
        return bytes(self.event.hash).hex()

    @property
    def evidence_hash(self) -> str:
        return bytes(self.event.evidence_hash).hex()

    @property
    def reason(self) -> str:
        return reasons.text(self.event.reason, company=self.event.company_id)

    @property
    def erased_at(self) -> datetime | None:
        return self.evidence.erased_at if self.evidence else None

    @property
    def facts(self) -> list[tuple[Any, str]]:
        """What is kept as evidence, in words."""
        if self.evidence is None:
            return []
        details = self.evidence.details if isinstance(self.evidence.details, dict) else {"": self.evidence.details}
        kept = {"address": self.evidence.address, "comment": self.evidence.comment, **details}
        return [(FACTS.get(name, name), str(value)) for name, value in kept.items() if value not in ("", None)]


@dataclass(frozen=True)
class Certificate:
    company: Company
    channel: str
    digest: bytes
    address: str  # empty when it was erased
    issued_at: datetime
    lines: list[Line]  # newest first
    has_more: bool
    suppression: Suppression | None
    latest_seal: LedgerSeal | None

    @property
    def is_intact(self) -> bool:
        return all(line.is_intact for line in self.lines)

    @property
    def opt_out(self) -> Line | None:
        """The line that the suppression in force follows from."""
        out = self.suppression
        return next((line for line in self.lines if out and line.event.pk == out.event_id), None)

    @property
    def last_sent_at(self) -> datetime | None:
        """When marketing last left for this address."""
        last = self._marketing().exclude(sent_at=None).order_by("-sent_at").first()
        return last.sent_at if last else None

    @property
    def sent_since(self) -> int:
        """Marketing handed over after the opt-out was recorded; what was being handed over at that moment counts."""
        if self.opt_out is None:
            return 0
        since = self.opt_out.event.recorded_at
        return self._marketing().filter(Q(sent_at__gt=since) | Q(sent_at=None, created_at__gt=since)).count()

    def _marketing(self) -> QuerySet[Message]:
        return Message.objects.to(self.company, self.digest).filter(channel=self.channel).marketing().left_the_house()

    @property
    def channel_name(self) -> str:
        return _("SMS") if self.channel == "sms" else _("e-mail")


def of(company: Company, *, channel: str, digest: bytes, address: str) -> Certificate:
    rows = _rows(company=company.pk, channel=channel, digest=digest, most=MOST_LINES + 1)
    ids = [pk for pk, _hashed, _is_intact in rows]
    events = ConsentEvent.objects.of(company).in_bulk(ids)
    evidence = Evidence.objects.of(company).in_bulk(ids)
    sealed = _Seals(company)
    return Certificate(
        company=company,
        channel=channel,
        digest=digest,
        address=address,
        issued_at=timezone.now(),
        lines=[
            Line(events[pk], evidence.get(pk), hashed, is_intact, sealed.over(events[pk]))
            for pk, hashed, is_intact in rows[:MOST_LINES]
        ],
        has_more=len(rows) > MOST_LINES,
        suppression=Suppression.objects.of(company).filter(channel=channel, digest=digest).first(),
        latest_seal=sealed.latest,
    )


class _Seals:
    """Which seal covers a line: found by halves, because seals only reach further."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.latest = seals.latest(company)
        self._read: dict[int, LedgerSeal | None] = {}

    def over(self, event: ConsentEvent) -> LedgerSeal | None:
        """None when it waits for its seal."""
        numbers = range(1, self.latest.number + 1 if self.latest else 1)
        place = bisect_left(numbers, event.position, key=lambda number: self._reach(number, event.shard))
        return self._seal(numbers[place]) if place < len(numbers) else None

    def _reach(self, number: int, chain: int) -> int:
        seal = self._seal(number)
        return seal.reach[chain] if seal else 0

    def _seal(self, number: int) -> LedgerSeal | None:
        if number not in self._read:
            self._read[number] = LedgerSeal.objects.of(self.company).filter(number=number).first()
        return self._read[number]


def _rows(**arguments: Any) -> list[tuple[int, str, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS["lines"], arguments)
        return cursor.fetchall()
