"""Whom to tell what happened, and what was told.

A delivery is written by the database in the transaction of its cause (sql/events.sql) and holds nobody's data.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from accounts.scoping import CompanyModel, ScopedManager
from lib.keys import seal

#: What can be listened for; part of the contract.
EVENTS = ("suppression.created", "suppression.lifted", "message.updated", "reply.received")
#: Told to an endpoint that asks for it, whatever it listens for.
TEST = "test"
MOST_ENDPOINTS = 20
LONGEST_URL = 500
#: So long the secret before is signed with too, and receivers have time to change.
OLD_SECRET_KEPT = timedelta(hours=24)
#: A delivery is shown and can be tried again for so long.
KEPT = timedelta(days=7)


def new_secret() -> str:
    """Standard Webhooks: 24 to 64 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Endpoint(CompanyModel):
    """An address of the company's own program, which is told what happens."""

    class Why(models.TextChoices):
        GONE = "gone", _("It answered 410: gone for good.")
        FAILING = "failing", _("Nothing reached it for three days.")

    url = models.CharField(_("address"), max_length=LONGEST_URL)
    events = ArrayField(models.CharField(max_length=30), verbose_name=_("events"))
    # Encrypted under SECRET_KEY; shown once.
    sealed_secret = models.BinaryField(editable=False)
    sealed_old_secret = models.BinaryField(null=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    last_success_at = models.DateTimeField(_("last success"), null=True, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    disabled_at = models.DateTimeField(_("switched off"), null=True, editable=False)
    disabled_why = models.CharField(_("why"), max_length=10, choices=Why.choices, blank=True, editable=False)
    served_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["-id"]
        indexes = [models.Index("company", name="webhook_company")]

    def __str__(self) -> str:
        return self.url

    @classmethod
    def issue(cls, *, company: Company, url: str, events: list[str]) -> tuple[Endpoint, str]:
        """A new endpoint and its secret, which is shown this once."""
        secret = new_secret()
        return cls.objects.create(company=company, url=url, events=events, sealed_secret=seal(secret)), secret

    def rotate(self) -> str:
        """A new secret; for a day everything is signed with both."""
        secret = new_secret()
        self.sealed_old_secret, self.sealed_secret = self.sealed_secret, seal(secret)
        self.old_secret_until = timezone.now() + OLD_SECRET_KEPT
        self.save(update_fields=["sealed_old_secret", "sealed_secret", "old_secret_until"])
        return secret

    def switch_on(self) -> None:
        self.disabled_at, self.disabled_why, self.failing_since = None, "", None
        self.save(update_fields=["disabled_at", "disabled_why", "failing_since"])

    def send_test(self) -> Delivery:
        now = timezone.now()
        return Delivery.objects.create(
            company_id=self.company_id, endpoint=self, type=TEST, subject_id=self.pk, created_at=now, due_at=now
        )


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def try_again(self) -> int:
        """At once, with all its retries anew and under the same id. What an attempt under way finds is not kept.

        What was about an erased person is never told again.
        """
        told_again = self.exclude(error=Delivery.Problem.ERASED)
        return told_again.update(due_at=timezone.now(), attempts=0, delivered_at=None, response=None, error="")


class DeliveryManager(ScopedManager.from_queryset(DeliveryQuerySet)):  # type: ignore[misc]
    pass


class Delivery(CompanyModel):
    """One event for one endpoint."""

    class Problem(models.TextChoices):
        """Why an attempt failed."""

        STATUS = "status", _("not accepted")
        TIMEOUT = "timeout", _("no answer in time")
        NO_CONNECTION = "no_connection", _("no connection")
        BROKEN = "broken", _("the connection broke")
        CERTIFICATE = "certificate", _("the certificate is not valid")
        NO_SUCH_HOST = "no_such_host", _("the host is not found")
        REFUSED = "refused", _("the address is not allowed")
        SECRET = "secret", _("the secret cannot be read; replace it")
        ERASED = "erased", _("the person was erased")

    # Not checked row by row, because they come a million at a time. Those of a deleted endpoint are claimed by nobody,
    # and go when they are old.
    company = models.ForeignKey(
        "accounts.Company", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.DO_NOTHING, related_name="deliveries", db_constraint=False, db_index=False
    )
    type = models.CharField(_("event"), max_length=30)
    # A line of the ledger, a message or a reply, by type; and the message that a reply answers.
    subject_id = models.BigIntegerField(_("about"))
    about_id = models.BigIntegerField(null=True)
    status = models.CharField(_("status"), max_length=10, blank=True, help_text=_("Of a message, at the time."))
    # The receiver's means against duplicates: the same at every attempt, and unlike any other even after a restore.
    token = models.UUIDField(default=uuid.uuid4, editable=False)
    lane = models.SmallIntegerField(default=0)
    created_at = models.DateTimeField(_("time"), default=timezone.now)
    due_at = models.DateTimeField(_("next try"), null=True, help_text=_("Empty: delivered or given up."))
    attempts = models.SmallIntegerField(_("attempts"), default=0)
    attempted_at = models.DateTimeField(_("last try"), null=True)
    response = models.SmallIntegerField(_("answer"), null=True, help_text=_("HTTP status; empty: none came."))
    error = models.CharField(_("problem"), max_length=20, choices=Problem.choices, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)

    objects = DeliveryManager()

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        indexes = [
            models.Index("endpoint", "lane", "due_at", condition=models.Q(due_at__isnull=False), name="webhook_due"),
            models.Index(fields=["endpoint", "-id"], name="webhook_log"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"

    @property
    def webhook_id(self) -> str:
        return webhook_id(self.token)


def webhook_id(token: Any) -> str:
    return f"evt_{token.hex}"
