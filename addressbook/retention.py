"""Nothing is kept longer than a company wants: old messages and replies lose their text and address, files go.

What stays: the ledger and the suppressions (promises 9 and 10), the digests by which a late opt-out still finds its
message, and everything that is only counted.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Company
from addressbook.models import Import, Retained
from lib import sql

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "retention.sql")
#: Rows that one transaction looks at.
WINDOW = 5_000
#: When there was nothing left to do, it is looked again after so many seconds.
REST = 60.0
#: A file that nobody went on with is dropped after this long, whatever the company keeps.
ABANDONED = timedelta(days=7)

_rested_at: float | None = None


def sweep(*, seconds: float = 2.0) -> None:
    """Some seconds of it, at most once a minute when all is done: the worker has more urgent work."""
    global _rested_at
    now = time.monotonic()
    if _rested_at is not None and now - _rested_at < REST:
        return
    _rested_at = now
    forget_abandoned()
    for company in Company.objects.exclude(retention_days=None).order_by("pk"):
        while empty_some(company):
            if time.monotonic() - now > seconds:
                _rested_at = None  # there is more
                return


def forget_abandoned(company: Company | int | None = None, *, age: timedelta = ABANDONED) -> int:
    """Uploads whose columns nobody chose: full of people, and no use to anybody."""
    drafts = Import.objects.across_companies() if company is None else Import.objects.of(company)
    drafts = drafts.filter(status=Import.Status.MAPPING, created_at__lt=timezone.now() - age)
    with transaction.atomic():
        some = drafts.order_by("pk").select_for_update(skip_locked=True).values_list("pk", flat=True)[:20]
        return drafts.filter(pk__in=list(some)).delete()[0]


@transaction.atomic
def empty_some(company: Company) -> bool:
    """One window of everything; True when there may be more. Workers beside us pass a company that is being done."""
    if company.retention_days is None:
        return False
    Retained.objects.of(company).get_or_create(company=company)
    mark = Retained.objects.of(company).select_for_update(skip_locked=True).first()
    if mark is None:
        return False
    before = timezone.now() - timedelta(days=company.retention_days)
    more = [_window(company, mark, what, before=before) for what in ("messages", "replies")]
    mark.save()
    scope = {"company": company.pk, "before": before, "window": WINDOW}
    more += [_run(name, scope).rowcount > 0 for name in ("handsets", "rejected_rows", "files")]
    return any(more)


def _window(company: Company, mark: Retained, what: str, *, before: datetime) -> bool:
    scope = {"company": company.pk, "before": before, "window": WINDOW, "mark": getattr(mark, what)}
    upto = _run(f"old_{what}", scope).fetchone()[0]
    if upto is None:
        return False
    _run(f"empty_{what}", {**scope, "upto": upto})
    setattr(mark, what, upto)
    return True


def _run(name: str, arguments: dict[str, Any]) -> Any:
    cursor = connection.cursor()
    cursor.execute(STATEMENTS[name], arguments)
    return cursor
