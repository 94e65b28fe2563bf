"""Campaigns: drafts, what they will do, and their states."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.db import transaction
from django.utils import timezone
from ninja import Query, Router, Status
from phonenumbers import SUPPORTED_REGIONS
from pydantic import BaseModel, Field, StringConstraints

from accounts.models import Company
from addressbook.models import ConsentEvent, Group
from api import fields, messages
from api.auth import ApiRequest, Key
from api.paging import Page, Paging, page
from api.problems import Problem, error, invalid, many_invalid, not_found
from campaigns import audience, preview
from campaigns.audit import Action, Who
from campaigns.models import Campaign, WrongState
from campaigns.rendering import Template, UnknownField
from lib.wake import wake
from messaging.models import Message
from optout import lines

router = Router(tags=["campaigns"])
LONGEST_BODY = 4000
MOST_GROUPS = 100
MOST_COUNTRIES = 250
Groups = Annotated[list[fields.GroupName], Field(max_length=MOST_GROUPS)]
Campaigns = Annotated[list[Annotated[int, Field(ge=1, lt=2**63)]], Field(max_length=MOST_GROUPS)]
Senders = Annotated[dict[str, fields.Name], Field(max_length=MOST_COUNTRIES)]
Days = Annotated[int, Field(ge=1, le=365)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_BODY)]


class ChangeBody(fields.Body):
    name: fields.line(200, shortest=1) | None = None  # type: ignore[valid-type]
    channel: fields.Channel | None = None
    sender: fields.Name | None = None
    subject: fields.line(200) | None = None  # type: ignore[valid-type]
    preheader: fields.line(150) | None = None  # type: ignore[valid-type]
    body: Text | None = None
    groups: Groups | None = None
    exclude_groups: Groups | None = None
    opt_out_text: fields.line(160) | None = None  # type: ignore[valid-type]
    scheduled_at: fields.Time | None = None
    senders: Senders | None = Field(None, description="Country → sender, where that is not `sender`; null: none.")
    exclude_campaigns: Campaigns | None = Field(None, description="Ids; who has had one of them is left out.")
    not_messaged_days: Days | None = Field(None, description="Who has had marketing in so many days is left out.")


class CampaignBody(ChangeBody):
    name: fields.line(200, shortest=1)  # type: ignore[valid-type]
    channel: fields.Channel
    body: Text
    groups: Annotated[Groups, Field(min_length=1)]


class CountsOut(BaseModel):
    """Together they are the audience; `opt_outs` are what followed from it."""

    audience: int
    suppressed: int
    queued: int
    deferred: int
    sent: int
    delivered: int
    failed: int
    unknown: int
    cancelled: int
    opt_outs: int


class LeftOut(BaseModel):
    """Why people in the groups got no message, one reason each."""

    no_address: int
    suppressed: int
    paused: int = Field(description="Chose a pause instead of opting out.")
    landline: int
    no_way: int = Field(description="No lawful way out in their country with this sender.")
    received: int = Field(description="Had one of `exclude_campaigns`.")
    lately: int = Field(description="Had marketing within `not_messaged_days`.")
    capped: int = Field(description="Had as many messages as the company allows.")


class ListedOut(BaseModel):
    id: int
    name: str
    channel: str
    status: str
    sender: str
    subject: str
    preheader: str
    body: str
    opt_out_text: str
    groups: list[str]
    exclude_groups: list[str]
    senders: dict[str, str]
    exclude_campaigns: list[int]
    not_messaged_days: int | None
    scheduled_at: datetime | None
    created_at: datetime
    launched_at: datetime | None
    finished_at: datetime | None


class CampaignOut(ListedOut, CountsOut):
    """The counts stand beside the other fields and, for programs that pass them on as one, under `counts`."""

    counts: CountsOut
    in_groups: int = Field(description="Everybody in the groups: the messages, and those left out.")
    left_out: LeftOut


class SampleOut(BaseModel):
    country: str
    text: str
    method: str = Field(description="reply or link; empty where there is no lawful way out, so nobody is written to.")
    sender: str
    encoding: str
    characters: int
    segments: int
    recipients: int


class PreviewOut(BaseModel):
    items: list[SampleOut]
    next: None = None
    audience: int
    suppressed: int
    no_address: int
    no_way: int
    in_groups: int
    reached: int
    left_out: LeftOut


class Filters(BaseModel):
    status: Campaign.Status | None = None
    name: str = ""


@router.post("/campaigns", auth=Key("write"), response={201: CampaignOut})
def create_campaign(request: ApiRequest, body: CampaignBody) -> Status[Any]:
    """A draft; nothing is sent before it is launched."""
    campaign = Campaign(company=request.company)
    _change(campaign, body, by=_who(request))
    return Status(201, shown(campaign))


@router.get("/campaigns", response=Page[ListedOut])
def list_campaigns(request: ApiRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    rows = Campaign.objects.prefetch_related("groups", "exclude_groups", "exclude_campaigns", "country_senders")
    if filters.status:
        rows = rows.filter(status=filters.status)
    if filters.name:
        rows = rows.filter(name=filters.name)
    return page(rows, request=request, paging=paging, shown=lambda found: [_listed(c) for c in found])


@router.get("/campaigns/{int:campaign_id}", response=CampaignOut)
def get_campaign(request: ApiRequest, campaign_id: int) -> dict[str, Any]:
    return shown(campaign_or_404(campaign_id))


@router.patch("/campaigns/{int:campaign_id}", auth=Key("write"), response=CampaignOut)
def change_campaign(request: ApiRequest, campaign_id: int, body: ChangeBody) -> dict[str, Any]:
    """Only a draft can be changed."""
    campaign = campaign_or_404(campaign_id, locked=True)
    if not campaign.is_draft:
        raise Problem(409, "wrong-state", f"Only a draft can be changed; this campaign is {campaign.status}.")
    _change(campaign, body, by=_who(request))
    return shown(campaign)


def _who(request: ApiRequest) -> Who:
    return Who.program(key_id=request.api_key.pk, name=request.api_key.name)


@router.post("/campaigns/{int:campaign_id}/preview", response=PreviewOut)
def preview_campaign(request: ApiRequest, campaign_id: int) -> dict[str, Any]:
    """Per destination: the exact text with its opt-out line, and how many will be reached."""
    campaign = campaign_or_404(campaign_id)
    reach = audience.reach(campaign)
    return {
        "items": [
            {name: getattr(sample, name) for name in SampleOut.model_fields}
            for sample in preview.preview(campaign, reach)
        ],
        "audience": reach.audience,
        **{reason: reach.left_out[reason] for reason in ("suppressed", "no_address", "no_way")},
        "in_groups": reach.all,
        "reached": reach.reached,
        "left_out": reach.left_out,
    }


@router.post("/campaigns/{int:campaign_id}/launch", auth=Key("send"), response={202: CampaignOut})
def launch_campaign(request: ApiRequest, campaign_id: int) -> Status[Any]:
    """Now, or at `scheduled_at`. Launching twice is not an error and sends once."""
    try:
        audience.gateway_of(request.company, channel=campaign_or_404(campaign_id).channel)
    except audience.NoGateway as problem:
        raise Problem(409, "no-gateway", "Set up a gateway first; there is nothing to send through.") from problem
    return _act(request, campaign_id, "launch")


@router.post("/campaigns/{int:campaign_id}/pause", auth=Key("send"), response={202: CampaignOut})
def pause_campaign(request: ApiRequest, campaign_id: int) -> Status[Any]:
    return _act(request, campaign_id, "pause")


@router.post("/campaigns/{int:campaign_id}/resume", auth=Key("send"), response={202: CampaignOut})
def resume_campaign(request: ApiRequest, campaign_id: int) -> Status[Any]:
    return _act(request, campaign_id, "resume")


@router.post("/campaigns/{int:campaign_id}/cancel", auth=Key("send"), response={202: CampaignOut})
def cancel_campaign(request: ApiRequest, campaign_id: int) -> Status[Any]:
    """What has not been handed over never will be."""
    return _act(request, campaign_id, "cancel")


@router.get("/campaigns/{int:campaign_id}/messages", response=Page[messages.MessageOut])
def list_campaign_messages(
    request: ApiRequest, campaign_id: int, filters: Query[messages.Filters], paging: Query[Paging]
) -> dict[str, Any]:
    rows = messages.filtered(Message.objects.filter(campaign=campaign_or_404(campaign_id)), filters)
    return page(rows, request=request, paging=paging, shown=lambda found: [messages.shown(m) for m in found])


def shown(campaign: Campaign) -> dict[str, Any]:
    out = ConsentEvent.objects.filter(campaign_id=campaign.pk, type="opt_out", cause_id=None)
    counts = {**campaign.counts(), "opt_outs": out.count()}
    left_out = {"in_groups": campaign.in_groups, "left_out": campaign.left_out_by_reason()}
    return {**_listed(campaign), **counts, "counts": counts, **left_out}


#: What no column of the campaign holds.
ELSEWHERE = {"groups", "exclude_groups", "exclude_campaigns", "senders"}


def _listed(campaign: Campaign) -> dict[str, Any]:
    plain = [name for name in ListedOut.model_fields if name not in ELSEWHERE]
    return {
        **{name: getattr(campaign, name) for name in plain},
        "groups": sorted(group.name for group in campaign.groups.all()),
        "exclude_groups": sorted(group.name for group in campaign.exclude_groups.all()),
        "exclude_campaigns": sorted(other.pk for other in campaign.exclude_campaigns.all()),
        "senders": {row.country: row.sender for row in campaign.country_senders.all()},
    }


def campaign_or_404(campaign_id: int, *, locked: bool = False) -> Campaign:
    rows = Campaign.objects.filter(pk=campaign_id)
    campaign = (rows.select_for_update() if locked else rows).first()
    if campaign is None:
        raise not_found()
    return campaign


def _act(request: ApiRequest, campaign_id: int, verb: str) -> Status[Any]:
    """One verb of the model."""
    campaign = campaign_or_404(campaign_id)
    try:
        with transaction.atomic():
            getattr(campaign, verb)(by=_who(request))
    except WrongState as problem:
        detail = f"A campaign that is {campaign.status} cannot do that: {verb}."
        raise Problem(409, "wrong-state", detail) from problem
    wake("campaigns.send_marketing")
    return Status(202, shown(campaign))


def _change(campaign: Campaign, body: ChangeBody, *, by: Who) -> None:
    """Takes over what was given, if the whole is then fit to be sent. Raises 422."""
    given = body.model_dump(exclude_unset=True)
    for name in ("name", "channel", "body", "groups"):
        if name in given and not given[name]:
            raise invalid(name, "required", "This field cannot be empty.")
    chosen = {
        name: _groups(given[name] or [], field=name, company=campaign.company)
        for name in ("groups", "exclude_groups")
        if name in given
    }
    if "exclude_campaigns" in given:
        chosen["exclude_campaigns"] = _campaigns(given["exclude_campaigns"] or [], company=campaign.company)
    for name, value in given.items():
        if name not in ELSEWHERE:
            setattr(campaign, name, value if name in {"scheduled_at", "not_messaged_days"} else value or "")
    _check(campaign, given)
    is_new = campaign.pk is None
    campaign.save()
    for name, groups in chosen.items():
        getattr(campaign, name).set(groups)
    if "senders" in given:
        campaign.set_senders(given["senders"] or {})
    if is_new:
        Action.record(campaign, Action.Verb.CREATED, by=by)
    elif given:
        campaign.edited(by=by, fields=sorted(given))


def _check(campaign: Campaign, given: dict[str, Any]) -> None:
    errors = []
    try:
        Template.parse(campaign.body)
    except UnknownField as problem:
        errors.append(error("body", "unknown_merge_field", str(problem)))
    if not campaign.body.strip():
        errors.append(error("body", "required", "The text is empty."))
    if campaign.opt_out_text:
        try:
            lines.check_override(campaign.opt_out_text)
        except lines.InvalidLine as problem:
            errors.append(error("opt_out_text", problem.code, str(problem)))
    if given.get("scheduled_at") and campaign.scheduled_at < timezone.now():
        errors.append(error("scheduled_at", "in_the_past", "This time has passed; choose a later one or leave it out."))
    if campaign.channel == "email" and not campaign.subject:
        errors.append(error("subject", "required", "An e-mail needs a subject."))
    errors += messages.sender_problems(campaign.sender, channel=campaign.channel)
    errors += _sender_problems(given.get("senders") or {}, channel=campaign.channel)
    if errors:
        raise many_invalid(errors)


def _sender_problems(senders: dict[str, str], *, channel: str) -> list[dict[str, str]]:
    if senders and channel == "email":
        return [error("senders", "sms_only", "An e-mail comes from one address; leave this out.")]
    errors = []
    for country, sender in senders.items():
        field = f"senders.{country[:10]}"
        if country not in SUPPORTED_REGIONS:
            detail = "Use the two capital letters of a country, for example FR."
            errors.append(error(field, "unknown_country", detail))
        errors += [{**problem, "field": field} for problem in messages.sender_problems(sender, channel=channel)]
    return errors


def _campaigns(ids: list[int], *, company: Company) -> list[Campaign]:
    found = {campaign.pk: campaign for campaign in Campaign.objects.of(company).filter(pk__in=ids)}
    missing = [
        error(f"exclude_campaigns[{n}]", "unknown_campaign", "There is no campaign with this id.")
        for n, pk in enumerate(ids)
        if pk not in found
    ]
    if missing:
        raise many_invalid(missing)
    return list(found.values())


def _groups(names: list[str], *, field: str, company: Company) -> list[Group]:
    found = {group.name: group for group in Group.objects.of(company).filter(name__in=names)}
    missing = [
        error(f"{field}[{n}]", "unknown_group", "There is no group of this name; make it with POST /groups.")
        for n, name in enumerate(names)
        if name not in found
    ]
    if missing:
        raise many_invalid(missing)
    return list(found.values())
