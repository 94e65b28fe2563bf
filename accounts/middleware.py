from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from accounts.models import Member
from accounts.scoping import company_scope


class CurrentCompany:
    """Sets request.company, request.member and the scope of every manager from the session."""

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
        with company_scope(request.company):
            return self.get_response(request)
