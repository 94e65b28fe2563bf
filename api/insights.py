"""The figures behind the charts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from ninja import Query, Router
from pydantic import BaseModel, Field

from api import campaigns, fields
from api.auth import ApiRequest
from api.problems import invalid
from campaigns.insights import figures

router = Router(tags=["insights"])
USUAL = timedelta(days=90)


class CommentOut(BaseModel):
    comment: str
    country: str
    reason: str
    occurred_at: datetime


class FiguresOut(BaseModel):
    audience: int
    suppressed: int
    sent: int
    delivered: int
    opt_outs: int
    opt_out_rate: float
    opt_out_rate_low: float = Field(description="95 % confidence interval.")
    opt_out_rate_high: float
    by_method: dict[str, int]
    by_reason: dict[str, int]
    by_country: dict[str, int]
    comments: list[CommentOut]
    over_time: list[dict[str, Any]]


class CampaignFiguresOut(FiguresOut):
    failed: int
    unknown: int
    paused: int = Field(description="People who paused instead of leaving.")
    topics_left: int = Field(description="People who left single topics instead of leaving.")


class CompanyFiguresOut(FiguresOut):
    campaigns: int


class Filters(BaseModel):
    from_: fields.Time | None = Field(None, alias="from", description="Default: 90 days before `to`.")
    to: fields.Time | None = Field(None, description="Default: now. A day alone is included.")


@router.get("/campaigns/{int:campaign_id}/insights", response=CampaignFiguresOut)
def get_campaign_insights(request: ApiRequest, campaign_id: int) -> dict[str, Any]:
    return figures.campaign_figures(campaigns.campaign_or_404(campaign_id))


@router.get("/insights", response=CompanyFiguresOut)
def get_insights(request: ApiRequest, filters: Query[Filters]) -> dict[str, Any]:
    """Across the campaigns launched in a period, and the opt-outs that happened in it."""
    until = filters.to or timezone.now()
    if filters.to:
        until = fields.whole_day(request.GET["to"], until)
    since = filters.from_ or until - USUAL
    if since >= until:
        raise invalid("from", "not_before_to", "`from` must be before `to`.")
    return figures.company_figures(request.company, since=since, until=until)
