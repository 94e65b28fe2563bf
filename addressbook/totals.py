"""How many contacts a company has, may reach, and has lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from accounts.models import Company
from lib import sql

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "totals.sql")


@dataclass(frozen=True)
class Totals:
    """`reachable` and `opted_out` by at least one channel, so a contact may be both."""

    contacts: int
    reachable: int
    opted_out: int


def of(company: Company) -> Totals:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS["totals"], {"company": company.pk})
        return Totals(*cursor.fetchone())
