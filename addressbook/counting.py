"""How many: exactly while that is quick, else about, and then it says so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _

#: So many rows are counted one by one.
MOST = 1_000


@dataclass(frozen=True)
class Count:
    n: int
    exact: bool = True
    #: At least so many; how many, nobody has looked.
    or_more: bool = False

    def __str__(self) -> str:
        if self.or_more:
            return _("more than %(n)s") % {"n": intcomma(self.n)}
        return str(intcomma(self.n)) if self.exact else _("about %(n)s") % {"n": intcomma(self.n)}


def count(rows: QuerySet[Any], *, most: int = MOST) -> Count:
    found = rows.order_by().values("pk")[: most + 1].count()
    return Count(found) if found <= most else Count(about(max(expected(rows), most)), exact=False)


def expected(rows: QuerySet[Any]) -> int:
    """What the planner expects, from the statistics that the database keeps anyway."""
    try:
        statement, arguments = rows.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", arguments)
        plan = cursor.fetchone()[0]
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


def about(n: float) -> int:
    """In two figures: more would pretend."""
    n = round(n)
    step = 10 ** max(len(str(n)) - 2, 0)
    return round(n / step) * step
