"""Sealing the ledger in batches, and whether it is as it was written and the suppressions follow from it.

A seal is the hash of its lines and of the seal before. Who rewrites history has to rewrite every
seal since; one that has left the machine (in a certificate, in shipped logs) shows it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from django.db import connection

from accounts.models import Company
from addressbook.models import LedgerSeal
from lib import sql

log = logging.getLogger("stopgate.ledger")

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "verify.sql")
#: A line waits no longer than this for its seal.
SEAL_EVERY = 60
MOST_PER_STATEMENT = 20
CHECKS = ("lines", "heads", "seals", "evidence", "suppressions", "pauses", "topics")
WORDS = {
    "altered": "line {id} was changed after it was written",
    "gap": "line {id} does not follow its predecessor: lines are missing before it",
    "broken_chain": "line {id} does not continue the chain: its predecessor was changed, removed or inserted",
    "head": "chain {id} ends elsewhere than its head says: lines at its end are missing or were added",
    "seal_gap": "seal {id} does not follow its predecessor: seals are missing before it",
    "seal_broken": "seal {id} does not fit its lines or the seal before: one of them was changed, removed or inserted",
    "seal_head": "the chain of seals ends elsewhere than its head says: seals at its end are missing or were added",
    "other_seal": "seal {id} is not the one that was given out: the ledger was rewritten since",
    "no_evidence": "line {id} has lost its evidence",
    "evidence_altered": "the evidence of line {id} was changed after it was written",
    "evidence_without_line": "the evidence {id} belongs to no line",
    "erased_without_line": "the evidence of line {id} was erased, but no line says so",
    "without_event": "suppression {id} does not follow from an opt-out in the ledger",
    "outlived_opt_in": "suppression {id} is still in force after a newer opt-in",
    "not_in_force": "the opt-out in line {id} is not in force: its suppression is missing",
    "pause_without_event": "pause {id} does not follow from the ledger",
    "pause_missing": "the pause in line {id} is not kept",
    "topic_without_event": "left topic {id} does not follow from the ledger",
    "topic_missing": "the topic left in line {id} is not kept",
}


@dataclass(frozen=True)
class GivenOut:
    """A seal as it stands on a certificate: NUMBER:HASH."""

    number: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> GivenOut:
        """Raises ValueError."""
        number, _colon, digits = "".join(text.split()).partition(":")
        found = cls(int(number), bytes.fromhex(digits))
        if len(found.hash) != 32 or not 0 < found.number < 2**63:
            raise ValueError(text)
        return found


def seal(company: Company | int) -> Iterator[LedgerSeal]:
    """Seal all that is not sealed yet, in as many seals as it takes. Several sealers take turns."""
    company_id = company if isinstance(company, int) else company.pk
    while (number := _run("seal", company=company_id)[0][0]) is not None:
        made = LedgerSeal.objects.of(company_id).get(number=number)
        # The one place outside the database to which every seal goes by itself.
        log.info("sealed company=%s seal=%s", company_id, made)
        yield made


class _Pace:
    """Each process looks once in a while, although the sweep comes by every other second."""

    next_look = 0.0

    def is_due(self) -> bool:
        if monotonic() < self.next_look:
            return False
        self.next_look = monotonic() + SEAL_EVERY / 4
        return True


_pace = _Pace()


def sweep() -> None:
    if _pace.is_due():
        seal_due()


def seal_due(*, every: int = SEAL_EVERY) -> None:
    """Seal whatever has waited; other workers may be at it at the same time."""
    for (company_id,) in _run("due", every=every):
        for _made in seal(company_id):
            pass


def latest(company: Company) -> LedgerSeal | None:
    return LedgerSeal.objects.of(company).order_by("-number").first()


def verify(company: Company | None = None, *, given_out: GivenOut | None = None) -> list[str]:
    """What is wrong with one company's ledger, or with all; nothing when it is intact. Says at most
    MOST_PER_STATEMENT things per company and kind of check."""
    companies = [company] if company else list(Company.objects.order_by("pk"))
    return [problem for one in companies for problem in _problems(one, given_out)]


def _problems(company: Company, given_out: GivenOut | None) -> Iterator[str]:
    found: list[tuple[str, int]] = []
    for name in CHECKS:
        found += _run(name, company=company.pk, most=MOST_PER_STATEMENT)
    if given_out and _run("sealed", company=company.pk, number=given_out.number) != [(given_out.hash,)]:
        found.append(("other_seal", given_out.number))
    for kind, key in found:
        yield f"{company.slug}: {WORDS[kind].format(id=key)}"


def _run(name: str, **arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in cursor.fetchall()]
