"""From a first word to the launch: write, preview, look at the consequences, confirm."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from addressbook.models import Group
from campaigns import audience, audit, costs, left_out, plain, preview, trial
from campaigns.audit import Action, Who
from campaigns.choice import Choice
from campaigns.forms import CampaignForm, TrialForm
from campaigns.models import Campaign, Changed, WrongState
from campaigns.rendering import Template
from lib.countries import country_name
from lib.wake import wake
from messaging.models.message import Channel
from optout.marketing_hours import Doors

#: More destinations than this are listed, not shown as handsets.
HANDSETS = 8


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("marketer")
def compose(request: MemberRequest, pk: int | None = None) -> HttpResponse:
    """A new campaign, or a draft again."""
    if request.method == "POST":
        with transaction.atomic():
            return _save(request, pk)
    draft = get_object_or_404(Campaign, pk=pk) if pk else Campaign(company=request.company)
    if pk and not draft.is_draft:
        return redirect(draft)
    form = CampaignForm(instance=draft, company=request.company)
    shown = _of_draft(draft) if pk else {}
    if pk:
        form.offer_senders(_countries(shown["reach"]))
    return _composer(request, form, name=draft.name, shown=shown)


def _save(request: MemberRequest, pk: int | None) -> HttpResponse:
    """The draft stays locked until it is stored, so that a launch at the same moment is not undone."""
    if pk:
        draft = get_object_or_404(Campaign.objects.select_for_update(), pk=pk)
        if not draft.is_draft:
            messages.error(request, _("This campaign has been launched; its text can no longer be changed."))
            return redirect(draft)
    else:
        draft = Campaign(company=request.company, created_by=request.user)
    name = draft.name
    form = CampaignForm(request.POST, instance=draft, company=request.company)
    if not form.is_valid():
        return _composer(request, form, name=name, shown=_of_form(form, request), status=422)
    if form.is_outdated:
        return _outdated(request, form, name=name)
    changed = form.changed_fields
    saved, who = form.save(), Who.person(request.user)
    if not pk:
        Action.record(saved, Action.Verb.CREATED, by=who)
    elif changed:
        saved.edited(by=who, fields=changed)
    if "review" in request.POST:
        return redirect("campaigns:campaign-review", pk=saved.pk)
    if "test" in request.POST:
        return redirect(f"{reverse('campaigns:campaign-review', args=[saved.pk])}#test")
    messages.success(request, _("Saved."))
    return redirect("campaigns:campaign-edit", pk=saved.pk)


def _outdated(request: MemberRequest, form: CampaignForm, *, name: str) -> HttpResponse:
    """Nothing is stored. What was typed stays in the form; saving once more is then a decision."""
    draft = form.instance
    change = Changed(draft)
    form.data = form.data.copy()
    form.data["version"] = str(draft.version)
    shown = {**_of_form(form, request), "meanwhile": str(change)}
    return _composer(request, form, name=name, shown=shown, status=409)


def _composer(
    request: MemberRequest, form: CampaignForm, *, name: str, shown: dict[str, Any], status: int = 200
) -> HttpResponse:
    context = {
        "nav": "campaigns",
        "form": form,
        "campaign": form.instance,
        "name": name,
        "any_group": Group.objects.exists(),
        **shown,
    }
    return render(request, "campaigns/compose.html", context, status=status)


@require_POST
@member_required("marketer")
def live_preview(request: MemberRequest) -> HttpResponse:
    """What the form as it stands would send, and to whom; nothing is stored."""
    form = CampaignForm(request.POST, instance=Campaign(company=request.company), company=request.company)
    shown = _of_form(form, request)
    offered = form.offered_senders()
    if shown:
        form.offer_senders(_countries(shown["reach"]))
    # The list of senders follows the audience, but is left alone while somebody is choosing from it.
    return render(
        request, "campaigns/_preview.html", {**shown, "form": form, "others": form.offered_senders() != offered}
    )


@require_POST
@member_required("marketer")
def plain_text(request: MemberRequest) -> HttpResponse:
    """The text fields with characters replaced that cost room; nothing is stored, and the preview follows."""
    character = request.POST.get("character", "")[:4]
    texts = {name: plain.replaced(request.POST.get(name, ""), character) for name in ("body", "opt_out_text")}
    draft = Campaign(company=request.company)
    form = CampaignForm(instance=draft, initial=texts, company=request.company)
    response = render(request, "campaigns/_plain.html", {"form": form})
    return trigger_client_event(response, "texts-replaced", after="swap")


@require_safe
@member_required("viewer")
def review(request: MemberRequest, pk: int) -> HttpResponse:
    """The consequences, before they happen."""
    campaign = get_object_or_404(Campaign, pk=pk)
    return _review(request, campaign) if campaign.is_draft else redirect(campaign)


@require_POST
@member_required("marketer")
def launch(request: MemberRequest, pk: int) -> HttpResponse:
    """Pressed twice, or by two people, it goes out once, and only as it was shown: the model's verb is guarded."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if campaign.is_draft and (problem := _obstacle(audience.reach(campaign), campaign)):
        return _review(request, campaign, status=422, problem=problem)
    try:
        campaign.launch(by=Who.person(request.user), version=_version(request))
    except Changed as problem:
        return _review(request, campaign, status=409, meanwhile=str(problem))
    except WrongState as problem:
        messages.error(request, str(problem))
    else:
        wake("campaigns.send_marketing")
    return redirect(campaign)


