"""The gate in front of another system's sending."""

from __future__ import annotations

from typing import Annotated, Any

from ninja import Router
from pydantic import BaseModel, Field, StringConstraints

from api import fields, messages
from api.auth import ApiRequest, Key
from api.problems import Problem, invalid, many_invalid
from campaigns import audience, elsewhere
from messaging.addresses import Address, InvalidAddress, parse_email, parse_phone
from messaging.models import Message
from optout import links

router = Router(tags=["gate"])
MOST_AT_ONCE = 1000


class GateBody(fields.Body):
    text: Annotated[str, StringConstraints(min_length=1, max_length=messages.LONGEST_TEXT)]
    channel: fields.Channel = "sms"
    recipients: Annotated[list[str], Field(min_length=1, max_length=MOST_AT_ONCE)]
    sender: fields.Name = ""
    campaign: fields.line(200) = Field("", description="A name; what is sent under it is counted together.")  # type: ignore[valid-type]
    default_country: fields.Country = ""


class AnswerOut(BaseModel):
    input: str
    address: str | None
    allowed: bool
    why: str | None = Field(
        None, description="invalid, suppressed, paused, waits_for_review, already_sent, duplicate or no_way_out."
    )
    detail: str | None = None
    text: str | None = Field(None, description="What to send, with the opt-out line.")
    link: str | None = None
    message: int | None = None


class GateOut(BaseModel):
    campaign: int | None
    results: list[AnswerOut]


@router.post("/gate", auth=Key("send"), response=GateOut)
def ask_gate(request: ApiRequest, body: GateBody) -> dict[str, Any]:
    """Who may be sent this text, and with which opt-out line. Send exactly `text`, to the allowed only."""
    if not body.text.strip():
        raise invalid("text", "required", "The text is empty.")
    if problems := messages.sender_problems(body.sender, channel=body.channel):
        raise many_invalid(problems)
    read = [_read(text, body=body) for text in body.recipients]
    to = [address for address in read if isinstance(address, Address)]
    try:
        campaign = (
            elsewhere.campaign_named(body.campaign, company=request.company, channel=body.channel)
            if body.campaign
            else None
        )
        answers = iter(
            elsewhere.hand_out(
                company=request.company,
                to=to,
                text=body.text,
                channel=body.channel,
                sender=body.sender,
                campaign=campaign,
            )
        )
    except audience.NoGateway as problem:
        raise Problem(409, "no-gateway", "Set up a gateway first; a simulator will do.") from problem
    results = [
        _shown(text, found, next(answers))
        if isinstance(found, Address)
        else {"input": text, "address": None, "allowed": False, "why": "invalid", "detail": str(found)}
        for text, found in zip(body.recipients, read, strict=True)
    ]
    return {"campaign": campaign.pk if campaign else None, "results": results}


def _read(text: str, *, body: GateBody) -> Address | InvalidAddress:
    try:
        if body.channel == "email":
            return parse_email(text)
        return parse_phone(text, default_country=body.default_country or None)
    except InvalidAddress as problem:
        return problem


def _shown(text: str, address: Address, answer: elsewhere.Answer) -> dict[str, Any]:
    message: Message | None = answer.message
    return {
        "input": text,
        "address": address.value,
        "allowed": answer.allowed,
        "why": answer.why or None,
        "text": message.text if message else None,
        "link": links.url(message.pk, message.channel) if message and message.method == "link" else None,
        "message": message.pk if message else None,
    }
