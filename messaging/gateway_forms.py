"""What an owner types about gateways. Secrets go in and never come out again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms import country_code, one_line
from accounts.models import Company
from lib import outbound
from messaging.addresses import Address, InvalidAddress, parse_email, parse_phone
from messaging.gateways import ADAPTERS, Adapter, InvalidSettings
from messaging.gateways.account import LONGEST_SETTING
from messaging.models import Gateway, Route, Sender
from messaging.models.message import Channel

#: Whoever may name a host makes the server ask there: that is for administrators (`manage.py add_gateway`).
FOR_ADMINISTRATORS = {"base_url"}
#: What is no secret is shown again. Everything else is not, so that a new secret cannot be forgotten here.
SHOWN = {
    "host",
    "port",
    "from_email",
    "rate",
    "sender_domain",
    "message_stream",
    "unsubscribe_group",
    "subaccount",
    "consent_sender",
}
#: What the providers call a thing stays as they call it; these are ours.
LABELS = {
    "host": gettext_lazy("Mail server"),
    "port": gettext_lazy("Port"),
    "username": gettext_lazy("User name"),
    "password": gettext_lazy("Password"),
    "from_email": gettext_lazy("Sender's e-mail address"),
    "rate": gettext_lazy("Messages per second, at most"),
    "auth_token_secondary": gettext_lazy("Second auth token"),
    "signature_secret_secondary": gettext_lazy("Second signature secret"),
    "consent_sender": gettext_lazy("Sender for opt-outs at Twilio"),
    "webhook_secret": gettext_lazy("User and password of the webhook"),
}
_WHILE_CHANGING = gettext_lazy("The next one, while you change it: both are accepted.")
HINTS = {
    "auth_token_secondary": _WHILE_CHANGING,
    "signature_secret_secondary": _WHILE_CHANGING,
    "consent_sender": gettext_lazy("A Messaging Service or a number: for it Twilio is told of opt-outs and opt-ins."),
    "webhook_secret": gettext_lazy("You choose them, with a colon between; the provider sends them along."),
}
#: Those that mail servers listen on for mail from programs.
PORTS = [("587", "587"), ("465", "465 (TLS)"), ("25", "25"), ("2525", "2525")]
CLEAR = "clear_"


def offered() -> dict[str, type[Adapter]]:
    """What an owner can set up without an administrator."""
    return {
        kind: adapter
        for kind, adapter in ADAPTERS.items()
        if adapter.is_offered and not FOR_ADMINISTRATORS & set(adapter.account.needed)
    }


class AccountForm(forms.Form):
    """An account at a provider: new, or with other credentials. Of a known one an empty field keeps what is stored."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        required=False,
        validators=[one_line],
        help_text=gettext_lazy("For yourself, for example “Twilio, second account”."),
    )

    def __init__(self, *args: Any, kind: str, gateway: Gateway | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adapter, self.gateway = ADAPTERS[kind], gateway
        self.stored = _stored(gateway)
        if gateway:
            self.fields["name"].initial = gateway.name
        account = self.adapter.account
        for name in (*account.needed, *account.optional):
            if name in FOR_ADMINISTRATORS:
                continue
            required = name in account.needed and name not in self.stored
            self.fields[name] = self._field(name, required=required)
            if name in account.optional and name in self.stored and name not in SHOWN:
                label = _("Remove the stored %(name)s") % {"name": self.fields[name].label}
                self.fields[CLEAR + name] = forms.BooleanField(label=label, required=False)

    def _field(self, name: str, *, required: bool) -> forms.Field:
        label = LABELS.get(name) or name.replace("_", " ").capitalize()
        if name == "port":
            stored = self.stored.get(name, "587")
            choices = PORTS if stored in dict(PORTS) else [*PORTS, (stored, stored)]
            return forms.ChoiceField(label=label, choices=choices, initial=stored, required=False)
        if name in SHOWN:
            initial = self.stored.get(name, "")
            return forms.CharField(
                label=label, max_length=254, required=required, initial=initial, help_text=HINTS.get(name, "")
            )
        # A browser shall neither fill in nor keep what belongs to the company.
        off = {"autocomplete": "off", "spellcheck": "false"}
        widget = forms.Textarea({**off, "rows": 4}) if name == "private_key" else forms.PasswordInput(off)
        help_text = _("Stored. Leave empty to keep it.") if name in self.stored else HINTS.get(name, "")
        return forms.CharField(
            label=label, max_length=LONGEST_SETTING, required=required, widget=widget, help_text=help_text
        )

    def clean(self) -> dict[str, Any]:
        super().clean()
        if not self.errors:
            try:
                self.adapter.account.check(self.values(), label=self.adapter.label)
            except InvalidSettings as problem:
                name = next((name for name in self.fields if name in str(problem).split()[:1]), None)
                self.add_error(name, _("This is not in the form that is needed: %(problem)s") % {"problem": problem})
        if not self.errors and "host" in self.changed_host():
            self._check_host()
        return self.cleaned_data

    def changed_host(self) -> dict[str, str]:
        """The mail server, where it is another one than before."""
        values = self.values() if "host" in self.fields else {}
        where = {name: values[name] for name in ("host", "port") if name in values}
        return where if any(self.stored.get(name) != value for name, value in where.items()) else {}

    def _check_host(self) -> None:
        where = self.changed_host()
        try:
            outbound.addresses(where["host"], int(where.get("port", 587)))
        except outbound.NotPublic:
            self.add_error("host", _("This host is in a private network. Ask your administrator to set it up."))
        except outbound.NoSuchHost:
            self.add_error("host", _("There is no host of this name. Check how it is written."))

    def values(self) -> dict[str, str]:
        """All settings as they are after this."""
        values = dict(self.stored)
        for name in (*self.adapter.account.needed, *self.adapter.account.optional):
            if name not in self.fields:
                continue
            typed = str(self.cleaned_data.get(name) or "").strip()
            if typed:
                values[name] = typed
            elif self.cleaned_data.get(CLEAR + name) or name in SHOWN:
                values.pop(name, None)
        return values


def _stored(gateway: Gateway | None) -> dict[str, str]:
    """Empty also when the settings were sealed under another key: then all has to be typed again."""
    if gateway is None or not ADAPTERS[gateway.kind](gateway).is_set_up:
        return {}
    return gateway.settings


class RouteForm(forms.ModelForm):
    country = forms.CharField(
        label=gettext_lazy("Country"),
        max_length=2,
        required=False,
        help_text=gettext_lazy("Two letters, for example NL. Empty: every country."),
    )
    sender = forms.ChoiceField(
        label=gettext_lazy("Sender"),
        required=False,
        help_text=gettext_lazy("A sender with routes of its own goes through these gateways only."),
    )
    currency = forms.CharField(label=gettext_lazy("Currency"), max_length=3, required=False, initial="EUR")

    class Meta:
        model = Route
        fields = ["gateway", "channel", "country", "sender", "rank", "price", "currency"]
        labels = {"price": gettext_lazy("Price of one text part or e-mail")}
        help_texts = {"rank": gettext_lazy("1 is tried first; the next takes over when it is down.")}

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.instance.company = company
        self.fields["gateway"].queryset = Gateway.objects.of(company).filter(switched_off_at=None).order_by("pk")  # type: ignore[attr-defined]
        senders = Sender.objects.usable_by(company).values_list("value", flat=True)
        self.fields["sender"].choices = [("", _("every sender")), *((s, s) for s in dict.fromkeys(senders))]  # type: ignore[attr-defined]
        self.fields["price"].validators.append(MinValueValidator(0))

    def clean_country(self) -> str:
        text: str = self.cleaned_data["country"]
        return country_code(text) if text.strip() else ""

    def clean_currency(self) -> str:
        text = self.cleaned_data["currency"].strip().upper()
        if text and not (len(text) == 3 and text.isascii() and text.isalpha()):
            raise forms.ValidationError(_("Use the three letters of a currency, for example EUR."))
        return text if self.cleaned_data.get("price") is not None else ""

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        gateway, channel = found.get("gateway"), found.get("channel")
        if gateway and channel and channel not in ADAPTERS[gateway.kind].channels:
            self.add_error("channel", _("This gateway does not carry that."))
        if found.get("price") is not None and "currency" in found and not found["currency"]:
            self.add_error("currency", _("Say in which currency the price is."))
        if channel == Channel.EMAIL and found.get("sender"):
            self.add_error("sender", _("Senders are for SMS only."))
        if not self.errors and self._known(found):
            raise forms.ValidationError(_("You have this route already."))
        return found

    def store(self) -> bool:
        """False when somebody added the same at the same moment."""
        try:
            with transaction.atomic():
                self.save()
        except IntegrityError:
            self.add_error(None, _("You have this route already."))
            return False
        return True

    def _known(self, found: dict[str, Any]) -> bool:
        same = {name: found[name] for name in ("channel", "country", "sender", "gateway")}
        return Route.objects.of(self.company).filter(**same).exclude(pk=self.instance.pk).exists()


class TestForm(forms.Form):
    to = forms.CharField(label=gettext_lazy("Send a message to"), max_length=254)
    sender = forms.ChoiceField(label=gettext_lazy("Sender"), required=False)

    def __init__(self, *args: Any, company: Company, gateway: Gateway, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company, self.channels = company, ADAPTERS[gateway.kind].channels
        if Channel.SMS in self.channels:
            senders = Sender.objects.usable_by(company).values_list("value", flat=True)
            self.fields["sender"].choices = [  # type: ignore[attr-defined]
                ("", _("Your gateway's own")),
                *((s, s) for s in dict.fromkeys(senders)),
            ]
            self.fields["to"].help_text = _("Your own number, for example +31 6 12345678.")
        else:
            del self.fields["sender"]
            self.fields["to"].help_text = _("Your own e-mail address.")

    def clean_to(self) -> Address:
        text: str = self.cleaned_data["to"]
        is_mail = Channel.EMAIL in self.channels and (len(self.channels) == 1 or "@" in text)
        try:
            return parse_email(text) if is_mail else parse_phone(text, default_country=self.company.country)
        except InvalidAddress as problem:
            raise forms.ValidationError(str(problem)) from problem
