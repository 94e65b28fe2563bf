"""The suppression list: who is on it, adding to it, and coming back by consent."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from django.db import connection
from django.http import HttpResponse
from ninja import Query, Router, Status
from ninja.responses import NinjaJSONEncoder
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from accounts.models import Company
from addressbook import consent
from addressbook.models import ConsentEvent, Suppression
from api import events, fields
from api.auth import ApiRequest, Key
from api.paging import Page, Paging, page
from api.problems import invalid
from lib import sql
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse

router = Router(tags=["suppressions"])
STATEMENTS = sql.named(Path(__file__).parent / "sql" / "suppressions.sql")
MOST_AT_ONCE = 10_000
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
#: Of an address: whether we hold exactly it, since when it is suppressed, and since and until when paused.
Found = tuple[bool, datetime | None, list[datetime] | None]


class SuppressionBody(fields.Body):
    address: fields.AddressText
    channels: fields.Channels | None = None
    reason: fields.Name = ""
    comment: Annotated[str, StringConstraints(max_length=2000)] = ""
    occurred_at: fields.PastTime | None = None


class SuppressionOut(BaseModel):
    id: int
    address: str
    channel: str
    source: str
    since: datetime
    event: int


class Evidence(BaseModel):
    """How, when, and what text was shown; further facts are kept with it (GDPR Art. 7(1))."""

    model_config = ConfigDict(extra="allow")

    method: fields.line(200, shortest=1)  # type: ignore[valid-type]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    occurred_at: fields.PastTime

    @field_validator("*", mode="before", check_fields=False)
    @classmethod
    def _simple(cls, value: Any) -> Any:
        if isinstance(value, (dict, list)):
            raise PydanticCustomError("evidence_type", "A fact is a text, a number, true, false or null")
        return value

    def model_post_init(self, context: Any) -> None:
        for name, value in (self.model_extra or {}).items():
            if isinstance(value, (dict, list)) or len(name) > 40 or len(str(value)) > 2000:
                raise PydanticCustomError(
                    "evidence_type", "Further facts have names of 40 and simple values of 2000 characters at most"
                )
        if len(self.model_extra or {}) > 20:
            raise PydanticCustomError("too_long", "At most 20 further facts are kept")  # type: ignore[arg-type]


class OptInBody(fields.Body):
    address: fields.AddressText
    channels: fields.Channels | None = None
    evidence: Evidence


class CheckBody(fields.Body):
    addresses: Annotated[list[str], Field(max_length=MOST_AT_ONCE)]
    default_country: fields.Country = ""


class Checked(BaseModel):
    input: str
    address: str | None
    channel: fields.Channel
    status: Literal["reachable", "suppressed", "invalid"]
    since: datetime | None = None
    detail: str | None = None


class CheckOut(BaseModel):
    results: list[Checked]


class Filters(BaseModel):
    address: str = ""
    channel: fields.Channel | None = None


@router.post("/suppressions", auth=Key("write"), response={201: SuppressionOut, 200: SuppressionOut})
def suppress(request: ApiRequest, body: SuppressionBody) -> Status[Any]:
    """Record an opt-out; 200 when the address was out already. Without `channels`, what the company's scope says."""
    address = fields.address(body.address, field="address", default_country="")
    done = consent.opt_out(
        company=request.company,
        address=address,
        source="api",
        channels=body.channels,
        reason=body.reason,
        comment=body.comment,
        occurred_at=body.occurred_at,
        evidence={"api_key": str(request.api_key)},
    )
    return Status(200 if done.already else 201, _recorded(done.event_id))


