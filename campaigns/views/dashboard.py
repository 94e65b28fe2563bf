from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.access import MemberRequest, member_required
from accounts.models import Company
from accounts.roles import allows
from addressbook.models import ConsentEvent
from campaigns.insights import charts, figures
from campaigns.models import Campaign

PERIODS = {"7": _("7 days"), "30": _("30 days"), "90": _("Quarter"), "365": _("Year")}


@require_safe
@member_required("viewer")
def dashboard(request: MemberRequest) -> HttpResponse:
    """Who was written to, who left, how and why, against the period before."""
    days = int(request.GET["days"]) if request.GET.get("days") in PERIODS else 30
    now = timezone.now()
    since = now - timedelta(days=days)
    reachable, contacts = figures.reachable_share(request.company)
    context = {
        "nav": "dashboard",
        "days": str(days),
        "periods": PERIODS,
        "since": since,
        "until": now,
        "may_edit": allows(request.member.role, "marketer"),
        "reachable": reachable,
        "contacts": contacts,
        "reachable_share": charts.share(reachable, contacts),
        "drafts": Campaign.objects.filter(status=Campaign.Status.DRAFT).order_by("-pk")[:3],
    }
    if not Campaign.objects.launched().exists() and not ConsentEvent.objects.exists():
        first = Campaign.objects.order_by("pk").first()
        return render(request, "campaigns/welcome.html", {**context, "draft": first})
    return render(request, "campaigns/dashboard.html", {**context, **_figures(request.company, since=since, until=now)})


def _figures(company: Company, *, since: datetime, until: datetime) -> dict[str, Any]:
    current = figures.company_figures(company, since=since, until=until)
    before = figures.company_totals(company, since=since - (until - since), until=since)
    launched = list(Campaign.objects.launched().order_by("-launched_at")[:6])
    recent, sparks = figures.summaries(launched), figures.sparks(company.pk, launched)
    for line in recent:
        line["spark_id"] = f"spark-{line['campaign'].pk}"
        line["spark"] = charts.spark(sparks[line["campaign"].pk])
    return {
        "figures": current,
        "change": charts.changes(current, before),
        "by_link": charts.share(current["by_method"]["link"], current["opt_outs"]),
        "chart": charts.over_time(current["over_time"]),
        "reasons": charts.reasons(current["by_reason"], company=company),
        "reasons_given": sum(current["by_reason"].values()),
        "countries": charts.countries(current["by_country"]),
        "recent": recent,
        "warnings": [
            line
            for line in recent
            if line["against_usual"] == "higher"
            and line["campaign"].launched_at
            and line["campaign"].launched_at >= since
        ],
        "usual": figures.usual_rate(company.pk),
    }
