from __future__ import annotations

import json
import re
from datetime import UTC, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.forms import country_code, language_code, one_line
from accounts.models import Company, User
from addressbook import consent, places
from addressbook.models import Contact, Group, Suppression
from addressbook.paging import LARGEST_ID
from addressbook.readdress import readdress
from lib.keys import digest_key
from messaging.addresses import (
    LONGEST_EMAIL,
    LONGEST_PHONE_TEXT,
    Address,
    InvalidAddress,
    parse,
    parse_email,
    parse_phone,
)

MOST_ATTRIBUTES = 50
LONGEST_ATTRIBUTE_NAME = 50
LONGEST_ATTRIBUTE = 500
#: A member's clock may be ahead of ours.
CLOCK_SKEW = timedelta(minutes=5)
CHANNELS = (("sms", _("SMS")), ("email", _("e-mail")))
REASONS = (
    ("", _("not said")),
    ("too_many", _("Too many messages")),
    ("not_relevant", _("Not relevant to me")),
    ("never_signed_up", _("I never signed up")),
    ("other_channel", _("I prefer another channel")),
    ("other", _("Something else")),
)


def _address(text: str, *, channel: str, country: str) -> Address:
    try:
        return parse_phone(text, default_country=country) if channel == "sms" else parse_email(text)
    except InvalidAddress as problem:
        raise ValidationError(str(problem), code=problem.code) from problem


