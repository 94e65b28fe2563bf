"""An owner's accounts at providers: add, try, watch, change, route, switch off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import MemberRequest, member_required
from accounts.models import Company
from lib.countries import country_name
from messaging import health, trying
from messaging.gateway_forms import AccountForm, RouteForm, TestForm, offered
from messaging.gateways import ADAPTERS, Adapter
from messaging.models import Gateway, GatewayTest, Message, Route
from messaging.routing import another_carries

TESTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """A gateway with how it is doing."""

    gateway: Gateway
    queued: int

    @property
    def label(self) -> str:
        return str(ADAPTERS[self.gateway.kind].label) if self.gateway.kind in ADAPTERS else self.gateway.kind

    @property
    def state(self) -> str:
        if self.gateway.switched_off_at:
            return _("Switched off")
        if self.gateway.down_since:
            return _("Down")
        if self.gateway.problem:
            return _("Has a problem")
        return _("Works") if self.gateway.last_success_at else _("Not used yet")

    @property
    def is_bad(self) -> bool:
        return bool(self.gateway.down_since or self.gateway.problem) and not self.gateway.switched_off_at

    @property
    def hour(self) -> health.Figures:
        return health.figures(self.gateway, hours=1)

    @property
    def day(self) -> health.Figures:
        return health.figures(self.gateway, hours=24)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("owner")
def gateways(request: MemberRequest) -> HttpResponse:
    """The list, and the routes; posting adds a route."""
    form = RouteForm(request.POST or None, company=request.company)
    if request.method == "POST" and form.is_valid() and form.store():
        messages.success(request, _("Added."))
        return redirect("messaging:gateways")
    queued = health.queued(request.company)
    rows = Gateway.objects.of(request.company).order_by("switched_off_at", "-is_default", "pk")
    page = {
        "gateways": [Shown(gateway, queued.get(gateway.pk, 0)) for gateway in rows],
        "routes": [
            (route, country_name(route.country) if route.country else "")
            for route in Route.objects.of(request.company)
            .select_related("gateway")
            .order_by("channel", "-sender", "-country", "rank", "pk")
        ],
        "kinds": [(kind, adapter.label) for kind, adapter in offered().items()],
        "form": form,
        "nav": "settings",
    }
    return render(request, "messaging/gateways.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("owner")
def gateway_add(request: MemberRequest) -> HttpResponse:
    kind = (request.POST or request.GET).get("kind", "")
    if kind not in offered():
        messages.error(request, _("Choose one of the providers in the list."))
        return redirect("messaging:gateways")
    form = AccountForm(request.POST or None, kind=kind)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            _take_turns(request.company)
            gateway = Gateway.objects.create(
                company=request.company,
                kind=kind,
                name=form.cleaned_data["name"],
                is_default=not Gateway.objects.of(request.company).filter(is_default=True).exists(),
                settings=form.values(),
                public_only=True,
            )
        messages.success(request, _("Added. Enter the two addresses at your provider, then send yourself a message."))
        return redirect("messaging:gateway", gateway.pk)
    page = {"form": form, "kind": kind, "label": offered()[kind].label, "nav": "settings"}
    return render(request, "messaging/gateway_add.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("owner")
def gateway(request: MemberRequest, pk: int) -> HttpResponse:
    """One gateway; posting changes its account."""
    found = _gateway(pk)
    form = AccountForm(request.POST or None, kind=found.kind, gateway=found)
    if request.method == "POST" and form.is_valid():
        found.name = form.cleaned_data["name"]
        found.public_only = found.public_only or bool(form.changed_host())
        found.settings = form.values()
        found.save(update_fields=["name", "public_only", "sealed_settings"])
        messages.success(request, _("Saved."))
        return redirect("messaging:gateway", pk)
    return _page(request, found, form=form, status=422 if form.errors else 200)


@require_POST
@member_required("owner")
def gateway_test(request: MemberRequest, pk: int) -> HttpResponse:
    found = _gateway(pk)
    form = TestForm(request.POST, company=request.company, gateway=found)
    if not form.is_valid():
        return _page(request, found, test=form, status=422)
    try:
        sender = form.cleaned_data.get("sender", "")
        trying.send(found, company=request.company, to=form.cleaned_data["to"], sender=sender)
    except trying.TooMany:
        messages.error(request, _("That were many tests within the hour; wait a while."))
    else:
        messages.success(request, _("On its way. What became of it is shown here in a moment."))
    return redirect("messaging:gateway", pk)


@require_GET
@member_required("owner")
def gateway_tests(request: MemberRequest, pk: int) -> HttpResponse:
    """What became of the latest tests; asked again and again while one is under way."""
    found = _gateway(pk)
    return render(request, "messaging/_gateway_tests.html", {"gateway": found, **_tests(found)})


@require_POST
@member_required("owner")
def gateway_default(request: MemberRequest, pk: int) -> HttpResponse:
    found = _gateway(pk)
    if found.switched_off_at:
        messages.error(request, _("Switch it on first."))
        return redirect("messaging:gateway", pk)
    with transaction.atomic():
        _take_turns(request.company)
        Gateway.objects.of(request.company).filter(is_default=True).update(is_default=False)
        Gateway.objects.of(request.company).filter(pk=pk).update(is_default=True)
    messages.success(request, _("What no route says otherwise goes through this gateway now."))
    return redirect("messaging:gateway", pk)


@require_POST
@member_required("owner")
def gateway_switch(request: MemberRequest, pk: int) -> HttpResponse:
    """Off: takes nothing new, and what waits for it goes another way. On again."""
    found = _gateway(pk)
    rows = Gateway.objects.of(request.company).filter(pk=pk)
    if found.switched_off_at:
        rows.update(switched_off_at=None)
        messages.success(request, _("Switched on."))
    elif _waits_for(found, request.company) and not another_carries(found):
        messages.error(request, _("Messages wait for this gateway and no other can carry them. Add another one first."))
    else:
        rows.update(switched_off_at=timezone.now(), is_default=False)
        messages.success(request, _("Switched off. What waited for it goes through another gateway."))
    return redirect("messaging:gateway", pk)


@require_POST
@member_required("owner")
def gateway_remove(request: MemberRequest, pk: int) -> HttpResponse:
    found = _gateway(pk)
    try:
        with transaction.atomic():
            found.delete()
    except ProtectedError:
        messages.error(request, _("Messages went through this gateway, so it stays. Switch it off instead."))
        return redirect("messaging:gateway", pk)
    messages.success(request, _("Removed."))
    return redirect("messaging:gateways")


@require_POST
@member_required("owner")
def route_remove(request: MemberRequest, pk: int) -> HttpResponse:
    get_object_or_404(Route.objects.all(), pk=pk).delete()
    messages.success(request, _("Removed."))
    return redirect("messaging:gateways")


def _gateway(pk: int) -> Gateway:
    found: Gateway = get_object_or_404(Gateway.objects.filter(kind__in=ADAPTERS), pk=pk)
    return found


def _take_turns(company: Company) -> None:
    """A company has one default at most: two people who press at once come one after the other."""
    Company.objects.select_for_update(no_key=True).get(pk=company.pk)


def _waits_for(found: Gateway, company: Company) -> bool:
    return bool(health.queued(company).get(found.pk))


def _tests(found: Gateway) -> dict[str, Any]:
    rows = GatewayTest.objects.filter(gateway=found).select_related("message__batch").order_by("-pk")
    tests = list(rows[:TESTS_SHOWN])
    return {"tests": tests, "waiting": any(test.message.status == Message.Status.QUEUED for test in tests)}


def _page(
    request: MemberRequest,
    found: Gateway,
    *,
    form: AccountForm | None = None,
    test: TestForm | None = None,
    status: int = 200,
) -> HttpResponse:
    # A provider that tells nothing needs no addresses of ours.
    has_hooks = ADAPTERS[found.kind].is_authentic is not Adapter.is_authentic
    page = {
        "gateway": found,
        "shown": Shown(found, health.queued(request.company).get(found.pk, 0)),
        "form": form or AccountForm(kind=found.kind, gateway=found),
        "test_form": test or TestForm(company=request.company, gateway=found),
        "hooks": [(hook, found.hook_url(hook)) for hook in ("inbound", "status")] if has_hooks else [],
        "nav": "settings",
        **_tests(found),
    }
    return render(request, "messaging/gateway.html", page, status=status)
