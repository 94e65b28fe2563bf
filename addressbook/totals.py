"""How many contacts a company has, may reach, and has lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from accounts.models import Company
from addressbook import counting
from addressbook.models import Contact
from lib import sql

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "totals.sql")
#: Address books up to this size are counted whenever somebody looks.
MOST_COUNTED = 20_000
RUNS, LENGTH = 20, 100


@dataclass(frozen=True)
class Totals:
    """`reachable` and `opted_out` by at least one channel, so a contact may be both."""

    contacts: int
    reachable: int
    opted_out: int
    exact: bool = True


def of(company: Company, *, most: int = MOST_COUNTED) -> Totals:
    """Exact for most companies. A large address book is estimated: its size from the planner's statistics, the shares
    from two thousand of its contacts."""
    contacts = Contact.objects.of(company)
    if not contacts.order_by("pk").values("pk")[most : most + 1].exists():
        return Totals(*_run("totals", company=company.pk))
    seen, reachable, opted_out = _run("sample", company=company.pk, runs=RUNS, length=LENGTH)
    size = max(counting.expected(contacts), most)
    return Totals(
        contacts=counting.about(size),
        reachable=counting.about(size * reachable / max(seen, 1)),
        opted_out=counting.about(size * opted_out / max(seen, 1)),
        exact=False,
    )


def _run(name: str, **arguments: int) -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        row: tuple[int, ...] = cursor.fetchone()
        return row
