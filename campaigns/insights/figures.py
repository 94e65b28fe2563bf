"""The figures behind the charts: who left, from which campaign, how and why."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import Company
from addressbook.models import Contact
from campaigns.insights import significance
from campaigns.models import Campaign
from lib import sql

STATEMENTS = sql.named(Path(__file__).parent.parent / "sql" / "insights.sql")
#: The ledger's source → the method people know.
METHOD_OF = {"landing": "link"}
METHODS = (
    "link",
    "reply",
    "one_click",
    "portal",
    "api",
    "import",
    "marketer",
    "administrator",
    "provider",
    "complaint",
)
LEFT = ("sent", "delivered", "unknown")
BEGINNING, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
COMMENTS = 50


def campaign_figures(campaign: Campaign) -> dict[str, Any]:
    """One campaign, from its launch until now."""
    counts = campaign.counts()
    sent = sum(counts[status] for status in LEFT)
    figures = _figures(company_id=campaign.company_id, campaign_id=campaign.pk, since=BEGINNING, until=END)
    return {
        "audience": counts["audience"],
        "suppressed": counts["suppressed"],
        "sent": sent,
        "delivered": counts["delivered"],
        "failed": counts["failed"],
        "unknown": counts["unknown"],
        **_rate(figures["opt_outs"], sent),
        **figures,
    }


def company_figures(company: Company, *, since: datetime, until: datetime) -> dict[str, Any]:
    """Across the campaigns launched in a period; opt-outs that happened in it."""
    rows = _run("handed_over", {"company": company.pk, "since": since, "until": until})
    by_status = {status: int(n) for status, n, _ in rows}
    sent = sum(by_status.get(status, 0) for status in LEFT)
    campaigns = Campaign.objects.of(company).filter(launched_at__gte=since, launched_at__lt=until).count()
    figures = _figures(company_id=company.pk, campaign_id=None, since=since, until=until)
    return {
        "campaigns": campaigns,
        "audience": sum(by_status.values()),
        "suppressed": by_status.get("suppressed", 0),
        "sent": sent,
        "delivered": by_status.get("delivered", 0),
        **_rate(figures["opt_outs"], sent),
        **figures,
    }


def reachable_share(company: Company) -> tuple[int, int]:
    """Contacts that marketing can reach by at least one channel, of all."""
    contacts = Contact.objects.of(company)
    return contacts.reachable().count(), contacts.count()


def summaries(campaigns: list[Campaign]) -> list[dict[str, Any]]:
    """A line per campaign, against the company's usual rate."""
    if not campaigns:
        return []
    company_id = campaigns[0].company_id
    rows = {row[0]: row for row in _run("per_campaign", {"company": company_id, "ids": [c.pk for c in campaigns]})}
    usual = usual_rate(company_id)
    lines = []
    for campaign in campaigns:
        _, sent, delivered, opt_outs = rows[campaign.pk]
        lines.append(
            {
                "campaign": campaign,
                "sent": int(sent),
                "delivered_rate": delivered / sent if sent else None,
                "opt_outs": opt_outs,
                "opt_out_rate": opt_outs / sent if sent else None,
                "against_usual": significance.against(usual, hits=opt_outs, trials=int(sent)) if sent else "",
            }
        )
    return lines


def usual_rate(company_id: int) -> float | None:
    """The median rate of the last finished campaigns; None until there are three to compare with."""
    recent = Campaign.objects.of(company_id).filter(status=Campaign.Status.SENT).order_by("-launched_at")[:20]
    rows = _run("per_campaign", {"company": company_id, "ids": [c.pk for c in recent]})
    rates = sorted(opt_outs / sent for _, sent, _, opt_outs in rows if sent)
    return float(rates[len(rates) // 2]) if len(rates) >= 3 else None


def _rate(opt_outs: int, sent: int) -> dict[str, Any]:
    low, high = significance.interval(min(opt_outs, sent), sent)
    return {"opt_out_rate": opt_outs / sent if sent else 0.0, "opt_out_rate_low": low, "opt_out_rate_high": high}


def _figures(*, company_id: int, campaign_id: int | None, since: datetime, until: datetime) -> dict[str, Any]:
    arguments = {"company": company_id, "campaign": campaign_id, "since": since, "until": until}
    by_method = dict.fromkeys(METHODS, 0)
    for source, n in _run("opt_outs", arguments):
        by_method[METHOD_OF.get(source, source)] = n
    return {
        "opt_outs": sum(by_method.values()),
        "by_method": by_method,
        "by_reason": {reason: n for reason, n in _run("reasons", arguments) if reason},
        "by_country": {country: n for country, n in _run("countries", arguments) if country},
        "comments": [
            {"comment": comment, "country": country, "reason": reason, "occurred_at": at}
            for comment, country, reason, at in _run("comments", {**arguments, "limit": COMMENTS})
        ],
        "over_time": _over_time(arguments),
    }


def _over_time(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """By day, gaps filled, so that a chart's axis is time; by hour while there are less than two days."""
    step, length = "day", timedelta(days=1)
    rows = _run("over_time", {**arguments, "step": step})
    if rows and rows[-1][0] - rows[0][0] < timedelta(days=2) and arguments["campaign"]:
        step, length = "hour", timedelta(hours=1)
        rows = _run("over_time", {**arguments, "step": step})
    found: dict[datetime, dict[str, int]] = defaultdict(dict)
    for at, source, n in rows:
        found[at][METHOD_OF.get(source, source)] = n
    if arguments["campaign"] is None:
        at = arguments["since"].astimezone(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        last = min(arguments["until"], timezone.now()).astimezone(UTC).replace(tzinfo=None)
    elif rows:
        at, last = rows[0][0], rows[-1][0]
    else:
        return []
    points = []
    while at <= last and len(points) < 400:
        points.append({"at": at.replace(tzinfo=UTC), **dict.fromkeys(METHODS[:4], 0), **found.get(at, {})})
        at += length
    return points


def _run(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall()