class ContactForm(forms.Form):
    phone = forms.CharField(
        label=_("Phone"),
        required=False,
        max_length=LONGEST_PHONE_TEXT,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
    )
    email = forms.CharField(
        label=_("E-mail"),
        required=False,
        max_length=LONGEST_EMAIL,
        widget=forms.TextInput(attrs={"type": "text", "inputmode": "email", "autocomplete": "off"}),
    )
    first_name = forms.CharField(label=_("First name"), required=False, max_length=100, validators=[one_line])
    last_name = forms.CharField(label=_("Last name"), required=False, max_length=100, validators=[one_line])
    country = forms.ChoiceField(
        label=_("Country"),
        required=False,
        choices=places.with_blank(_("from the number"), places.country_choices),
        help_text=_("How a number without country code is read. A number decides its country itself."),
    )
    language = forms.CharField(
        label=_("Language"),
        required=False,
        max_length=8,
        validators=[language_code],
        help_text=_("Its letters, for example nl or pt-BR. Without one, the country's is used."),
    )
    attributes = forms.CharField(
        label=_("Attributes"),
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One per line, for example “shoe size: 42”. Campaigns can use them in their text."),
    )

    def __init__(self, data: Any = None, *, company: Company, contact: Contact | None = None) -> None:
        self.company = company
        self.contact = contact or Contact(company=company)
        super().__init__(data, initial=self._as_written())
        self.fields["phone"].help_text = gettext(
            "In any usual writing. Without country code it is read as a number of %(country)s."
        ) % {"country": places.country_name(company.country)}

    def _as_written(self) -> dict[str, Any]:
        contact = self.contact
        fields = ("phone", "email", "first_name", "last_name", "country", "language")
        kept = {name: getattr(contact, name) or "" for name in fields}
        return {**kept, "attributes": "\n".join(f"{k}: {_written(v)}" for k, v in contact.attributes.items())}

    def clean_country(self) -> str:
        return country_code(self.cleaned_data["country"]) if self.cleaned_data["country"] else ""

    def clean_language(self) -> str:
        return language_code(self.cleaned_data["language"]) if self.cleaned_data["language"] else ""

    def clean_attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for line in self.cleaned_data["attributes"].splitlines():
            if not line.strip():
                continue
            name, colon, value = (part.strip() for part in line.partition(":"))
            if not colon or not name:
                raise ValidationError(
                    _("Write each attribute as “name: value”. This line is not: %(line)s"), params={"line": line[:60]}
                )
            if len(name) > LONGEST_ATTRIBUTE_NAME or len(value) > LONGEST_ATTRIBUTE:
                raise ValidationError(
                    _("A name has at most %(name)d characters, a value %(value)d; shorten “%(line)s”."),
                    params={"name": LONGEST_ATTRIBUTE_NAME, "value": LONGEST_ATTRIBUTE, "line": name[:60]},
                )
            kept = self.contact.attributes.get(name)
            found[name] = kept if kept is not None and _written(kept) == value else value
        if len(found) > MOST_ATTRIBUTES:
            raise ValidationError(_("A contact has at most %(most)d attributes."), params={"most": MOST_ATTRIBUTES})
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        country = cleaned.get("country") or self.company.country
        for field, channel in (("phone", "sms"), ("email", "email")):
            text = cleaned.get(field)
            if text is None:
                continue
            cleaned[field] = None
            if text:
                try:
                    cleaned[field] = _address(text, channel=channel, country=country)
                except ValidationError as problem:
                    self.add_error(field, problem)
        if not self.errors and not cleaned["phone"] and not cleaned["email"]:
            self.add_error("phone", _("Enter a phone number, an e-mail address, or both."))
        self.refuse_known()
        return cleaned

    def refuse_known(self) -> bool:
        """Names the contact that has one of these addresses already; says whether there was one."""
        refused = False
        for field in ("phone", "email"):
            address = self.cleaned_data.get(field)
            other = (
                address and Contact.objects.of(self.company).with_address(address).exclude(pk=self.contact.pk).first()
            )
            if other:
                refused = True
                link = format_html('<a href="{}">{}</a>', other.get_absolute_url(), other)
                text = gettext("{link} has this address already. Open that contact, or enter another address.")
                self.add_error(field, format_html(text, link=link))
        return refused

    def save(self, *, by: User) -> list[Address] | None:
        """Saves; returns the addresses opted out with it (readdress.py). None when another member was faster:
        the form then says so."""
        contact, cleaned = self.contact, self.cleaned_data
        for name in ("first_name", "last_name", "country", "language", "attributes"):
            setattr(contact, name, cleaned[name])
        try:
            with transaction.atomic():
                return readdress(contact, phone=cleaned["phone"], email=cleaned["email"], by=by)
        except IntegrityError:
            if not self.refuse_known():
                raise
            return None


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Channels(forms.MultipleChoiceField):
    """Which addresses an act is for; all of them unless somebody unticks one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=_("For"),
            choices=CHANNELS,
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": _("Tick SMS, e-mail, or both.")},
            **kwargs,
        )

    def offer(self, channels: list[str]) -> None:
        self.choices = [choice for choice in CHANNELS if choice[0] in channels]
        self.initial = channels


class OptOutForm(forms.Form):
    """A person told a member, on the telephone or in the shop, that they want no more."""

    channels = Channels()
    reason = forms.ChoiceField(label=_("Reason"), choices=REASONS, required=False)
    comment = forms.CharField(
        label=_("In their words"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, data: Any = None, *, channels: list[str]) -> None:
        super().__init__(data)
        self.fields["channels"].offer(channels)


class SuppressionForm(OptOutForm):
    """An opt-out of an address that may be in no address book."""

    address = forms.CharField(
        label=_("Phone number or e-mail address"),
        max_length=LONGEST_EMAIL,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["address", "reason", "comment"]

    def __init__(self, data: Any = None, *, company: Company) -> None:
        super().__init__(data, channels=[])
        del self.fields["channels"]
        self.company = company

    def clean_address(self) -> Address:
        try:
            return parse(self.cleaned_data["address"], default_country=self.company.country)
        except InvalidAddress as problem:
            raise ValidationError(str(problem), code=problem.code) from problem


class OptInForm(forms.Form):
    """A consent that was given to a member. Without evidence it would not count (GDPR Art. 7(1))."""

    channels = Channels()
    method = forms.CharField(
        label=_("How they agreed"),
        max_length=100,
        validators=[one_line],
        widget=forms.TextInput(attrs={"placeholder": _("signed form in the shop")}),
    )
    text = forms.CharField(
        label=_("The text they agreed to"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )
    occurred_at = forms.DateTimeField(
        label=_("When (UTC)"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    )

    def __init__(self, data: Any = None, *, channels: list[str]) -> None:
        super().__init__(data)
        self.fields["channels"].offer(channels)
        if len(channels) == 1:
            del self.fields["channels"]
        self.only = channels

    def clean_occurred_at(self) -> Any:
        when = self.cleaned_data["occurred_at"]
        if when > timezone.now() + CLOCK_SKEW:
            raise ValidationError(_("This is in the future; enter when they agreed."))
        if when.year < 1990:
            raise ValidationError(_("Enter the year with four digits, for example 2025."))
        return when

    def chosen(self) -> list[str]:
        return self.cleaned_data.get("channels") or self.only

    def evidence(self, *, by: User) -> dict[str, str]:
        cleaned = self.cleaned_data
        return {
            "method": cleaned["method"],
            "text": cleaned["text"],
            "occurred_at": cleaned["occurred_at"].isoformat(),
            "by": by.email,
        }

    def record(self, *, company: Company, address: Address, channels: list[str], by: User) -> bool:
        """False, with the reason at the field, when they agreed before they opted out."""
        try:
            consent.opt_in(
                company=company,
                address=address,
                source="marketer",
                channels=channels,
                evidence=self.evidence(by=by),
                occurred_at=self.cleaned_data["occurred_at"],
            )
        except consent.ConsentTooOld as old:
            since = date_format(old.since.astimezone(UTC), "j F Y, H:i")
            older = _("This is before the opt-out of %(since)s (UTC). A consent that is newer is needed.")
            self.add_error("occurred_at", older % {"since": since})
            return False
        return True


class LiftForm(OptInForm):
    """An opt-in for one line of the suppression list. An erased address has to be told by the person."""

    address = forms.CharField(label=_("Their address, in full"), max_length=LONGEST_EMAIL)
    field_order = ["address", "method", "text", "occurred_at"]

    def __init__(self, data: Any = None, *, suppression: Suppression, company: Company) -> None:
        super().__init__(data, channels=[suppression.channel])
        self.suppression, self.company = suppression, company
        if suppression.address:
            del self.fields["address"]

    def clean_address(self) -> Address:
        channel = self.suppression.channel
        address = _address(self.cleaned_data["address"], channel=channel, country=self.company.country)
        if address.digest(digest_key()) != bytes(self.suppression.digest):
            raise ValidationError(_("This is not the address of this line. Check it with the person."))
        return address


class EraseForm(forms.Form):
    opt_out = forms.BooleanField(
        label=_("Opt them out first, so that a later import does not bring them back into marketing"), required=False
    )


class GroupForm(forms.Form):
    """A group's name; its conditions, when it has some, are those of the list that it was made from."""

    name = forms.CharField(label=_("Name"), max_length=100, validators=[one_line])
    topic = forms.CharField(
        label=_("Name on the opt-out page"),
        max_length=60,
        required=False,
        validators=[one_line],
        help_text=_(
            "With a name there, people may leave this group alone, where your settings offer topics. "
            "At most eight groups are shown. Empty: it is not shown."
        ),
    )
    topic_texts = forms.CharField(
        label=_("The same in other languages"),
        max_length=3000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One on each line, for example nl: Nieuws"),
    )

    def __init__(self, data: Any = None, *, group: Group) -> None:
        texts = "\n".join(f"{language}: {text}" for language, text in group.topic_texts.items())
        super().__init__(data, initial={"name": group.name, "topic": group.topic, "topic_texts": texts})
        self.group = group

    def clean_topic_texts(self) -> dict[str, str]:
        found = {}
        for line in filter(str.strip, self.cleaned_data["topic_texts"].splitlines()):
            language, colon, text = (part.strip() for part in line.partition(":"))
            if not (colon and text and re.fullmatch("[a-z]{2}", language) and len(text) <= 60):
                raise ValidationError(gettext("Write two letters of a language, a colon and at most 60 characters."))
            found[language] = text
        return found

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Group.objects.of(self.group.company_id).filter(name=name).exclude(pk=self.group.pk).exists():
            raise ValidationError(self.taken)
        return name

    @property
    def taken(self) -> str:
        return gettext("There is a group of this name already; choose another name.")

    def save(self) -> bool:
        """False when another member was faster with the same name: the form then says so."""
        self.group.name = self.cleaned_data["name"]
        self.group.topic = self.cleaned_data["topic"]
        self.group.topic_texts = self.cleaned_data["topic_texts"]
        try:
            with transaction.atomic():
                self.group.save()
        except IntegrityError:
            self.add_error("name", self.taken)
            return False
        return True


