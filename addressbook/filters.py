"""Searches and filters of the lists, as they stand in a page's URL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from addressbook import places, reasons, search
from addressbook.counting import Count
from addressbook.forms import CHANNELS, is_id
from addressbook.models import ConsentEvent, Contact, Group, Suppression
from addressbook.models.ledger import Source
from addressbook.paging import LARGEST_ID, Page, page


class ContactFilter(forms.Form):
    """The address book's search and filters, as they stand in the page's URL."""

    STATES = (("", _("All")), ("reachable", _("Reachable")), ("opted_out", _("Opted out")))
    OPTED_IN = (
        ("", _("Opted in")),
        ("year", _("Opted in this year")),
        ("30", _("Opted in in the last 30 days")),
        ("365", _("Opted in in the last 365 days")),
        ("ever", _("Opted in at any time")),
    )
    NARROWS = ("q", "state", "country", "group", "language", "opted_in")

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
    opted_in = forms.ChoiceField(label=_("Opted in"), required=False, choices=OPTED_IN)
    after = forms.IntegerField(required=False, min_value=1, max_value=LARGEST_ID, widget=forms.HiddenInput)

    def __init__(self, data: Any, *, company: Company) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.company = company
        self.fields["group"].queryset = Group.objects.of(company)

    @property
    def is_set(self) -> bool:
        return bool(self.conditions)

    @property
    def conditions(self) -> dict[str, str]:
        """What narrows the list, as it can be kept and asked again."""
        found = {name: self.cleaned_data.get(name) for name in self.NARROWS}
        return {name: str(v.pk if isinstance(v, Group) else v) for name, v in found.items() if v}

    @property
    def in_words(self) -> dict[str, str]:
        values = self.cleaned_data
        labels = {
            "q": f"“{values['q']}”",
            "state": dict(self.STATES).get(values["state"]),
            "country": places.country_name(values["country"]),
            "group": values["group"],
            "language": places.language_name(values["language"]),
            "opted_in": dict(self.OPTED_IN).get(values["opted_in"]),
        }
        return {name: str(label) for name, label in labels.items() if values[name]}

    @cached_property
    def _sought(self) -> search.Sought:
        return search.contacts(self.cleaned_data["q"], country=self.company.country, company=self.company.pk)

    def count(self, shown: Page, rows: Any) -> Count:
        """Of what was found. Matches of a search are not counted again when nothing else narrows them."""
        if set(self.conditions) == {"q"}:
            if self._sought.many:
                return Count(search.MANY, exact=False, or_more=True)
            if self._sought.few is not None:
                return Count(len(self._sought.few))
        return shown.count(rows)

    def page(self, prepared: Callable[[Any], Any]) -> Page:
        """The newest after `after`. Frequent matches of a search are near; only when they are not, all are sorted."""
        after = self.cleaned_data["after"]
        if not self._sought.many:
            return page(prepared(self.found()), after=after)
        start = after or Contact.objects.of(self.company).order_by("-pk").values_list("pk", flat=True)[0] + 1
        near = self.found(one_by_one=True).filter(pk__gte=start - search.NEAR, pk__lt=start)
        found = page(prepared(near), after=after)
        if found.next is not None:
            return found
        with search.by_index():
            return page(prepared(self.found()), after=after)

    def found(self, *, one_by_one: bool = False) -> Any:
        wanted = self.cleaned_data
        rows = search.written(Contact.objects.of(self.company))
        if wanted["state"]:
            rows = rows.reachable() if wanted["state"] == "reachable" else rows.opted_out()
        if wanted["country"]:
            rows = rows.filter(country=wanted["country"])
        if wanted["language"]:
            rows = rows.filter(language=wanted["language"])
        if wanted["group"]:
            rows = rows.filter(memberships__group=wanted["group"])
        if wanted["opted_in"]:
            rows = rows.filter(pk__in=_opted_in(self.company, since=_beginning(wanted["opted_in"])))
        return self._sought.among(rows, one_by_one=one_by_one)


def _beginning(period: str) -> datetime:
    now = timezone.now()
    if period == "year":
        return datetime(now.year, 1, 1, tzinfo=UTC)
    return now - timedelta(days=int(period)) if period.isdigit() else datetime(1970, 1, 1, tzinfo=UTC)


def _opted_in(company: Company, *, since: datetime) -> Any:
    """Contacts who said yes with one of their addresses, from the side of the events: they are fewer."""
    yes = ConsentEvent.objects.of(company).filter(type=ConsentEvent.Type.OPT_IN, occurred_at__gte=since)
    contacts = Contact.objects.of(company)
    by_sms = contacts.filter(phone_digest__in=yes.filter(channel="sms").values("digest"))
    by_email = contacts.filter(email_digest__in=yes.filter(channel="email").values("digest"))
    return by_sms.values("pk").union(by_email.values("pk"))


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
    campaign = forms.TypedChoiceField(label=_("Campaign"), required=False, coerce=int, empty_value=None)
    reason = forms.ChoiceField(label=_("Reason"), required=False)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    after = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    NARROWS = ("q", "channel", "source", "campaign", "reason", "since", "until")
    CAMPAIGNS = 200

    def __init__(self, data: Any, *, company: Company) -> None:
        super().__init__(data, auto_id="filter_%s")
        self.company = company
        # Campaigns are reached through the groups' relation: the address book itself knows none.
        newest = Group.campaigns.rel.related_model.objects.of(company).order_by("-pk")  # type: ignore[attr-defined]
        known = [(pk, name) for pk, name in newest.values_list("pk", "name")[: self.CAMPAIGNS]]
        self.fields["campaign"].choices = [("", _("Campaign")), *known]
        self.fields["campaign"].valid_value = is_id
        codes = [(code, reasons.text(code, company=company.pk)) for code in reasons.given(company.pk)]
        self.fields["reason"].choices = [("", _("Reason")), *codes]

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
        return any(self.cleaned_data.get(name) for name in self.NARROWS)

    def found(self) -> Any:
        wanted = self.cleaned_data
        rows = Suppression.objects.of(self.company)
        for name in ("channel", "source"):
            if wanted[name]:
                rows = rows.filter(**{name: wanted[name]})
        if wanted["since"]:
            rows = rows.filter(since__gte=_midnight(wanted["since"]))
        if wanted["until"]:
            rows = rows.filter(since__lt=_midnight(wanted["until"]) + timedelta(days=1))
        told = {name: wanted[name] for name in ("campaign", "reason") if wanted[name]}
        if told:
            rows = rows.filter(self._told(told))
        sought = search.suppressions(wanted["q"], country=self.company.country, company=self.company.pk)
        return sought.among(rows)

    def _told(self, told: dict[str, Any]) -> Exists:
        """What the ledger says of the opt-out; a reason may have been given after it, in a line of its own."""
        lines = ConsentEvent.objects.of(self.company)
        its_own = lines.filter(pk=OuterRef("event_id"))
        if "campaign" in told:
            its_own = its_own.filter(campaign_id=told["campaign"])
        if "reason" in told:
            later = lines.filter(
                cause_id=OuterRef("pk"), digest=OuterRef("digest"), type="reason", reason=told["reason"]
            )
            its_own = its_own.filter(Q(reason=told["reason"]) | Q(reason="") & Exists(later))
        return Exists(its_own)
