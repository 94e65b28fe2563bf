from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from campaigns import audit, left_out, resend
from campaigns.audit import Action, Who
from campaigns.insights import charts, figures
from campaigns.models import Campaign, WrongState
from lib.wake import wake
from messaging.models import Batch, Message
from optout.marketing_hours import Doors

SHOWN_AT_ONCE = 50
#: Beside the states: what has been put away, whatever its state.
ARCHIVED = "archived"
RESENDABLE = {Campaign.Status.SENT, Campaign.Status.CANCELLED}
#: The rate while sending is that of the last seconds, so that a pause does not spoil it.
RATE_OVER = timedelta(seconds=20)


@require_safe
@member_required("viewer")
def campaigns(request: MemberRequest) -> HttpResponse:
    rows = Campaign.objects.order_by("-pk")
    status = request.GET.get("status", "")
    archived = status == ARCHIVED
    rows = rows.archived() if archived else rows.in_use()
    if status in Campaign.Status.values:
        rows = rows.filter(status=status)
    if before := _number(request.GET.get("before", "")):
        rows = rows.filter(pk__lt=before)
    page = list(rows[: SHOWN_AT_ONCE + 1])
    shown = page[:SHOWN_AT_ONCE]
    context = {
        "nav": "campaigns",
        "may_edit": allows(request.member.role, "marketer"),
        "lines": figures.summaries(shown),
        "next": shown[-1].pk if len(page) > SHOWN_AT_ONCE else None,
        "first": not before,
        "status": status,
        "statuses": [
            *Campaign.Status.choices,
            *([(ARCHIVED, _("Archived"))] if archived or Campaign.objects.archived().exists() else []),
        ],
        "any": bool(shown) or Campaign.objects.exists(),
    }
    return render(request, "campaigns/campaigns.html", context)


@require_safe
@member_required("viewer")
def campaign(request: MemberRequest, pk: int) -> HttpResponse:
    """While sending a bar and live counts; afterwards the report."""
    shown = get_object_or_404(Campaign, pk=pk)
    may_edit = allows(request.member.role, "marketer")
    if shown.is_draft:
        return redirect("campaigns:campaign-edit" if may_edit else "campaigns:campaign-review", pk=pk)
    counts = shown.counts()
    found = figures.campaign_figures(shown, counts=counts)
    usual = figures.usual_rate(request.company.pk, but=shown.pk)
    context = {
        "nav": "campaigns",
        "campaign": shown,
        "may_edit": may_edit,
        "figures": found,
        "usual": usual,
        "against": figures.significance.against(usual, hits=found["opt_outs"], trials=found["sent"]),
        "chart": charts.over_time(found["over_time"]),
        "methods": charts.methods(found["by_method"]),
        "reasons": charts.reasons(found["by_reason"], company=request.company),
        "said": charts.comments(found["comments"], company=request.company),
        "typical": figures.time_to_opt_out(shown),
        "countries": charts.countries(found["by_country"]),
        "funnel": charts.funnel(found, in_groups=shown.in_groups),
        # The funnel has those who had opted out.
        "left_out": left_out.listed({**shown.left_out_by_reason(), "suppressed": 0}, channel=shown.channel),
        "history": audit.history(shown),
        "switched_off": Doors(request.company).switched_off if shown.is_under_way else [],
        "may_resend": may_edit and shown.status in RESENDABLE and counts["failed"] > shown.left_out_no_way,
        **_messages(request, shown, counts=counts),
        **_progress(shown, counts),
    }
    return render(request, "campaigns/campaign.html", context)


def _messages(request: MemberRequest, campaign: Campaign, *, counts: dict[str, int]) -> dict[str, Any]:
    """A page of messages in the order of contacts, which the unique index keeps; erased people's come last."""
    status = request.GET.get("status", "")
    status = status if status in Message.Status.values else ""
    rows = campaign.messages.select_related("batch")
    if status:
        rows = rows.filter(status=status)
    after = request.GET.get("after", "")
    page: list[Message] = []
    if not after.startswith("e"):
        page = list(rows.filter(contact__gt=_number(after)).order_by("contact_id")[: SHOWN_AT_ONCE + 1])
    if len(page) <= SHOWN_AT_ONCE:
        erased = rows.filter(contact=None, pk__gt=_number(after[1:]) if after.startswith("e") else 0)
        page += erased.order_by("pk")[: SHOWN_AT_ONCE + 1 - len(page)]
    shown = page[:SHOWN_AT_ONCE]
    for message in shown:
        message.word = _("handing over") if message.shown_status == "handing" else message.get_status_display()
        message.opening = None if message.shown_status == "handing" else message.leaves_at
        message.tone = charts.TONES.get(message.status, "quiet")
    key = ""
    if len(page) > SHOWN_AT_ONCE:
        last = shown[-1]
        key = str(last.contact_id) if last.contact_id else f"e{last.pk}"
    # Who was left out before there was a message is in no list.
    listed = {
        **counts,
        "suppressed": _meanwhile(campaign, counts),
        "failed": counts["failed"] - campaign.left_out_no_way,
    }
    return {
        "rows": shown,
        "next": key,
        "status": status,
        "first": not after,
        "statuses": [(value, label, listed[value]) for value, label in Message.Status.choices if listed[value] > 0],
    }


