"""Lists: `?limit=` and `?cursor=`, newest first, answered as {"items", "next"}."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import Q, QuerySet
from pydantic import BaseModel, Field

from api.auth import ApiRequest
from api.problems import invalid
from lib import cursors

T = TypeVar("T")
LARGEST_PAGE = 1000


class Paging(BaseModel):
    limit: int = Field(100, ge=1, le=LARGEST_PAGE)
    cursor: str = Field("", description="`next` of the page before.")


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: str | None


def page(
    rows: QuerySet[Any],
    *,
    request: ApiRequest,
    paging: Paging,
    shown: Callable[[list[Any]], list[dict[str, Any]]],
    newest_by: str = "",
) -> dict[str, Any]:
    """One page by descending id, or by `newest_by` and id; `shown` makes its rows into JSON, all at once."""
    purpose = _purpose(request)
    if paging.cursor:
        rows = rows.filter(_after(_position(paging.cursor, purpose=purpose), newest_by=newest_by))
    order = [f"-{newest_by}", "-pk"] if newest_by else ["-pk"]
    found = list(rows.order_by(*order)[: paging.limit + 1])
    here, following = found[: paging.limit], None
    if len(found) > paging.limit:
        last = here[-1]
        position = [last.pk, getattr(last, newest_by).isoformat()] if newest_by else [last.pk]
        following = cursors.encode(position, purpose=purpose)
    return {"items": shown(here), "next": following}


def _purpose(request: ApiRequest) -> str:
    """A cursor goes on in the list it came from: this company's, with these filters."""
    filters = sorted((name, value) for name, value in request.GET.items() if name not in {"limit", "cursor"})
    return f"{request.company.pk}:{request.path}:{filters}"


def _position(cursor: str, *, purpose: str) -> list[Any]:
    try:
        return cursors.decode(cursor, purpose=purpose)
    except cursors.InvalidCursor as problem:
        detail = "This is not a cursor of this list; use `next` of its page before, with the same filters."
        raise invalid("cursor", "not_a_cursor", detail) from problem


def _after(position: list[Any], *, newest_by: str) -> Q:
    if not newest_by:
        return Q(pk__lt=position[0])
    at = datetime.fromisoformat(position[1])
    # The first condition alone lets the index be entered at the right place.
    return Q(**{f"{newest_by}__lte": at}) & (Q(**{f"{newest_by}__lt": at}) | Q(pk__lt=position[0]))
