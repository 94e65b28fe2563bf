from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import MemberRequest, member_required
from campaigns import audience, preview
from campaigns.forms import CampaignForm
from campaigns.insights import charts, figures
from campaigns.models import Campaign, WrongState
from lib.wake import wake

SHOWN_AT_ONCE = 50


@require_safe
@member_required("viewer")
def campaigns(request: MemberRequest) -> HttpResponse:
    rows = Campaign.objects.order_by("-pk")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 18:
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: SHOWN_AT_ONCE + 1])
    shown = page[:SHOWN_AT_ONCE]
    context = {
        "nav": "campaigns",
        "lines": figures.summaries(shown),
        "next": shown[-1].pk if len(page) > SHOWN_AT_ONCE else None,
        "total": Campaign.objects.count(),
    }
    return render(request, "campaigns/campaigns.html", context)


@member_required("marketer")
def compose(request: MemberRequest, pk: int | None = None) -> HttpResponse:
    """A new campaign, or a draft again."""
    draft = get_object_or_404(Campaign, pk=pk) if pk else Campaign(company=request.company, created_by=request.user)
    if pk and not draft.is_draft:
        return redirect(draft)
    form = CampaignForm(request.POST or None, instance=draft, company=request.company)
    if request.method == "POST" and form.is_valid():
        saved = form.save()
        if "review" in request.POST:
            return redirect("campaigns:campaign-review", pk=saved.pk)
        messages.success(request, _("Saved."))
        return redirect("campaigns:campaign-edit", pk=saved.pk)
    context = {"nav": "campaigns", "form": form, "campaign": draft if pk else None, **_shown(draft if pk else None)}
    return render(request, "campaigns/compose.html", context, status=422 if form.is_bound else 200)


def _shown(draft: Campaign | None) -> dict[str, object]:
    """The saved draft's reach and texts."""
    if draft is None:
        return {}
    reach = audience.reach(draft)
    return {"reach": reach, "samples": preview.preview(draft, reach)}


@require_safe
@member_required("marketer")
def review(request: MemberRequest, pk: int) -> HttpResponse:
    """The consequences, before they happen."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if not campaign.is_draft:
        return redirect(campaign)
    shown = _shown(campaign)
    segments = sum(s.segments * s.recipients for s in shown.get("samples", []))  # type: ignore[attr-defined]
    return render(
        request, "campaigns/review.html", {"nav": "campaigns", "campaign": campaign, "segments": segments, **shown}
    )


@require_safe
@member_required("viewer")
def campaign(request: MemberRequest, pk: int) -> HttpResponse:
    """While sending a bar and live counts; afterwards the report."""
    shown = get_object_or_404(Campaign, pk=pk)
    if shown.is_draft:
        return redirect("campaigns:campaign-edit", pk=pk)
    found = figures.campaign_figures(shown)
    counts = shown.counts()
    usual = figures.usual_rate(request.company.pk)
    context = {
        "nav": "campaigns",
        "campaign": shown,
        "figures": found,
        "usual": usual,
        "against": figures.significance.against(usual, hits=found["opt_outs"], trials=found["sent"]),
        "chart": charts.over_time(found["over_time"]),
        "table": charts.rows(found["over_time"]),
        "methods": charts.methods(found["by_method"]),
        "reasons": charts.reasons(found["by_reason"], company=request.company),
        "countries": charts.bars(found["by_country"]),
        "messages_sent": shown.messages.select_related("batch").order_by("-pk")[:SHOWN_AT_ONCE],
        **_progress(shown, counts),
    }
    return render(request, "campaigns/campaign.html", context)


@require_safe
@member_required("viewer")
def progress(request: MemberRequest, pk: int) -> HttpResponse:
    """The live part, asked for every second while sending."""
    shown = get_object_or_404(Campaign, pk=pk)
    response = render(request, "campaigns/_progress.html", {"campaign": shown, **_progress(shown, shown.counts())})
    if shown.status not in {Campaign.Status.SENDING, Campaign.Status.PAUSED}:
        response["HX-Refresh"] = "true"
    return response


def _progress(campaign: Campaign, counts: dict[str, int]) -> dict[str, object]:
    waiting = counts["queued"] + counts["deferred"]
    total = counts["audience"] - campaign.left_out_suppressed - campaign.left_out_no_way
    done = max(total - waiting, 0)
    seconds = (timezone.now() - campaign.built_at).total_seconds() if campaign.built_at else 0
    rate = done / seconds if seconds > 0 else 0
    return {
        "counts": counts,
        "done": done,
        "total": total,
        "percent": round(charts.share(done, total), 1),
        "rate": rate,
        "seconds_left": waiting / rate if rate else None,
        "meanwhile": counts["suppressed"] - campaign.left_out_suppressed,
    }


@require_POST
@member_required("marketer")
def act(request: MemberRequest, pk: int, verb: str) -> HttpResponse:
    """launch, pause, resume, cancel: one verb of the model."""
    campaign = get_object_or_404(Campaign, pk=pk)
    try:
        getattr(campaign, verb)()
    except WrongState as problem:
        messages.error(request, str(problem))
    else:
        wake("campaigns.send_marketing")
    return redirect("campaigns:campaign", pk=pk)


@require_POST
@member_required("marketer")
def duplicate(request: MemberRequest, pk: int) -> HttpResponse:
    """The same again as a draft."""
    copy = get_object_or_404(Campaign, pk=pk).duplicate(by=request.user)
    return redirect("campaigns:campaign-edit", pk=copy.pk)


@require_POST
@member_required("marketer")
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    """Only a draft: what was launched is history."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if not campaign.is_draft:
        messages.error(request, _("Only a draft can be deleted."))
        return redirect(campaign)
    campaign.delete()
    messages.success(request, _("The draft is deleted."))
    return redirect("campaigns:campaigns")
