"""Searches and filters of the lists, as they stand in a page's URL."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from addressbook import places, search
from addressbook.forms import CHANNELS
from addressbook.models import Contact, Group
from addressbook.models.ledger import Source
from addressbook.paging import LARGEST_ID


class ContactFilter(forms.Form):
    """The address book's search and filters, as they stand in the page's URL."""

    STATES = (("", _("All")), ("reachable", _("Reachable")), ("opted_out", _("Opted out")))

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=search.LONGEST,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": _("Name, number in any writing, or e-mail"), "autocomplete": "off"}
        ),
    )
    state = forms.ChoiceField(label=_("Marketing"), required=False, choices=STATES, widget=forms.HiddenInput)
    country = forms.ChoiceField(
        label=_("Country"), required=False, choices=places.with_blank(_("Country"), places.country_choices)
    )
    group = forms.ModelChoiceField(Group.objects.none(), label=_("Group"), required=False, empty_label=_("Group"))
    language = forms.ChoiceField(
        label=_("Language"), required=False, choices=places.with_blank(_("Language"), places.language_choices)
    )
    after = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, company: Company) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.company = company
        self.fields["group"].queryset = Group.objects.of(company)

    @property
    def is_set(self) -> bool:
        return any(self.cleaned_data.get(name) for name in ("q", "state", "country", "group", "language"))

    def found(self) -> Any:
        wanted = self.cleaned_data
        rows = Contact.objects.of(self.company)
        if wanted["state"]:
            rows = rows.reachable() if wanted["state"] == "reachable" else rows.opted_out()
        if wanted["country"]:
            rows = rows.filter(country=wanted["country"])
        if wanted["language"]:
            rows = rows.filter(language=wanted["language"])
        if wanted["group"]:
            rows = rows.filter(memberships__group=wanted["group"])
        return search.contacts(rows, wanted["q"], country=self.company.country)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


class SuppressionFilter(forms.Form):
    """The suppression list's search and filters, as they stand in the page's URL."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=search.LONGEST,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": _("Number in any writing, or e-mail"), "autocomplete": "off"}
        ),
    )
    channel = forms.ChoiceField(label=_("Channel"), required=False, choices=[("", _("Channel")), *CHANNELS])
    source = forms.ChoiceField(label=_("Source"), required=False, choices=[("", _("Source")), *Source.choices])
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    after = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def __init__(self, data: Any) -> None:
        super().__init__(data, auto_id="filter_%s")

    def clean_until(self) -> Any:
        day = self.cleaned_data["until"]
        if day and day.year >= 9999:
            raise ValidationError(_("Enter a day before the year 9999."))
        return day

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] > cleaned["until"]:
            self.add_error("until", _("This is before the first day; exchange the two."))
        return cleaned

    @property
    def is_set(self) -> bool:
        return any(self.cleaned_data.get(name) for name in ("q", "channel", "source", "since", "until"))

    def narrow(self, rows: Any, *, country: str) -> Any:
        wanted = self.cleaned_data
        for name in ("channel", "source"):
            if wanted[name]:
                rows = rows.filter(**{name: wanted[name]})
        if wanted["since"]:
            rows = rows.filter(since__gte=_midnight(wanted["since"]))
        if wanted["until"]:
            rows = rows.filter(since__lt=_midnight(wanted["until"]) + timedelta(days=1))
        return search.suppressions(rows, wanted["q"], country=country)
