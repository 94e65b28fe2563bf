from __future__ import annotations

import re
from typing import Any

import phonenumbers
from babel import Locale, UnknownLocaleError
from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, URLValidator
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.attempts import LogInAttempt
from accounts.models import Company, Member, User
from lib import zones

one_line = RegexValidator(r"[\x00-\x1f\x7f]", _("Use plain text on one line."), inverse_match=True)
_WEB = URLValidator(schemes=["http", "https"])


def country_code(value: str) -> str:
    """Two letters of a country that has telephone numbers, in capitals. Raises ValidationError."""
    code = value.strip().upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ValidationError(_("Use the two letters of a country, for example NL."))
    return code


def language_code(value: str) -> str:
    """A language as `nl` or `pt-BR`. Raises ValidationError."""
    wrong = ValidationError(_("Use the letters of a language, for example nl or pt-BR."))
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z]{2,4})?", value):
        raise wrong
    language, _dash, region = value.partition("-")
    try:
        Locale.parse(language.lower())
    except (UnknownLocaleError, ValueError) as problem:
        raise wrong from problem
    return f"{language.lower()}-{region.upper()}" if region else language.lower()


class LogInForm(forms.Form):
    """The same answer, after the same work, for a wrong password, an unknown person and a closed account."""

    username = forms.CharField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=4096,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.user: User | None = None
        self.too_many = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        attempt = LogInAttempt(self.request, account=cleaned["username"])
        if not attempt.allowed:
            self.too_many = True
            raise ValidationError(_("Too many attempts. Wait a quarter of an hour and try again."))
        self.user = authenticate(self.request, username=cleaned["username"], password=cleaned["password"])
        if self.user is None:
            self.add_error("password", _("This e-mail and password do not belong together. Check both and try again."))
            return cleaned
        attempt.succeeded()
        return cleaned


class ResetForm(forms.Form):
    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


class CompanyForm(forms.ModelForm):
    name = forms.CharField(label=_("Name"), max_length=100, validators=[one_line])
    country = forms.CharField(label=_("Country"), max_length=10, help_text=_("Two letters, for example NL."))
    language = forms.CharField(label=_("Language"), max_length=8, help_text=_("For example nl or pt-BR."))
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("In which your team reads and enters times. Recipients' own zones are kept to by themselves."),
    )
    contact_details = forms.CharField(
        label=_("Contact details"),
        max_length=200,
        required=False,
        validators=[one_line],
        help_text=_("Shown to recipients who ask for help, for example a telephone number or an e-mail address."),
    )
    privacy_url = forms.URLField(
        label=_("Privacy notice"), required=False, assume_scheme="https", validators=[_WEB], max_length=200
    )
    imprint_url = forms.URLField(
        label=_("Imprint"), required=False, assume_scheme="https", validators=[_WEB], max_length=200
    )
    brand_color = forms.RegexField(
        r"\A#[0-9A-Fa-f]{6}\Z",
        label=_("Brand colour"),
        required=False,
        help_text=_("For example #0a6c74."),
        error_messages={"invalid": _("Write the colour as # and six hexadecimal digits, for example #0a6c74.")},
    )

    retention_days = forms.IntegerField(
        label=_("Keep texts and addresses for (days)"),
        required=False,
        min_value=1,
        max_value=36_500,
        help_text=_(
            "After so many days messages and replies lose their text and address, and files of imports go. "
            "Opt-outs and the ledger stay. Empty: everything is kept."
        ),
    )

    frequency_cap = forms.IntegerField(
        label=_("Most marketing messages per person"),
        required=False,
        min_value=1,
        max_value=100,
        help_text=_("Whoever has had as many is left out of a campaign, on both channels together. Empty: no limit."),
    )
    frequency_days = forms.IntegerField(label=_("… within (days)"), min_value=1, max_value=365, required=False)

    class Meta:
        model = Company
        fields = [
            "name",
            "country",
            "language",
            "time_zone",
            "opt_out_scope",
            "offers_pause",
            "offers_topics",
            "confirms_opt_ins",
            "contact_details",
            "privacy_url",
            "imprint_url",
            "brand_color",
            "retention_days",
            "frequency_cap",
            "frequency_days",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = zones.zone_of(self.instance.country)
        empty = format_lazy("{} ({})", _("The country's own"), own)
        self.fields["time_zone"].choices = [("", empty), *((name, name.replace("_", " ")) for name in zones.names())]

    def clean_country(self) -> str:
        return country_code(self.cleaned_data["country"])

    def clean_language(self) -> str:
        return language_code(self.cleaned_data["language"])

    def clean_frequency_days(self) -> int:
        return self.cleaned_data["frequency_days"] or self.instance.frequency_days


class MemberForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"), max_length=254)
    role = forms.ChoiceField(label=_("Role"), choices=Member.Role.choices, initial=Member.Role.MARKETER)


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Member.Role.choices)
