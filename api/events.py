"""The ledger, read only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Query, Router
from pydantic import BaseModel, Field

from addressbook.models import ConsentEvent, Evidence
from addressbook.models.ledger import Source
from api import fields
from api.auth import ApiRequest
from api.paging import Page, Paging, page
from lib.keys import digest_key

router = Router(tags=["events"])


class EventOut(BaseModel):
    id: int
    type: str
    source: str
    channel: str
    address: str = Field(description="Empty after erasure.")
    campaign: int | None
    campaign_name: str
    message: int | None
    follows: int | None = Field(description="The event of the address that acted, when this one only follows from it.")
    country: str
    reason: str
    comment: str
    evidence: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime


class Filters(BaseModel):
    type: ConsentEvent.Type | None = None
    source: Source | None = None
    channel: fields.Channel | None = None
    address: str = ""
    campaign: int | None = Field(None, ge=1, le=2**63 - 1)
    after: int | None = Field(None, ge=0, le=2**63 - 1, description="Only events with a greater id.")


@router.get("/events", response=Page[EventOut])
def list_events(request: ApiRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    """The ledger: every opt-out, opt-in, reason, erasure, pause and left topic."""
    rows = ConsentEvent.objects.all()
    wanted = {"type": filters.type, "source": filters.source, "channel": filters.channel}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if filters.address:
        address = fields.asked_address(filters.address, field="address")
        rows = rows.filter(digest=address.digest(digest_key()))
    if filters.campaign:
        rows = rows.filter(campaign_id=filters.campaign)
    if filters.after is not None:
        rows = rows.filter(pk__gt=filters.after)
    return page(rows, request=request, paging=paging, shown=shown)


def shown(rows: list[ConsentEvent]) -> list[dict[str, Any]]:
    evidence = {e.pk: e for e in Evidence.objects.filter(pk__in=[row.pk for row in rows])}
    return [_event(row, evidence.get(row.pk) or Evidence()) for row in rows]


def _event(row: ConsentEvent, evidence: Evidence) -> dict[str, Any]:
    return {
        "id": row.pk,
        "type": row.type,
        "source": row.source,
        "channel": row.channel,
        "address": evidence.address,
        "campaign": row.campaign_id,
        "campaign_name": row.campaign_name,
        "message": row.message_id,
        "follows": row.cause_id,
        "country": row.country,
        "reason": row.reason,
        "comment": evidence.comment,
        "evidence": evidence.details,
        "occurred_at": row.occurred_at,
        "recorded_at": row.recorded_at,
    }
