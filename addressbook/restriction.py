"""The application's own database role: it may add to the ledger through its functions, and change nothing in it."""

from __future__ import annotations

from pathlib import Path

from django.db import connection, transaction

from lib import sql

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "restrict.sql")


class Unfit(Exception):
    """Privileges would mean nothing to this role; says why."""


@transaction.atomic
def restrict(role: str) -> None:
    """Run as the tables' owner. Again is harmless. Raises Unfit."""
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS["known"], {"role": role})
        if not cursor.fetchone()[0]:
            raise Unfit("does not exist")
        cursor.execute(STATEMENTS["refusal"], {"role": role})
        if row := cursor.fetchone():
            raise Unfit(row[0])
        cursor.execute(STATEMENTS["restrict"].replace("{role}", connection.ops.quote_name(role)))