@require_safe
@member_required("viewer")
def progress(request: MemberRequest, pk: int) -> HttpResponse:
    """The live part, asked for every second while sending; a change of state reloads the page and ends the asking."""
    shown = get_object_or_404(Campaign, pk=pk)
    response = render(request, "campaigns/_progress.html", {"campaign": shown, **_progress(shown, shown.counts())})
    if shown.status != request.GET.get("was", shown.status):
        response["HX-Refresh"] = "true"
    return response


def _progress(campaign: Campaign, counts: dict[str, int]) -> dict[str, Any]:
    waiting = counts["queued"] + counts["deferred"]
    hours = campaign.hours() if counts["deferred"] else None
    total = counts["audience"] - campaign.left_out_suppressed - campaign.left_out_no_way
    done = max(total - waiting, 0)
    rate = _rate(campaign, total=total) if campaign.status == Campaign.Status.SENDING else 0.0
    return {
        "counts": counts,
        "done": done,
        "total": total,
        "percent": int(charts.share(done, total)),
        "rate": rate,
        "time_left": timedelta(seconds=round(waiting / rate)) if rate and not counts["deferred"] else None,
        "hours": hours,
        # Nothing happens before they open: no need to ask each second.
        "resting": bool(hours) and not counts["queued"],
        "split": charts.split(counts),
        "meanwhile": _meanwhile(campaign, counts),
    }


def _meanwhile(campaign: Campaign, counts: dict[str, int]) -> int:
    """How many the last look left out: opted out, paused, or their answer waits to be read."""
    return max(counts["suppressed"] - campaign.left_out_suppressed, 0)


def _rate(campaign: Campaign, *, total: int) -> float:
    """Messages a second, from the batches of the last seconds; 0 when none has left in that time."""
    if not campaign.built_at or not total:
        return 0.0
    now = timezone.now()
    since = max(now - RATE_OVER, campaign.built_at)
    batches = campaign.batches()
    done = batches.filter(status=Batch.Status.DONE, claimed_at__gte=since).count()
    seconds = max((now - since).total_seconds(), 1.0)
    return done * total / max(batches.count(), 1) / seconds


SHELVING = {"archive", "restore"}


@require_POST
@member_required("marketer")
def act(request: MemberRequest, pk: int, verb: str) -> HttpResponse:
    """pause, resume, cancel, archive, restore: one verb of the model."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if campaign.is_draft and verb not in SHELVING:
        messages.error(request, _("This campaign is still a draft."))
        return redirect(campaign)
    try:
        getattr(campaign, verb)(by=Who.person(request.user))
    except WrongState as problem:
        messages.error(request, str(problem))
    else:
        if verb not in SHELVING:
            wake("campaigns.send_marketing")
    return redirect("campaigns:campaigns" if campaign.archived_at else campaign)


@require_POST
@member_required("marketer")
def duplicate(request: MemberRequest, pk: int) -> HttpResponse:
    """The same again as a draft."""
    copy = get_object_or_404(Campaign, pk=pk).duplicate(by=Who.person(request.user))
    return redirect("campaigns:campaign-edit", pk=copy.pk)


@require_POST
@member_required("marketer")
def resend_failed(request: MemberRequest, pk: int) -> HttpResponse:
    """A draft to those whom it did not reach; nothing is sent before it is launched."""
    campaign = get_object_or_404(Campaign, pk=pk)
    try:
        draft = resend.to_not_delivered(campaign, by=Who.person(request.user))
    except WrongState as problem:
        messages.error(request, str(problem))
        return redirect(campaign)
    messages.success(request, _("Here is a draft to those whom it did not reach. Look it over, then launch it."))
    return redirect("campaigns:campaign-edit", pk=draft.pk)


@require_POST
@member_required("marketer")
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Only a draft: what was launched is history."""
    with transaction.atomic():
        # Locked: somebody may be launching it right now.
        campaign = get_object_or_404(Campaign.objects.select_for_update(), pk=pk)
        if not campaign.is_draft:
            messages.error(request, _("Only a draft can be deleted."))
            return redirect(campaign)
        Action.record(campaign, Action.Verb.DELETED, by=Who.person(request.user), name=campaign.name)
        campaign.delete()
    messages.success(request, _("The draft is deleted."))
    return redirect("campaigns:campaigns")


def _number(text: str) -> int:
    """A key out of the address; 0 for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
