from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from addressbook.models import Group
from campaigns import trial
from campaigns.models import Campaign
from campaigns.rendering import Template, UnknownField
from messaging.addresses import Address
from messaging.models import Sender
from messaging.models.message import Channel
from optout import lines


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
        self.fields["channel"].choices = Channel.choices
        self.fields["scheduled_at"].help_text = format_lazy(
            _("In the time of {zone}. Leave empty to send when you launch."), zone=company.zone.key.replace("_", " ")
        )
        self.fields["sender"] = forms.ChoiceField(label=_("Sender"), required=False, choices=self._senders(company))
        for name in ("name", "subject", "preheader", "body", "opt_out_text", "scheduled_at"):
            self.fields[name].widget.attrs["class"] = "form-control"
        self.fields["sender"].widget.attrs["class"] = "form-select"
        self.order_fields(self.Meta.fields)
        self.initial["version"] = self.instance.version

    def _senders(self, company: Company) -> list[tuple[str, Any]]:
        rows = Sender.objects.usable_by(company).order_by("value").values_list("value", "kind").distinct()
        choices: dict[str, Any] = {"": _("Your gateway's own")}
        for value, kind in rows:
            alone = kind == Sender.Kind.ALPHANUMERIC
            does = _("a name: people leave by a short code or a link") if alone else _("takes replies")
            choices[value] = format_lazy("{} — {}", value, does)
        # A draft made by the API may name a sender that is not registered; opening it must not lose it.
        if self.instance.sender:
            choices.setdefault(self.instance.sender, self.instance.sender)
        return list(choices.items())

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
            cleaned["sender"] = ""  # an e-mail comes from the gateway's address; SMS senders do not apply
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
