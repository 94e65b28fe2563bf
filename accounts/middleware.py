from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.models import Member
from accounts.scoping import company_scope


class CurrentCompany:
    """Sets request.company, request.member, the scope of every manager and the time zone from the session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        request.member = request.company = None
        request.memberships = []
        # Reading request.user would touch the session; recipients and programs have none.
        if request.COOKIES and request.user.is_authenticated:
            request.memberships = list(
                Member.objects.filter(user=request.user).select_related("company").order_by("company__name")
            )
            chosen = request.session.get("company")
            mine = [m for m in request.memberships if m.company_id == chosen] or request.memberships[:1]
            if mine:
                request.member, request.company = mine[0], mine[0].company
        zone = request.company.zone if request.company else None
        with company_scope(request.company), timezone.override(zone):
            return self.get_response(request)
