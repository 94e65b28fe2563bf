from __future__ import annotations

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.access import MemberRequest, member_required
from campaigns.insights import charts, figures
from campaigns.models import Campaign

PERIODS = {"7": 7, "30": 30, "90": 90, "365": 365}


@require_safe
@member_required("viewer")
def dashboard(request: MemberRequest) -> HttpResponse:
    """Who was written to, who left, how and why, against the period before."""
    days = PERIODS.get(request.GET.get("days", "30"), 30)
    now = timezone.now()
    since = now - timedelta(days=days)
    current = figures.company_figures(request.company, since=since, until=now)
    before = figures.company_figures(request.company, since=since - timedelta(days=days), until=since)
    reachable, contacts = figures.reachable_share(request.company)
    recent = figures.summaries(list(Campaign.objects.launched().order_by("-launched_at")[:6]))
    context = {
        "nav": "dashboard",
        "days": days,
        "periods": PERIODS,
        "since": since,
        "figures": current,
        "change": charts.changes(current, before),
        "by_link": charts.share(current["by_method"]["link"], current["opt_outs"]),
        "reachable": reachable,
        "contacts": contacts,
        "reachable_share": charts.share(reachable, contacts),
        "chart": charts.over_time(current["over_time"]),
        "table": charts.rows(current["over_time"]),
        "reasons": charts.reasons(current["by_reason"], company=request.company),
        "countries": charts.bars(current["by_country"]),
        "recent": recent,
        "warnings": [line for line in recent if line["against_usual"] == "higher"],
        "usual": figures.usual_rate(request.company.pk),
        "drafts": Campaign.objects.filter(status=Campaign.Status.DRAFT)[:3],
    }
    return render(request, "campaigns/dashboard.html", context)
