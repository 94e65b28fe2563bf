"""Why people left, in words. The texts that a company offers belong to the ways out, which tell them here."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db import connection
from django.utils.translation import gettext as _

#: company id → ((code, text), …)
Texts = Callable[[int], tuple[tuple[str, str], ...]]
_offered: list[Texts] = []
#: What lines about pauses and topics keep in the same place.
_CHOSEN = re.compile("(pause|topic):[0-9]+")


def offer(texts: Texts) -> None:
    _offered[:] = [texts]


def text(code: str, *, company: int) -> str:
    """The company's own words; `too_many` as “Too many” when it has none."""
    for texts in _offered:
        if found := dict(texts(company)).get(code):
            return _(found)
    return code.replace("_", " ").capitalize()


def given(company: int) -> list[str]:
    """The codes that people have given. Step by step through the index: there are few, however many events."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE codes AS (
              SELECT min(reason) AS code FROM addressbook_consentevent WHERE company_id = %(company)s AND reason <> ''
              UNION ALL
              SELECT (SELECT min(e.reason) FROM addressbook_consentevent e
                WHERE e.company_id = %(company)s AND e.reason <> '' AND e.reason > codes.code)
              FROM codes WHERE codes.code IS NOT NULL)
            SELECT code FROM codes WHERE code IS NOT NULL LIMIT 50""",
            {"company": company},
        )
        return [row[0] for row in cursor.fetchall() if not _CHOSEN.fullmatch(row[0])]
