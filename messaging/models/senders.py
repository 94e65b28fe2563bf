"""Through what: a company's accounts at providers, and what an MT shows as its sender."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from accounts.scoping import CompanyModel
from lib.keys import seal, unseal
from messaging import segments


def gateway_kinds() -> list[tuple[str, str]]:
    from messaging.gateways import ADAPTERS

    return [(kind, adapter.label) for kind, adapter in ADAPTERS.items()]


class Gateway(CompanyModel):
    """A company's account at a provider."""

    # Part of the webhook address; unguessable, because not every provider signs.
    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("provider"), max_length=20, choices=gateway_kinds)
    name = models.CharField(_("name"), max_length=100, blank=True)
    is_default = models.BooleanField(_("default"), default=False)
    # Tokens and passwords, encrypted under SECRET_KEY.
    sealed_settings = models.BinaryField(default=b"", editable=False)
    # Why nothing goes through at the moment, in the provider's words.
    problem = models.CharField(_("problem"), max_length=200, blank=True, editable=False)
    problem_since = models.DateTimeField(_("problem since"), null=True, editable=False)
    # Health, written by messaging/health.py: requests that failed one after another, since when it is given up for
    # down, and when one message may try it again.
    failures = models.SmallIntegerField(default=0, editable=False)
    down_since = models.DateTimeField(_("down since"), null=True, editable=False)
    next_try_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(_("last success"), null=True, editable=False)
    # Takes nothing new; its replies and reports are still listened to.
    switched_off_at = models.DateTimeField(_("switched off"), null=True, editable=False)
    # Set up by a member rather than by an administrator: its host must be on the public internet.
    public_only = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("gateway")
        verbose_name_plural = _("gateways")
        constraints = [
            models.UniqueConstraint(
                fields=["company"], condition=models.Q(is_default=True), name="one_default_gateway_per_company"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.kind

    @classmethod
    def carrying(cls, channel: str, *, company: Company | int, country: str = "", sender: str = "") -> Gateway | None:
        """What a company sends this through: by its routes, else its default, else a provider of its own, else the
        simulator."""
        from messaging.routing import Routes

        return Routes(company=company, channel=channel).choose(country=country, sender=sender)

    @property
    def is_up(self) -> bool:
        """Whether messages may go there: also when it is time to try it again."""
        return self.down_since is None or self.next_try_at is None or self.next_try_at <= timezone.now()

    def hook_url(self, hook: str) -> str:
        """Where the provider sends `inbound` or `status` to; the id in it is unguessable, not the row's."""
        return f"{settings.APP_URL}/hooks/{self.kind}/{self.token}/{hook}"

    def note(self, problem: str) -> None:
        """What the last request met; empty: all is well."""
        if problem == self.problem:
            return
        since = (self.problem_since or timezone.now()) if problem else None
        self.problem, self.problem_since = problem, since
        self.save(update_fields=["problem", "problem_since"])

    @property
    def settings(self) -> dict[str, str]:
        """Of the account: tokens, passwords, another host. Never shown, never logged."""
        return json.loads(unseal(self.sealed_settings)) if self.sealed_settings else {}

    @settings.setter
    def settings(self, values: dict[str, str]) -> None:
        self.sealed_settings = seal(json.dumps(values)) if values else b""


class SenderQuerySet(models.QuerySet["Sender"]):
    def usable_by(self, company: Company) -> SenderQuerySet:
        """The company's own senders and the platform's shared ones."""
        return self.filter(models.Q(company=company) | models.Q(company=None))

    def receiving_replies(self) -> SenderQuerySet:
        return self.exclude(kind=Sender.Kind.ALPHANUMERIC)


class Sender(models.Model):
    """What an MT shows as its sender; without a company it is shared by all."""

    class Kind(models.TextChoices):
        SHORT_CODE = "short_code", _("short code")
        LONG_CODE = "long_code", _("long code")
        ALPHANUMERIC = "alphanumeric", _("name")

    company = models.ForeignKey(Company, on_delete=models.CASCADE, null=True, blank=True, related_name="senders")
    value = models.CharField(_("sender"), max_length=16)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("Empty: every country."))
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SenderQuerySet.as_manager()

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering = ["value", "country"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "value", "country"], name="one_sender_per_country", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.value} ({self.country})" if self.country else self.value

    def clean(self) -> None:
        problem = _SHAPES[self.kind](self.value) if self.kind in _SHAPES else ""
        if problem:
            raise ValidationError({"value": problem})
        if self.country and not re.fullmatch(r"[A-Z]{2}", self.country):
            raise ValidationError({"country": _("Use the two capital letters of a country, for example FR.")})


def _short_code_problem(value: str) -> Any:
    return "" if re.fullmatch(r"[0-9]{3,8}", value) else _("A short code has 3 to 8 digits.")


def _long_code_problem(value: str) -> Any:
    # ITU-T E.164: 15 digits at most.
    return "" if re.fullmatch(r"\+?[1-9][0-9]{6,14}", value) else _("A long code is a number such as +31970102030.")


def _alphanumeric_problem(value: str) -> Any:
    # 3GPP TS 23.040 9.1.2.5: 11 characters of the default alphabet.
    if not 1 <= len(value) <= 11:
        return _("A name has at most 11 characters.")
    if any(c not in segments.BASIC or c in "\r\n" for c in value) or value != value.strip():
        return _("Use plain letters, digits and spaces; phones cannot show others as a sender.")
    if re.fullmatch(r"[0-9 +]+", value):
        return _("A name needs a letter; a number is a short or a long code.")
    return ""


_SHAPES = {
    Sender.Kind.SHORT_CODE: _short_code_problem,
    Sender.Kind.LONG_CODE: _long_code_problem,
    Sender.Kind.ALPHANUMERIC: _alphanumeric_problem,
}
