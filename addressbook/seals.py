"""Whether the ledger is as it was written, and the suppressions follow from it."""

from __future__ import annotations

from pathlib import Path

from django.db import connection

from accounts.models import Company
from lib import sql

STATEMENTS = Path(__file__).parent / "sql" / "verify.sql"
MOST_PER_KIND = 20
WORDS = {
    "altered": "line {id} was changed after it was written",
    "gap": "line {id} does not follow its predecessor: lines are missing before it",
    "broken_chain": "line {id} does not continue the chain: its predecessor was changed, removed or inserted",
    "head": "chain {id} ends elsewhere than its head says: lines at its end are missing or were added",
    "no_evidence": "line {id} has lost its evidence",
    "evidence_altered": "the evidence of line {id} was changed after it was written",
    "without_event": "suppression {id} does not follow from an opt-out in the ledger",
    "outlived_opt_in": "suppression {id} is still in force after a newer opt-in",
    "not_in_force": "the opt-out in line {id} is not in force: its suppression is missing",
}


def verify(company: Company | None = None) -> list[str]:
    """What is wrong with one company's ledger, or with all; nothing when it is intact. At most
    MOST_PER_KIND of each kind of problem."""
    statement = sql.named(STATEMENTS)["problems"]
    with connection.cursor() as cursor:
        cursor.execute(statement, {"company": company.pk if company else None, "most": MOST_PER_KIND})
        rows = cursor.fetchall()
    slugs = dict(Company.objects.filter(pk__in={row[1] for row in rows}).values_list("pk", "slug"))
    return [f"{slugs.get(company_id, company_id)}: {WORDS[kind].format(id=key)}" for kind, company_id, key in rows]