def is_id(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= len(str(LARGEST_ID)) and int(value) <= LARGEST_ID


class BulkForm(forms.Form):
    """What the address book's selection is to be done with."""

    ACTS = (("add", _("Add to group")), ("remove", _("Remove from group")))
    MOST = 200

    act = forms.ChoiceField(choices=ACTS)
    group = forms.ModelChoiceField(
        Group.objects.none(), error_messages={"required": _("Choose a group."), "invalid_choice": _("Choose a group.")}
    )
    contact = forms.TypedMultipleChoiceField(coerce=int, required=False)
    #: Instead of a selection: everybody whom the list's filter finds, on all pages.
    everybody = forms.BooleanField(required=False)
    filter = forms.CharField(required=False, max_length=2000)

    def __init__(self, data: Any, *, company: Company) -> None:
        super().__init__(data)
        self.company = company
        self.fields["group"].queryset = Group.objects.of(company).by_hand()
        self.fields["contact"].valid_value = is_id

    def clean_contact(self) -> list[Contact]:
        ids = self.cleaned_data["contact"]
        if self.data.get("everybody"):
            return []
        if not ids:
            raise ValidationError(_("Select at least one contact."))
        if len(ids) > self.MOST:
            raise ValidationError(_("Select at most %(most)d contacts at once."), params={"most": self.MOST})
        return list(Contact.objects.of(self.company).filter(pk__in=ids))
