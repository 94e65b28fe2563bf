"""The suppression list: who is on it, adding to it, and coming back by consent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from django.db import connection
from ninja import Query, Router, Status
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
def check_suppressions(request: ApiRequest, body: CheckBody) -> dict[str, Any]:
    """Who of up to 10 000 addresses may be sent marketing, in the order given; who has paused may not, and `detail`
    says until when."""
    return {
        "results": check(body.addresses, company=request.company, default_country=body.default_country),
    }


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
    ready = {text: Address("sms", text) for text in texts if _E164.fullmatch(text)}
    found = _look_up(ready.values(), company=company)
    parsed: dict[str, Address | InvalidAddress] = {}
    for text in dict.fromkeys(texts):
        if text in ready and found[ready[text]][0]:
            parsed[text] = ready[text]
            continue
        try:
            parsed[text] = parse(text, default_country=default_country or None)
        except InvalidAddress as problem:
            parsed[text] = problem
    others = [a for a in dict.fromkeys(parsed.values()) if isinstance(a, Address) and a not in found]
    found |= _look_up(others, company=company)
    return [_checked(text, parsed[text], found) for text in texts]


def _checked(text: str, address: Address | InvalidAddress, found: dict[Address, Any]) -> dict[str, Any]:
    if isinstance(address, InvalidAddress):
        channel = "email" if "@" in text else "sms"
        return {"input": text, "address": None, "channel": channel, "status": "invalid", "detail": str(address)}
    _known, since, paused = found[address]
    answer = {
        "input": text,
        "address": address.value,
        "channel": address.channel,
        "status": "suppressed" if since or paused else "reachable",
        "since": since,
    }
    if paused:
        began, until = paused
        answer["since"] = began
        answer["detail"] = f"Paused by the person until {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}."
    return answer


def _look_up(addresses: Any, *, company: Company) -> dict[Address, tuple[bool, datetime | None, list[datetime] | None]]:
    """Per address: whether we hold exactly it, since when it is suppressed, and since and until when paused."""
    wanted = list(addresses)
    if not wanted:
        return {}
    key = digest_key()
    columns = {
        "company": company.pk,
        "channels": [a.channel for a in wanted],
        "digests": [a.digest(key) for a in wanted],
        "addresses": [a.value for a in wanted],
    }
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS["look_up"], columns)
        return {wanted[n - 1]: (known, since, paused) for n, known, since, paused in cursor.fetchall()}


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
