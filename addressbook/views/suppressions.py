from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from addressbook import consent, paging, reasons, standing
from addressbook.filters import SuppressionFilter
from addressbook.forms import LiftForm, SuppressionForm
from addressbook.models import ConsentEvent, Suppression
from addressbook.views.lists import short_address, without
from lib import sheets
from messaging.addresses import Address, display

EXPORTED_AT_ONCE = 2000
_form = require_http_methods(["GET", "HEAD", "POST"])


def _page(request: MemberRequest, template: str, page: dict[str, Any], status: int = 200) -> HttpResponse:
    page |= {"nav": "suppressions", "may_edit": allows(request.member.role, "marketer")}
    return render(request, f"addressbook/{template}", page, status=status)


@require_safe
@member_required("viewer")
def suppression_list(request: MemberRequest) -> HttpResponse:
    wanted = SuppressionFilter(request.GET, company=request.company)
    if not wanted.is_valid():
        return _page(request, "suppressions.html", {"filter": wanted}, status=422)
    rows = wanted.found()
    try:
        page = paging.page_by(rows, "since", after=wanted.cleaned_data["after"])
    except ValueError:
        wanted.add_error("after", _("This page is not known. Begin at the first."))
        return _page(request, "suppressions.html", {"filter": wanted}, status=422)
    events = ConsentEvent.objects.in_bulk([s.event_id for s in page.items])
    for suppression in page.items:
        suppression.shown = display(suppression.address)
        suppression.event = events.get(suppression.event_id)
        suppression.how = standing.HOW.get(suppression.source, suppression.source)
        said = suppression.event.reason if suppression.event else ""
        suppression.reason = reasons.text(said, company=request.company.pk) if said else ""
    answer = _page(
        request,
        "suppressions.html",
        {
            "filter": wanted,
            "chips": _chips(request, wanted),
            "page": page,
            "found": page.count(rows),
        },
    )
    return short_address(request, answer)


def _chips(request: MemberRequest, wanted: SuppressionFilter) -> list[dict[str, str]]:
    """What narrows the list, each with the address of the page without it."""
    values = wanted.cleaned_data
    labels = {
        "q": f"“{values['q']}”",
        "channel": dict(wanted.fields["channel"].choices).get(values["channel"]),
        "source": dict(wanted.fields["source"].choices).get(values["source"]),
        "campaign": dict(wanted.fields["campaign"].choices).get(values["campaign"]) or f"#{values['campaign']}",
        "reason": dict(wanted.fields["reason"].choices).get(values["reason"]),
        "since": _("from %(day)s") % {"day": values["since"]},
        "until": _("until %(day)s") % {"day": values["until"]},
    }
    return [{"label": label, "without": without(request, name)} for name, label in labels.items() if values[name]]


@_form
@member_required("marketer")
def add(request: MemberRequest) -> HttpResponse:
    form = SuppressionForm(request.POST if request.method == "POST" else None, company=request.company)
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data["address"]
        done = consent.opt_out(
            company=request.company,
            address=address,
            source="marketer",
            reason=form.cleaned_data["reason"],
            comment=form.cleaned_data["comment"],
            evidence={"by": request.user.email, "method": "told to a member"},
        )
        text = _("%(address)s had opted out before.") if done.already else _("%(address)s is opted out.")
        messages.success(request, text % {"address": display(address.value)})
        return redirect("addressbook:suppressions")
    return _page(request, "suppression_form.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
@member_required("viewer")
def export(request: MemberRequest) -> HttpResponse:
    """What the list shows, all pages of it, as CSV."""
    wanted = SuppressionFilter(request.GET, company=request.company)
    if not wanted.is_valid():
        return _page(request, "suppressions.html", {"filter": wanted}, status=422)
    rows = wanted.found()
    rows = rows.order_by("-since", "-pk").iterator(chunk_size=EXPORTED_AT_ONCE)
    header = ["channel", "address", "since", "source", "campaign", "reason", "event"]
    return sheets.response("suppressions.csv", header, _rows(rows, company=request.company.pk))


def _rows(suppressions: Iterable[Suppression], *, company: int) -> Iterator[list[Any]]:
    suppressions = iter(suppressions)
    while some := list(islice(suppressions, EXPORTED_AT_ONCE)):
        events = ConsentEvent.objects.of(company).in_bulk([s.event_id for s in some])
        for s in some:
            event = events.get(s.event_id)
            campaign, why = (event.campaign_name, event.reason) if event else ("", "")
            yield [s.channel, s.address, s.since.isoformat(), s.source, campaign, why, s.event_id]


@_form
@member_required("marketer")
def lift(request: MemberRequest, pk: int) -> HttpResponse:
    """Back only by consent: a line goes by an opt-in with its evidence, and in no other way (promise 8)."""
    suppression = get_object_or_404(Suppression, pk=pk)
    form = LiftForm(
        request.POST if request.method == "POST" else None, suppression=suppression, company=request.company
    )
    if request.method == "POST" and form.is_valid():
        address = form.cleaned_data.get("address") or Address(suppression.channel, suppression.address)
        if form.record(company=request.company, address=address, channels=[address.channel], by=request.user):
            messages.success(request, _("The opt-in is recorded with its evidence; the suppression is lifted."))
            return redirect("addressbook:suppressions")
    event = ConsentEvent.objects.filter(pk=suppression.event_id).first()
    page = {
        "form": form,
        "suppression": suppression,
        "shown": display(suppression.address),
        "why": standing.why(suppression, event),
    }
    return _page(request, "suppression_lift.html", page, status=422 if form.is_bound else 200)
