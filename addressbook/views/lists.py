"""Addresses of filtered lists."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse


def without(request: Any, name: str) -> str:
    """The list without one of its filters, from its first page."""
    query = request.GET.copy()
    query.pop(name, None)
    query.pop("after", None)
    return f"?{query.urlencode()}"


def short_address(request: Any, answer: HttpResponse) -> HttpResponse:
    """A list that is narrowed in place goes by an address with only the filters that are set."""
    if request.htmx:
        query = request.GET.copy()
        for name in [name for name, value in query.items() if not value]:
            del query[name]
        answer["HX-Push-Url"] = f"{request.path}?{query.urlencode()}" if query else request.path
    return answer
