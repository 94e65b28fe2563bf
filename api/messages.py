"""Single messages through the gate."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import QuerySet
from ninja import Router, Status
from pydantic import BaseModel, Field, StringConstraints

from accounts.models import Company
from accounts.scoping import current_company_id
from api import fields
from api.auth import ApiRequest, Key
from api.problems import Problem, error, invalid, many_invalid, not_found
from campaigns import advertising, audience, elsewhere, gate, transactional
from campaigns.models import Campaign
from lib.keys import digest_key
from messaging import segments
from messaging.addresses import InvalidAddress, parse_email
from messaging.models import Message
from optout import links

router = Router(tags=["messages"])
log = logging.getLogger("stopgate.messages")
LONGEST_TEXT = 10_000
_NUMBER = re.compile(r"\+?[0-9]{3,15}", re.ASCII)


Values = Annotated[dict[Annotated[str, StringConstraints(max_length=61)], Any], Field(max_length=50)]


class MessageBody(fields.Body):
    to: fields.AddressText
    channel: fields.Channel | None = None
    body: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)] | None = Field(
        None, description="Required, unless a template is named."
    )
    template: fields.line(100, shortest=1) | None = Field(  # type: ignore[valid-type]
        None, description="Name of a transactional template, in place of body and subject."
    )
    values: Values | None = Field(None, description="What stands in the template's placeholders, by their names.")
    subject: fields.line(200) = ""  # type: ignore[valid-type]
    category: Literal["marketing", "transactional"]
    sender: fields.Name = ""
    campaign: fields.Id | fields.line(200, shortest=1) | None = Field(  # type: ignore[valid-type]
        None, description="What an opt-out is counted for: a launched campaign's id, or a name."
    )


class MessageOut(BaseModel):
    id: int
    to: str = Field(description="Empty after erasure.")
    category: str
    channel: str
    status: str
    sender: str
    subject: str
    text: str
    encoding: str
    segments: int
    method: str
    link: str | None
    campaign: int | None
    created_at: datetime
    leaves_at: datetime | None = Field(None, description="When a deferred message leaves: its quiet hours end then.")
    sent_at: datetime | None
    delivered_at: datetime | None
    error: str


class Filters(BaseModel):
    status: Message.Status | None = None
    to: str = ""


class SentOut(MessageOut):
    warning: str | None = Field(None, description="Said of a transactional text that reads like marketing.")


@router.post("/messages", auth=Key("send"), response={202: SentOut})
def send_message(request: ApiRequest, body: MessageBody) -> Status[Any]:
    """Send one text. Marketing gets its way out and is refused to who has opted out; transactional always passes.

    Where an administrator requires templates, a transactional text comes from one or equals one.
    """
    to = fields.address(body.to, field="to", channel=body.channel or "")
    errors = [*sender_problems(body.sender, channel=to.channel), *_text_problems(body, channel=to.channel)]
    if errors:
        raise many_invalid(errors)
    subject, text = _text(body, company=request.company, channel=to.channel)
    try:
        message = gate.send(
            company=request.company,
            to=to,
            body=text,
            category=body.category,
            subject=subject,
            sender=body.sender,
            campaign=_campaign(body.campaign, company=request.company, channel=to.channel),
        )
    except gate.Paused as problem:
        detail = "The person has paused marketing from this company for some days. Nothing was sent."
        raise Problem(409, "suppressed", detail) from problem
    except gate.Suppressed as problem:
        raise Problem(
            409, "suppressed", "This address has opted out of marketing from this company. Nothing was sent."
        ) from problem
    except gate.NoWayOut as problem:
        detail = "There is no lawful way to opt out at this destination with this sender. Nothing was sent."
        raise Problem(409, "no-way-out", detail) from problem
    except gate.AlreadySent as problem:
        raise Problem(409, "already-sent", "This campaign has sent to this address already.") from problem
    except gate.InvalidBody as problem:
        raise invalid(problem.field, "not_sendable", str(problem)) from problem
    except audience.NoGateway as problem:
        raise Problem(409, "no-gateway", "Set up a gateway first; there is nothing to send through.") from problem
    warning = advertising.warning(text) if body.category == "transactional" else ""
    if warning:
        log.warning("message %s of company %s: transactional, but reads like marketing", message.pk, message.company_id)
    return Status(202, {**shown(message), "warning": warning or None})


@router.get("/messages/{int:message_id}", response=MessageOut)
def get_message(request: ApiRequest, message_id: int) -> dict[str, Any]:
    message = Message.objects.select_related("batch").filter(pk=message_id).first()
    if message is None:
        raise not_found()
    return shown(message)


def _text_problems(body: MessageBody, *, channel: str) -> list[dict[str, str]]:
    """A text is either written or taken from a template."""
    if body.template is None:
        problems = []
        if body.body is None:
            problems.append(error("body", "required", "This field is required, unless you name a template."))
        if body.values is not None:
            problems.append(error("values", "no_template", "Values fill a template; name it in the field template."))
        if channel == "email" and not body.subject:
            problems.append(error("subject", "required", "An e-mail needs a subject."))
        return problems
    if body.category != "transactional":
        return [error("template", "not_for_marketing", "Templates are for transactional messages; send a body.")]
    given = {"body": body.body, "subject": body.subject}
    return [error(name, "comes_from_template", "Leave it out: the template has it.") for name in given if given[name]]


def _text(body: MessageBody, *, company: Company, channel: str) -> tuple[str, str]:
    """Subject and text. Raises 422 for what no template allows, where the company must keep to them."""
    if body.template is not None:
        try:
            return transactional.filled(company, name=body.template, values=body.values or {}, channel=channel)
        except transactional.NotFilled as problem:
            raise many_invalid([error(*found) for found in problem.errors]) from problem
    text = body.body or ""
    if body.category == "transactional" and not transactional.allows(
        company, channel=channel, subject=body.subject, body=text
    ):
        detail = (
            "This company sends transactional messages from templates only. Send `template` and `values`, or a `body` "
            "(by e-mail with its `subject`) that equals a template with its placeholders filled. Templates are under "
            "Settings → Transactional templates. Nothing was sent."
        )
        remedy = "Name a template, or write the text exactly as the template has it."
        raise Problem(422, "template-required", detail, errors=[error("body", "template_required", remedy)])
    return body.subject, text


def _campaign(asked: int | str | None, *, company: Company, channel: str) -> Campaign | None:
    """What single texts are counted under. Raises 404, and 409 for one whose own audience is still to be built."""
    if asked is None:
        return None
    if isinstance(asked, str):
        return elsewhere.campaign_named(asked, company=company, channel=channel)
    campaign = Campaign.objects.of(company).filter(pk=asked).first()
    if campaign is None:
        raise not_found()
    if campaign.built_at is None or campaign.channel != channel:
        raise Problem(409, "wrong-state", "Texts can be counted for launched campaigns of the same channel only.")
    return campaign


def filtered(rows: QuerySet[Message], filters: Filters) -> QuerySet[Message]:
    if filters.status:
        rows = rows.filter(status=filters.status)
    if filters.to:
        address = fields.asked_address(filters.to, field="to")
        to = Message.objects.to(current_company_id() or 0, address.digest(digest_key()))
        rows = rows.filter(pk__in=to.filter(channel=address.channel).values("pk"))
    return rows.select_related("batch")


def shown(message: Message) -> dict[str, Any]:
    same = ("id", "category", "channel", "sender", "subject", "text", "method", "sent_at", "delivered_at", "error")
    encoding, count = message.encoding, message.segments
    if message.text and not encoding and message.channel == "sms":
        size = segments.measure(message.text)
        encoding, count = size.encoding, size.segments
    return {
        **{name: getattr(message, name) for name in same},
        "to": message.address,
        "status": message.shown_status,
        "leaves_at": message.leaves_at,
        "encoding": encoding,
        "segments": count,
        "link": links.url(message.pk, message.channel) if message.method == "link" else None,
        "campaign": message.campaign_id,
        "created_at": message.created_at,
    }


def sender_problems(sender: str, *, channel: str) -> list[dict[str, str]]:
    """What no phone or mail program can show as a sender."""
    if not sender:
        return []
    if channel == "email":
        try:
            parse_email(sender)
        except InvalidAddress as problem:
            return [error("sender", problem.code, str(problem))]
        return []
    if _NUMBER.fullmatch(sender):
        return []
    # 3GPP TS 23.040 9.1.2.5: 11 characters of the default alphabet.
    if len(sender) > 11 or any(c not in segments.BASIC for c in sender):
        return [error("sender", "not_a_sender", "Use a number, or a name of at most 11 plain letters and digits.")]
    return []
