"""Templates of transactional messages, which an administrator may require (Company.templates_required).

They bind what programs send. Codes, confirmations and answers of the product itself never pass here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Company, User
from accounts.scoping import CompanyModel
from campaigns import advertising, placeholders
from messaging.models.message import Channel

MOST_TEMPLATES = 200
LONGEST_SUBJECT = 200


class NotFilled(ValueError):
    """A template that cannot be sent like this; `errors` are (field, code, remedy), for a program."""

    def __init__(self, *errors: tuple[str, str, str]) -> None:
        super().__init__("not filled")
        self.errors = errors


class TransactionalTemplate(CompanyModel):
    """A text that may be sent as transactional, with {placeholders} for what differs."""

    name = models.CharField(_("name"), max_length=100)
    # Empty: either.
    channel = models.CharField(_("channel"), max_length=5, choices=Channel.choices, blank=True, default="")
    language = models.CharField(_("language"), max_length=8, blank=True, default="")
    subject = models.CharField(_("subject"), max_length=LONGEST_SUBJECT, blank=True, default="")
    body = models.TextField(_("text"), max_length=4000)
    # Names of the placeholders whose value may be or hold a link.
    linking = ArrayField(models.CharField(max_length=61), default=list, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("transactional template")
        verbose_name_plural = _("transactional templates")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["company", "name"], name="one_template_of_a_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def names(self) -> list[str]:
        """Of all placeholders, those of the subject first."""
        return placeholders.names(f"{self.subject}\n{self.body}")

    @property
    def signs(self) -> list[str]:
        """What reads like marketing in it."""
        return advertising.signs(f"{self.subject}\n{self.body}")

    def filled(self, values: Mapping[str, Any], *, channel: str) -> tuple[str, str]:
        """Subject and text. Raises NotFilled, which names every value that is unknown, missing or not possible."""
        if self.channel not in {"", channel}:
            kind = "e-mail" if self.channel == "email" else "SMS"
            raise NotFilled(("template", "other_channel", f"This template is for {kind}."))
        if channel == "email" and not self.subject:
            raise NotFilled(
                ("template", "no_subject", "An e-mail needs a subject, and this template has none: add one.")
            )
        subject = self.subject if channel == "email" else ""
        known = self.names
        errors = []
        for name, value in values.items():
            if name not in known:
                has = ", ".join(known) or "none"
                errors.append((f"values.{name}", "unknown_placeholder", f"This template's placeholders: {has}."))
            elif (found := placeholders.problem(value, may_link=name in self.linking))[0]:
                errors.append((f"values.{name}", *found))
        if errors:
            raise NotFilled(*errors)
        texts = {name: str(value) for name, value in values.items()}
        if gaps := placeholders.missing(f"{subject}\n{self.body}", texts):
            raise NotFilled(*((f"values.{name}", "required", "The template needs a value here.") for name in gaps))
        subject = placeholders.filled(subject, texts)
        if len(subject) > LONGEST_SUBJECT:
            raise NotFilled(
                ("values", "too_long", f"With these values the subject has over {LONGEST_SUBJECT} characters.")
            )
        return subject, placeholders.filled(self.body, texts)

    def fits(self, *, channel: str, subject: str, body: str) -> bool:
        """Whether this text could have come from the template."""
        if self.channel not in {"", channel}:
            return False
        if channel == "email" and not placeholders.fits(self.subject, subject, linking=self.linking):
            return False
        return placeholders.fits(self.body, body.replace("\r\n", "\n"), linking=self.linking)


def filled(company: Company, *, name: str, values: Mapping[str, Any], channel: str) -> tuple[str, str]:
    """Subject and text of the company's template of this name. Raises NotFilled."""
    template = TransactionalTemplate.objects.of(company).filter(name=name).first()
    if template is None:
        remedy = "There is no template of this name; see Settings → Transactional templates."
        raise NotFilled(("template", "unknown_template", remedy))
    return template.filled(values, channel=channel)


def allows(company: Company, *, channel: str, subject: str, body: str) -> bool:
    """Whether the company may send this as transactional: any text, unless an administrator requires templates."""
    if not company.templates_required:
        return True
    templates = TransactionalTemplate.objects.of(company).filter(channel__in=["", channel])
    return any(template.fits(channel=channel, subject=subject, body=body) for template in templates)
