from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from accounts.models import Company
from addressbook.models import Group
from campaigns import trial
from campaigns.models import Campaign
from campaigns.rendering import Template, UnknownField
from lib.countries import country_name
from messaging.addresses import Address
from messaging.models import Sender
from messaging.models.message import Channel
from optout import lines

#: Campaigns to choose from, newest first; and how far back an exclusion may look.
MOST_CAMPAIGNS, MOST_DAYS = 100, 365
#: With the country behind it the name of a field.
SENDER_IN = "sender_"


class CampaignForm(forms.ModelForm):
    """What a marketer composes; the way out is added by itself."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Campaign
        fields = [
            "name",
            "channel",
            "groups",
            "exclude_groups",
            "exclude_campaigns",
            "not_messaged_days",
            "sender",
            "subject",
            "preheader",
            "body",
            "opt_out_text",
            "scheduled_at",
        ]
        widgets = {
            "body": forms.Textarea(attrs={"rows": 6}),
            "groups": forms.CheckboxSelectMultiple,
            "exclude_groups": forms.CheckboxSelectMultiple,
            "exclude_campaigns": forms.SelectMultiple(attrs={"size": 5, "class": "form-select"}),
            "not_messaged_days": forms.NumberInput(attrs={"min": 1, "max": MOST_DAYS}),
            "scheduled_at": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
            "channel": forms.RadioSelect,
        }
        labels = {"name": _("Name"), "scheduled_at": _("When")}
        help_texts = {
            "name": _("Only you and your team see it."),
            "opt_out_text": _(
                "Leave empty for your company's line, in each recipient's language. "
                "Your own needs {link}, or {code} where people answer by reply."
            ),
            "preheader": _("What a mail program shows beside the subject."),
            "body": _("Insert: {first_name|there} · {last_name} · {company} · {opt_out}"),
        }
        error_messages = {
            "groups": {"required": _("Choose at least one group to write to.")},
            "body": {"required": _("Write the text of the message.")},
            "name": {"required": _("Give the campaign a name.")},
        }

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = Group.objects.of(company)
        self.fields["groups"].queryset = self.fields["exclude_groups"].queryset = groups
        self.fields["groups"].label = _("Audience")
        self.fields["exclude_groups"].label = _("Leave out")
        self.fields["exclude_groups"].required = False
        self.fields["exclude_campaigns"].queryset = self._campaigns(company)
        self.fields["exclude_campaigns"].label = _("Whoever has had one of these campaigns")
        self.fields["not_messaged_days"] = forms.IntegerField(
            label=_("Whoever has had marketing from you in the last (days)"),
            required=False,
            min_value=1,
            max_value=MOST_DAYS,
            widget=self.Meta.widgets["not_messaged_days"],
        )
        self.fields["channel"].choices = Channel.choices
        self.fields["scheduled_at"].help_text = format_lazy(
            _("In the time of {zone}. Leave empty to send when you launch."), zone=company.zone.key.replace("_", " ")
        )
        self._usable = list(Sender.objects.usable_by(company).order_by("value", "country"))
        self.fields["sender"] = forms.ChoiceField(label=_("Sender"), required=False, choices=self._senders())
        for name in ("name", "subject", "preheader", "body", "opt_out_text", "scheduled_at", "not_messaged_days"):
            self.fields[name].widget.attrs["class"] = "form-control"
        self.fields["sender"].widget.attrs["class"] = "form-select"
        self.order_fields(self.Meta.fields)
        self._saved_senders = self.instance.senders() if self.instance.pk else {}
        self.offer_senders(key.removeprefix(SENDER_IN) for key in self.data if key.startswith(SENDER_IN))
        self.initial["version"] = self.instance.version

    def _campaigns(self, company: Company) -> Any:
        """The latest that went out, and those that are chosen already."""
        rows = Campaign.objects.of(company).exclude(pk=self.instance.pk)
        latest = rows.launched().in_use().order_by("-pk").values("pk")[:MOST_CAMPAIGNS]
        if self.instance.pk:
            return rows.filter(Q(pk__in=latest) | Q(pk__in=self.instance.exclude_campaigns.values("pk")))
        return rows.filter(pk__in=latest)

    def _senders(self, country: str = "") -> list[tuple[str, Any]]:
        """To choose from; for a country those that work there."""
        choices: dict[str, Any] = {"": _("As in other countries") if country else _("Your gateway's own")}
        for sender in self._usable:
            if country and sender.country not in {"", country}:
                continue
            alone = sender.kind == Sender.Kind.ALPHANUMERIC
            does = _("a name: people leave by a short code or a link") if alone else _("takes replies")
            choices[sender.value] = format_lazy("{} — {}", sender.value, does)
        if country:
            if saved := self._saved_senders.get(country):
                choices.setdefault(saved, saved)
            return list(choices.items())
        # A draft made by the API may name a sender that is not registered; opening it must not lose it.
        if self.instance.sender:
            choices.setdefault(self.instance.sender, self.instance.sender)
        return list(choices.items())

    def offer_senders(self, countries: Iterable[str]) -> None:
        """A sender of its own for each of these countries, and for those that have one already."""
        wanted = {country for country in countries if country in SUPPORTED_REGIONS} | set(self._saved_senders)
        wanted |= {country for country, sender in self.senders.items() if sender}
        for country in self.offered_senders() - wanted:
            del self.fields[SENDER_IN + country]
        for country in sorted(wanted - self.offered_senders(), key=country_name):
            choices = self._senders(country)
            if len(choices) > 1:
                self.fields[SENDER_IN + country] = forms.ChoiceField(
                    label=country_name(country),
                    required=False,
                    choices=choices,
                    initial=self._saved_senders.get(country, ""),
                    widget=forms.Select(attrs={"class": "form-select"}),
                )

    def offered_senders(self) -> set[str]:
        return {name.removeprefix(SENDER_IN) for name in self.fields if name.startswith(SENDER_IN)}

    @property
    def country_senders(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(SENDER_IN)]

    @property
    def speaks_differently(self) -> bool:
        return any(field.value() or field.errors for field in self.country_senders)

    @property
    def leaves_out(self) -> bool:
        names = ("exclude_groups", "exclude_campaigns", "not_messaged_days")
        return any(self[name].value() or self[name].errors for name in names)

    @property
    def senders(self) -> dict[str, str]:
        """Country → sender, as chosen."""
        chosen = getattr(self, "cleaned_data", {}).items()
        return {name.removeprefix(SENDER_IN): value for name, value in chosen if name.startswith(SENDER_IN) and value}

    @property
    def changed_fields(self) -> list[str]:
        """As the history names them."""
        changed = ["senders" if name.startswith(SENDER_IN) else name for name in self.changed_data if name != "version"]
        return list(dict.fromkeys(changed))

    def _save_m2m(self) -> None:
        super()._save_m2m()
        if self.senders != self._saved_senders:
            self.instance.set_senders(self.senders)

    def clean_version(self) -> int:
        """What the reader has seen. A program that names none has seen what is there."""
        seen = self.cleaned_data["version"]
        return self.instance.version if seen is None else seen

    @property
    def is_outdated(self) -> bool:
        """Somebody has saved the draft after this form was opened."""
        return bool(self.instance.pk) and self.cleaned_data.get("version") != self.instance.version

    def clean_body(self) -> str:
        body = self.cleaned_data["body"]
        try:
            Template.parse(body)
        except UnknownField as problem:
            raise forms.ValidationError(str(problem)) from problem
        return body

    def clean_opt_out_text(self) -> str:
        text = self.cleaned_data["opt_out_text"]
        if text:
            try:
                lines.check_override(text)
            except lines.InvalidLine as problem:
                raise forms.ValidationError(str(problem)) from problem
        return text

    def clean_scheduled_at(self) -> Any:
        at = self.cleaned_data["scheduled_at"]
        if at and at < timezone.now():
            raise forms.ValidationError(_("This time has passed. Choose a later one, or leave it empty."))
        return at

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("channel") == Channel.EMAIL:
            # An e-mail comes from the gateway's address; SMS senders do not apply.
            for name in ("sender", *(name for name in cleaned if name.startswith(SENDER_IN))):
                cleaned[name] = ""
            if not cleaned.get("subject") and "subject" not in self.errors:
                self.add_error("subject", _("An e-mail needs a subject."))
        elif "channel" in cleaned:
            cleaned["subject"] = cleaned["preheader"] = ""
        return cleaned


class TrialForm(forms.Form):
    """A test of a draft to a few addresses of one's own."""

    to = forms.CharField(
        label=_("Send a test to"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "form-control", "autocomplete": "off"}),
        error_messages={"required": _("Type at least one address to send the test to.")},
    )

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.campaign = campaign
        by_mail = campaign.channel == Channel.EMAIL
        help_text = _("Up to %(n)s e-mail addresses of your own, apart by commas or lines.") if by_mail else _(
            "Up to %(n)s phone numbers of your own, apart by commas or lines."
        )  # fmt: skip
        self.fields["to"].help_text = help_text % {"n": trial.MOST}

    def clean_to(self) -> list[Address]:
        try:
            return trial.addresses(self.cleaned_data["to"], campaign=self.campaign)
        except trial.InvalidAddresses as problem:
            raise forms.ValidationError(str(problem)) from problem
