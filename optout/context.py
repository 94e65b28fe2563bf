"""What every page behind the log-in shows of the ways out."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from optout.models import ReviewItem


def waiting_replies(request: HttpRequest) -> dict[str, Any]:
    """`waiting_replies`: how many replies a person has to decide. Counted only where a page shows it."""
    if getattr(request, "company", None) is None:
        return {}
    return {"waiting_replies": ReviewItem.objects.of(request.company).filter(decision="").count}
