"""Handsets of the simulator, for tests and trials."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Router, Status
from pydantic import BaseModel, Field, StringConstraints

from api import fields
from api.auth import ApiRequest, Key
from api.paging import Page, Paging, page
from api.problems import Problem
from messaging.models import Gateway, HandsetMessage
from optout import replies

router = Router(tags=["simulator"])


class ReplyBody(fields.Body):
    from_: fields.AddressText = Field(alias="from")
    to: fields.line(20, shortest=1)  # type: ignore[valid-type]
    text: Annotated[str, StringConstraints(max_length=2000)]


class ReplyOut(BaseModel):
    id: int
    meaning: str = Field(description="What it was read as; empty when a person has to look.")
    received_at: datetime


class HandsetOut(BaseModel):
    id: int
    message: int
    channel: str
    to: str
    sender: str
    subject: str
    text: str
    received_at: datetime


class Filters(BaseModel):
    to: str = ""


@router.post("/simulator/replies", auth=Key("send"), response={201: ReplyOut})
def reply(request: ApiRequest, body: ReplyBody) -> Status[Any]:
    """A handset answers to a number."""
    handset = fields.address(body.from_, field="from", channel="sms")
    try:
        stored = replies.receive_simulated(company=request.company, from_=handset.value, to=body.to, text=body.text)
    except replies.NotOnSimulator as problem:
        raise _no_simulator() from problem
    return Status(201, {"id": stored.pk, "meaning": stored.meaning, "received_at": stored.received_at})


@router.get("/simulator/messages", response=Page[HandsetOut])
def list_handset_messages(request: ApiRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    """What the handsets received."""
    if not Gateway.objects.filter(kind="simulator").exists():
        raise _no_simulator()
    rows = HandsetMessage.objects.all()
    if filters.to:
        rows = rows.filter(to=fields.asked_address(filters.to, field="to").value)
    return page(rows, request=request, paging=paging, shown=lambda found: [_shown(m) for m in found])


def _no_simulator() -> Problem:
    return Problem(409, "no-simulator", "This company does not send through the simulator.")


def _shown(row: HandsetMessage) -> dict[str, Any]:
    same = ("id", "channel", "to", "sender", "subject", "text", "received_at")
    return {**{name: getattr(row, name) for name in same}, "message": row.message_id}
