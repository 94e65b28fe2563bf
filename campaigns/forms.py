from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from addressbook.models import Group
from campaigns.models import Campaign
from campaigns.rendering import Template, UnknownField
from messaging.models import Sender
from optout import lines


class CampaignForm(forms.ModelForm):
    """What a marketer composes; the way out is added by itself."""

    class Meta:
        model = Campaign
        fields = [
            "name",
            "channel",
            "groups",
            "exclude_groups",
            "sender",
            "subject",
            "body",
            "opt_out_text",
            "scheduled_at",
        ]
        widgets = {
            "body": forms.Textarea(attrs={"rows": 5}),
            "groups": forms.CheckboxSelectMultiple,
            "exclude_groups": forms.CheckboxSelectMultiple,
            "scheduled_at": forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
            "channel": forms.RadioSelect,
        }
        help_texts = {
            "opt_out_text": _(
                "Empty: your company's line, in each recipient's language. Needs {link}, or {code} for replies."
            ),
            "scheduled_at": _("UTC. Empty: when you launch."),
            "body": _("Insert: {first_name|there} · {last_name} · {company} · {opt_out}"),
        }

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = Group.objects.of(company)
        self.fields["groups"].queryset = self.fields["exclude_groups"].queryset = groups
        self.fields["groups"].label = _("Audience")
        self.fields["exclude_groups"].label = _("Leave out")
        self.fields["exclude_groups"].required = False
        senders = Sender.objects.usable_by(company)
        self.fields["sender"] = forms.ChoiceField(
            label=_("Sender"),
            required=False,
            choices=[("", _("Your gateway's own"))]
            + [
                (
                    value,
                    f"{value} — "
                    + str(_("takes replies") if kind != "alphanumeric" else _("no replies, so a link is added")),
                )
                for value, kind in senders.order_by("value").values_list("value", "kind").distinct()
            ],
        )

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
        if cleaned.get("channel") == "email" and not cleaned.get("subject") and "subject" not in self.errors:
            self.add_error("subject", _("An e-mail needs a subject."))
        return cleaned
