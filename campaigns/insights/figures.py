"""The figures behind the charts: who left, from which campaign, how and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from django.db import connection
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce
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
SPARK = 12
#: Long enough to land in the next step; for months the floor does the rest.
LENGTH = {"hour": timedelta(hours=1), "day": timedelta(days=1), "month": timedelta(days=31)}


def campaign_figures(campaign: Campaign, *, counts: dict[str, int] | None = None) -> dict[str, Any]:
    """One campaign, from its launch until now. `sent` is what a gateway took or may have taken."""
    counts = counts or campaign.counts()
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
        **_stayed(campaign),
    }


def _stayed(campaign: Campaign) -> dict[str, int]:
    """Who chose fewer messages instead of leaving, and has not left after all."""
    ((paused, topics_left),) = _run("stayed", {"company": campaign.company_id, "campaign": campaign.pk})
    return {"paused": paused, "topics_left": topics_left}


def company_figures(company: Company, *, since: datetime, until: datetime) -> dict[str, Any]:
    """Across the campaigns launched in a period; opt-outs that happened in it.

    The rate compares like with like: of the people written to by these campaigns, how many left because
    of them. Opt-outs with no campaign (API, imported lists, portal) are counted, but are nobody's answer.
    """
    figures = _figures(company_id=company.pk, campaign_id=None, since=since, until=until)
    sent = _sent(company, since=since, until=until)
    return {**sent, **_rate(figures["campaign_opt_outs"], sent["sent"]), **figures}


def company_totals(company: Company, *, since: datetime, until: datetime) -> dict[str, Any]:
    """The few of them that a period is compared by."""
    ((opt_outs, answers),) = _run("how_many", {"company": company.pk, "since": since, "until": until})
    sent = _sent(company, since=since, until=until)
    return {**sent, **_rate(answers, sent["sent"]), "opt_outs": opt_outs}


def _sent(company: Company, *, since: datetime, until: datetime) -> dict[str, int]:
    rows = _run("handed_over", {"company": company.pk, "since": since, "until": until})
    by_status = {status: int(n) for status, n in rows}
    launched = Campaign.objects.of(company).filter(launched_at__gte=since, launched_at__lt=until)
    built = launched.aggregate(
        n=Count("pk"), suppressed=Coalesce(Sum("left_out_suppressed"), 0), audience=Coalesce(Sum("audience"), 0)
    )
    return {
        "campaigns": built["n"],
        "audience": built["audience"],
        "suppressed": by_status.get("suppressed", 0) + built["suppressed"],
        "sent": sum(by_status.get(status, 0) for status in LEFT),
        "delivered": by_status.get("delivered", 0),
    }


def time_to_opt_out(campaign: Campaign) -> timedelta | None:
    """How long after their message half of those who left had done so."""
    ((seconds,),) = _run("time_to_opt_out", {"company": campaign.company_id, "campaign": campaign.pk})
    return timedelta(seconds=seconds) if seconds is not None else None


def reachable_share(company: Company) -> tuple[int, int]:
    """Contacts that marketing can reach by at least one channel, of all."""
    contacts = Contact.objects.of(company).count()
    ((unreachable,),) = _run("unreachable", {"company": company.pk})
    return contacts - unreachable, contacts


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
                "opt_out_rate": _of(opt_outs, sent) if sent else None,
                "against_usual": significance.against(usual, hits=opt_outs, trials=int(sent)) if sent else "",
            }
        )
    return lines


def usual_rate(company_id: int, *, but: int | None = None) -> float | None:
    """The median rate of the last finished campaigns; None until there are three to compare with."""
    recent = Campaign.objects.of(company_id).filter(status=Campaign.Status.SENT).exclude(pk=but)
    ids = list(recent.order_by("-launched_at").values_list("pk", flat=True)[:20])
    rows = _run("per_campaign", {"company": company_id, "ids": ids}) if ids else []
    rates = [_of(opt_outs, sent) for _, sent, _, opt_outs in rows if sent]
    return median(rates) if len(rates) >= 3 else None


def _of(part: int, whole: int) -> float:
    """A share of people. Somebody who came back and left again is two opt-outs, so it is capped."""
    return float(min(part / whole, 1.0)) if whole else 0.0


def _rate(opt_outs: int, sent: int) -> dict[str, Any]:
    low, high = significance.interval(opt_outs, sent)
    return {"opt_out_rate": _of(opt_outs, sent), "opt_out_rate_low": low, "opt_out_rate_high": high}


def sparks(company_id: int, campaigns: list[Campaign]) -> dict[int, list[int]]:
    """Opt-outs in the three days after each launch, in steps of six hours."""
    arguments = {"company": company_id, "ids": [c.pk for c in campaigns], "step": 6 * 3600, "points": SPARK}
    curves = {campaign.pk: [0] * SPARK for campaign in campaigns}
    for pk, at, n in _run("sparks", arguments) if campaigns else []:
        curves[pk][at] = n
    return curves


def _figures(*, company_id: int, campaign_id: int | None, since: datetime, until: datetime) -> dict[str, Any]:
    arguments = {"company": company_id, "campaign": campaign_id, "since": since, "until": until}
    first, last = since, min(until, timezone.now())
    if campaign_id is not None:  # a company's chart spans the period asked for; a campaign's the time people took
        first, last = _run("first_and_last", arguments)[0]
    span = last - first if first else timedelta()
    step = _step(span, hours=campaign_id is not None)
    by_method, by_reason, by_country = Counter(dict.fromkeys(METHODS, 0)), Counter(), Counter()
    by_time: dict[datetime, Counter[str]] = defaultdict(Counter)
    answers = 0
    for at, source, country, reason, n, answering in _run("opt_outs", {**arguments, "step": step}):
        answers += answering
        method = METHOD_OF.get(source, source)
        by_method[method] += n
        by_reason[reason] += n
        by_country[country] += n
        by_time[at.replace(tzinfo=UTC)][method] += n
    if campaign_id is not None and first:
        last += timedelta(microseconds=1)
    return {
        "opt_outs": sum(by_method.values()),
        "campaign_opt_outs": answers,
        "by_method": dict(by_method),
        "by_reason": {reason: n for reason, n in by_reason.most_common() if reason},
        "by_country": {country: n for country, n in by_country.most_common() if country},
        "comments": [
            {"comment": comment, "country": country, "reason": reason, "occurred_at": at}
            for comment, country, reason, at in _run("comments", {**arguments, "limit": COMMENTS})
        ],
        "over_time": _filled(by_time, first=first, last=last, step=step) if first else [],
    }


def _filled(found: dict[datetime, Counter[str]], *, first: datetime, last: datetime, step: str) -> list[dict[str, Any]]:
    """Steps of equal length with the gaps filled, so that a chart's axis is time."""
    points, at = [], min(_floor(first.astimezone(UTC), step), *found, END)
    while at < last or at <= max(found, default=BEGINNING):
        points.append({"at": at, **dict.fromkeys(METHODS[:4], 0), **found.get(at, {})})
        at = _floor(at + LENGTH[step], step)
    return points


def _step(span: timedelta, *, hours: bool) -> str:
    if hours and span < timedelta(days=2):
        return "hour"
    return "day" if span <= timedelta(days=400) else "month"


def _floor(at: datetime, step: str) -> datetime:
    """What date_trunc does."""
    at = at.replace(minute=0, second=0, microsecond=0)
    if step != "hour":
        at = at.replace(hour=0)
    return at.replace(day=1) if step == "month" else at


def _run(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchall()
