"""Who may open a page. Foreign and missing are the same 404; a reader who may not write gets 403."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRedirect

from accounts.models import Company, Member, User
from accounts.roles import allows


class MemberRequest(HttpRequest):
    """What a view behind `member_required` may rely on."""

    user: User
    company: Company
    member: Member


def _to_login(request: Any) -> HttpResponse:
    """The whole page goes to the log-in, not the part of it that asked after the session had ended."""
    htmx = getattr(request, "htmx", None)
    if not htmx:
        return redirect_to_login(request.get_full_path())
    return HttpResponseClientRedirect(redirect_to_login(htmx.current_url_abs_path or "/").url)


def member_required(role: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """The view needs a member of the current company with at least this role."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def wrapper(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_login(request)
            if request.member is None:
                raise PermissionDenied("no company")
            if not allows(request.member.role, role):
                raise PermissionDenied(role)
            return view(request, *args, **kwargs)

        wrapper.needed_role = role  # type: ignore[attr-defined]
        return wrapper

    return decorate
