from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as start_session
from django.contrib.auth import logout as end_session
from django.contrib.auth import views as auth_views
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import attempts, roles, team
from accounts.access import MemberRequest, member_required
from accounts.forms import CompanyForm, LogInForm, MemberForm, ResetForm, RoleForm
from accounts.models import Member
from lib.wake import wake

RETRY_AFTER_SECONDS = 15 * 60
LONGEST_ADDRESS = 2000


def _posted(request: HttpRequest) -> Any:
    """What a form is bound to: an empty answer is an answer too, and is told what is missing."""
    return request.POST if request.method == "POST" else None


def _too_many(request: HttpRequest, template: str, page: dict[str, Any], *, seconds: int) -> HttpResponse:
    response = render(request, template, page, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    form = LogInForm(request, _posted(request))
    if request.method == "POST" and form.is_valid():
        start_session(request, form.user)
        response = redirect(_where_to(request, form.user))
        attempts.remember_device(response, account=form.user.email, secure=settings.HTTPS)
        return response
    if request.method != "POST" and request.user.is_authenticated:
        return redirect(_where_to(request, request.user))
    page = {"form": form, "next": _wanted(request)}
    if form.too_many:
        return _too_many(request, "accounts/login.html", page, seconds=RETRY_AFTER_SECONDS)
    return render(request, "accounts/login.html", page, status=422 if form.errors else 200)


def _where_to(request: HttpRequest, user: Any) -> str:
    wanted = _wanted(request)
    if wanted:
        return wanted
    home = settings.LOGIN_REDIRECT_URL
    if user.is_staff and not user.memberships.exists():
        home = "admin:index"
    return resolve_url(home)


def _wanted(request: HttpRequest) -> str:
    """Where the person was going, if that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None, require_https=request.is_secure())
    return wanted if ours and wanted.startswith("/") and len(wanted) <= LONGEST_ADDRESS else ""


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    end_session(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@require_http_methods(["GET", "HEAD", "POST"])
def password_reset(request: HttpRequest) -> HttpResponse:
    form = ResetForm(_posted(request))
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        if not attempts.may_ask_for_reset(request, account=email):
            form.add_error(None, _("Too many attempts. Wait an hour and try again."))
            return _too_many(request, "accounts/password_reset.html", {"form": form}, seconds=60 * 60)
        wake("accounts.send_password_mail", email=email.lower())
        return redirect("accounts:password-reset-sent")
    return render(request, "accounts/password_reset.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD"])
def password_reset_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/password_reset_sent.html")


class PasswordResetConfirm(auth_views.PasswordResetConfirmView):
    """Django's own, for the care it takes: the token moves from the address to the session before the form is shown."""

    template_name = "accounts/password_reset_confirm.html"
    success_url = reverse_lazy("accounts:password-reset-complete")

    def form_invalid(self, form: Any) -> HttpResponse:
        response = super().form_invalid(form)
        response.status_code = 422
        return response


password_reset_confirm = PasswordResetConfirm.as_view()


@require_http_methods(["GET", "HEAD"])
def password_reset_complete(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/password_reset_complete.html")


@require_POST
@member_required("viewer")
def company_switch(request: MemberRequest) -> HttpResponse:
    slug = request.POST.get("company", "")
    mine = [member for member in request.memberships if member.company.slug == slug]
    if not mine:
        raise Http404
    request.session["company"] = mine[0].company_id
    return redirect(settings.LOGIN_REDIRECT_URL)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("viewer")
def company_settings(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        return _save_settings(request)
    form = CompanyForm(instance=request.company)
    if not roles.allows(request.member.role, "owner"):
        for field in form.fields.values():
            field.disabled = True
    return render(request, "accounts/settings.html", {"form": form, "nav": "settings"})


@member_required("owner")
def _save_settings(request: MemberRequest) -> HttpResponse:
    # A company of its own for the form, which writes what was typed into it even when it is wrong.
    form = CompanyForm(request.POST, instance=type(request.company).objects.get(pk=request.company.pk))
    if not form.is_valid():
        return render(request, "accounts/settings.html", {"form": form, "nav": "settings"}, status=422)
    form.save()
    messages.success(request, _("Saved."))
    return redirect("accounts:settings")


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("owner")
def team_page(request: MemberRequest) -> HttpResponse:
    form = MemberForm(_posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            team.add(company=request.company, **form.cleaned_data)
        except team.AlreadyMember:
            form.add_error("email", _("This person is in the team already."))
        else:
            messages.success(
                request,
                _("Added. We have sent %(email)s a mail to log in with.") % {"email": form.cleaned_data["email"]},
            )
            return redirect("accounts:team")
    members = request.company.members.select_related("user").order_by("user__email")
    page = {"form": form, "members": members, "roles": Member.Role.choices, "nav": "settings"}
    return render(request, "accounts/team.html", page, status=422 if form.errors else 200)


@require_POST
@member_required("owner")
def member_role(request: MemberRequest, pk: int) -> HttpResponse:
    member = get_object_or_404(request.company.members, pk=pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the roles."))
        return redirect("accounts:team")
    try:
        team.change_role(member=member, role=form.cleaned_data["role"])
        messages.success(request, _("Saved."))
    except team.LastOwner as problem:
        messages.error(request, str(problem))
    gave_up_owning = member.user_id == request.user.pk and member.role != Member.Role.OWNER
    return redirect("accounts:settings" if gave_up_owning else "accounts:team")


@require_POST
@member_required("owner")
def member_remove(request: MemberRequest, pk: int) -> HttpResponse:
    member = get_object_or_404(request.company.members, pk=pk)
    try:
        team.remove(member=member)
        messages.success(request, _("Removed."))
    except team.LastOwner as problem:
        messages.error(request, str(problem))
    return redirect("accounts:team" if member.user_id != request.user.pk else reverse(settings.LOGIN_REDIRECT_URL))