def _version(request: MemberRequest) -> int | None:
    """As the page said; 0, which no draft has, when it says nonsense."""
    text = request.POST.get("version")
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


@require_POST
@member_required("marketer")
def send_test(request: MemberRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    if not campaign.is_draft:
        messages.error(request, _("A test can be sent of a draft only."))
        return redirect(campaign)
    form = TrialForm(request.POST, campaign=campaign)
    if not form.is_valid():
        return _review(request, campaign, status=422, trial_form=form)
    try:
        results = trial.send(campaign, to=form.cleaned_data["to"], by=Who.person(request.user))
    except trial.TooMany:
        form.add_error("to", _("Your company has sent many tests within the hour. Wait a while and try again."))
        return _review(request, campaign, status=429, trial_form=form)
    except audience.NoGateway:
        form.add_error("to", _("There is no gateway to send through."))
        return _review(request, campaign, status=422, trial_form=form)
    for result in results:
        if result.why:
            messages.warning(request, f"{result.address.value}: {result.why}.")
    if sent := sum(not result.why for result in results):
        text = ngettext("The test is on its way to %(n)s address.", "The test is on its way to %(n)s addresses.", sent)
        messages.success(request, text % {"n": sent})
    return redirect("campaigns:campaign-review", pk=pk)


def _review(
    request: MemberRequest,
    campaign: Campaign,
    *,
    status: int = 200,
    problem: str = "",
    meanwhile: str = "",
    trial_form: TrialForm | None = None,
) -> HttpResponse:
    shown = _of_draft(campaign)
    may_edit = allows(request.member.role, "marketer")
    context = {
        "nav": "campaigns",
        "campaign": campaign,
        "may_edit": may_edit,
        "in_future": bool(campaign.scheduled_at and campaign.scheduled_at > timezone.now()),
        "problem": problem or _obstacle(shown["reach"], campaign),
        "meanwhile": meanwhile,
        "trial_form": (trial_form or TrialForm(campaign=campaign)) if may_edit else None,
        "history": audit.history(campaign),
        "groups": campaign.groups.all(),
        "exclude_groups": campaign.exclude_groups.all(),
        "exclude_campaigns": campaign.exclude_campaigns.all(),
        "senders": [(country_name(country), sender) for country, sender in campaign.senders().items()],
        **shown,
    }
    return render(request, "campaigns/review.html", context, status=status)


def _obstacle(reach: audience.Reach, campaign: Campaign) -> str:
    """Why this campaign cannot be launched; empty when it can."""
    if not campaign.groups.exists():
        return _("No group is chosen. Go back and choose who should get this.")
    if reach.reached <= 0:
        return _("Nobody would be reached. Go back and choose another group, or add contacts first.")
    if _no_gateway(campaign):
        return _("There is no gateway to send through. Ask an owner or your administrator to set one up.")
    return ""


def _no_gateway(campaign: Campaign) -> bool:
    try:
        audience.gateway_of(campaign.company, channel=campaign.channel)
    except audience.NoGateway:
        return True
    return False


def _of_draft(draft: Campaign) -> dict[str, Any]:
    return _shown(draft, audience.reach(draft))


def _of_form(form: CampaignForm, request: MemberRequest) -> dict[str, Any]:
    """As much as can be told while some fields are still wrong or empty."""
    form.is_valid()
    draft, chosen = form.instance, form.cleaned_data
    if draft.channel not in Channel.values:
        return {}
    reach = audience.reach(
        draft,
        Choice(
            groups=[group.pk for group in chosen.get("groups") or ()],
            exclude=[group.pk for group in chosen.get("exclude_groups") or ()],
            received=[campaign.pk for campaign in chosen.get("exclude_campaigns") or ()],
            senders=form.senders,
        ),
    )
    problems = [error for name in ("body", "opt_out_text") for error in form.errors.get(name, ())]
    if not request.POST.get("body", "").strip():
        problems = []
    writable = "body" in chosen and "opt_out_text" in chosen
    return {
        **_shown(draft, reach, write=writable),
        "problems": problems,
        "opened": request.POST.get("opened", ""),
    }


def _countries(reach: audience.Reach) -> list[str]:
    return [row["country"] for row in reach.countries if row["country"]]


def _hours(draft: Campaign, reach: audience.Reach) -> dict[str, Any]:
    """Who would be outside of hours when this is sent."""
    now = timezone.now()
    ahead = draft.scheduled_at and draft.scheduled_at > now
    doors = Doors(draft.company, at=draft.scheduled_at if ahead else now)
    reached = {row["country"]: row["recipients"] for row in reach.countries if row["way"]}
    off = doors.off_in(reached) if draft.channel == Channel.SMS else []
    return {"waits": doors.waiting(reached, channel=draft.channel), "switched_off": off}


def _shown(draft: Campaign, reach: audience.Reach, *, write: bool = True) -> dict[str, Any]:
    template = Template.parse(draft.body) if write else None
    samples = preview.preview(draft, reach) if write and draft.body else []
    return {
        "channel": draft.channel,
        "subject": draft.subject,
        "preheader": draft.preheader,
        "gaps": template.without_fallback if template else [],
        "links": plain.links(draft.body),
        "reach": reach,
        "left_out": left_out.listed(reach.left_out, channel=draft.channel),
        "uncovered": [country_name(country) or _("Country unknown") for country in reach.uncovered],
        "samples": samples[:HANDSETS],
        "more": samples[HANDSETS:],
        "segments": preview.segments(samples),
        "cost": costs.estimate(draft, samples),
        **_hours(draft, reach),
    }
