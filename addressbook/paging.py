"""Pages of a long list: each begins after the last row of the one before, so page 1000 costs as much as page 1."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import models

from addressbook.counting import Count, count

SIZE = 50
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class Page:
    """Newest first. `next` names the row that the following page begins after; None on the last."""

    items: list[Any]
    next: int | str | None
    is_first: bool

    def count(self, rows: models.QuerySet[Any]) -> Count:
        """How many rows the list has; asks only when this page does not say."""
        if self.is_first and self.next is None:
            return Count(len(self.items))
        return count(rows)


def page(rows: models.QuerySet[Any], *, after: int | None = None, size: int = SIZE) -> Page:
    rows = rows.order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    found = list(rows[: size + 1])
    items = found[:size]
    return Page(items=items, next=items[-1].pk if len(found) > size else None, is_first=after is None)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def page_by(rows: models.QuerySet[Any], field: str, *, after: str = "", size: int = SIZE) -> Page:
    """Newest by a moment, which several rows may share: `after` is the moment and the id, as in `Page.next`.

    Raises ValueError when it is not.
    """
    rows = rows.order_by(f"-{field}", "-pk")
    if after:
        moment, pk = _position(after)
        # The first condition says nothing new, but it is the one that an index can begin at.
        rows = rows.filter(**{f"{field}__lte": moment})
        rows = rows.filter(models.Q(**{f"{field}__lt": moment}) | models.Q(pk__lt=pk))
    found = list(rows[: size + 1])
    items = found[:size]
    following = None
    if len(found) > size:
        following = f"{(getattr(items[-1], field) - _EPOCH) // _MICROSECOND}-{items[-1].pk}"
    return Page(items=items, next=following, is_first=not after)


def _position(after: str) -> tuple[datetime, int]:
    microseconds, _dash, pk = after.partition("-")
    if not (after.isascii() and microseconds.isdigit() and pk.isdigit() and len(after) <= 40):
        raise ValueError(after)
    try:
        return _EPOCH + int(microseconds) * _MICROSECOND, min(int(pk), LARGEST_ID)
    except OverflowError as problem:
        raise ValueError(after) from problem