@router.get("/suppressions", response=Page[SuppressionOut])
def list_suppressions(request: ApiRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    rows = Suppression.objects.all()
    if filters.address:
        address = fields.asked_address(filters.address, field="address")
        rows = rows.filter(channel=address.channel, digest=address.digest(digest_key()))
    if filters.channel:
        rows = rows.filter(channel=filters.channel)
    return page(rows, request=request, paging=paging, shown=_shown, newest_by="since")


@router.post("/suppressions/check", response=CheckOut)
def check_suppressions(request: ApiRequest, body: CheckBody) -> HttpResponse:
    """Who of up to 10 000 addresses may be sent marketing, in the order given; who has paused may not, and `detail`
    says until when."""
    results = check(body.addresses, company=request.company, default_country=body.default_country)
    # Written as it is: to look at 10 000 results of our own a second time takes as long as to look them up.
    return HttpResponse(json.dumps({"results": results}, cls=NinjaJSONEncoder), content_type="application/json")


@router.post("/opt-ins", auth=Key("lift"), response={201: events.EventOut})
def opt_in(request: ApiRequest, body: OptInBody) -> Status[Any]:
    """Record a consent with its evidence; ends the suppressions that it covers.

    422 when one of them began after `evidence.occurred_at`: what was agreed to before an opt-out does not end it.
    """
    address = fields.address(body.address, field="address")
    evidence = body.evidence.model_dump(mode="json")
    try:
        event_id = consent.opt_in(
            company=request.company,
            address=address,
            source="api",
            channels=body.channels,
            evidence={**evidence, "api_key": str(request.api_key)},
            occurred_at=body.evidence.occurred_at,
        )
    except consent.ConsentTooOld as old:
        since = old.since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        detail = f"The evidence is older than the opt-out of {since}; a newer consent is needed"
        raise invalid("evidence.occurred_at", "older_than_opt_out", detail) from old
    return Status(201, events.shown(list(ConsentEvent.objects.filter(pk=event_id)))[0])


def check(texts: Sequence[str], *, company: Company, default_country: str) -> list[dict[str, Any]]:
    """One look-up for all. A number in E.164 that our tables hold is known to be canonical, so only
    the others are parsed, which would take longer than everything else together."""
    ready = [Address("sms", text) for text in dict.fromkeys(texts) if _E164.fullmatch(text)]
    looked_up = dict(zip([address.value for address in ready], _look_up(ready, company=company), strict=True))
    answers = {text: _answer(text, "sms", found) for text, found in looked_up.items() if found[0]}
    others: dict[str, Address] = {}
    for text in dict.fromkeys(texts):
        if text in answers:
            continue
        try:
            others[text] = parse(text, default_country=default_country or None)
        except InvalidAddress as problem:
            channel = "email" if "@" in text else "sms"
            answers[text] = {"address": None, "channel": channel, "status": "invalid", "since": None}
            answers[text]["detail"] = str(problem)
    unseen = [address for address in dict.fromkeys(others.values()) if address.value not in looked_up]
    looked_up |= zip([address.value for address in unseen], _look_up(unseen, company=company), strict=True)
    for text, address in others.items():
        answers[text] = _answer(address.value, address.channel, looked_up[address.value])
    return [{"input": text, **answers[text]} for text in texts]


def _answer(value: str, channel: str, found: Found) -> dict[str, Any]:
    _known, since, paused = found
    detail = None
    if paused:
        since, until = paused
        detail = f"Paused by the person until {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}."
    status = "suppressed" if since else "reachable"
    return {"address": value, "channel": channel, "status": status, "since": since, "detail": detail}


def _look_up(addresses: Sequence[Address], *, company: Company) -> list[Found]:
    """Of each address in the order given."""
    if not addresses:
        return []
    key = digest_key()
    columns = {
        "company": company.pk,
        "digests": sql.in_hex(a.digest(key) for a in addresses),
        # No address has a line break in it, and one text is written and read in no time.
        "addresses": "\n".join([a.value for a in addresses]),
    }
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS["look_up"], columns)
        return cursor.fetchall()


def _recorded(event_id: int) -> dict[str, Any]:
    """The suppression that followed from an opt-out."""
    event = ConsentEvent.objects.get(pk=event_id)
    return _shown(list(Suppression.objects.filter(channel=event.channel, digest=event.digest)))[0]


def _shown(rows: list[Suppression]) -> list[dict[str, Any]]:
    return [
        {
            "id": s.pk,
            "address": s.address,
            "channel": s.channel,
            "source": s.source,
            "since": s.since,
            "event": s.event_id,
        }
        for s in rows
    ]
