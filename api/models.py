"""Keys of programs, and the answers kept for their repeated requests."""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from accounts.scoping import CompanyModel

SCOPES = ("read", "write", "send", "lift", "admin")


def _digest(key: str) -> bytes:
    # 256 random bits need no slow hash; the digest is looked up by index.
    return hashlib.sha256(key.encode()).digest()


class ApiKey(CompanyModel):
    """A program's key; only its digest is kept."""

    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=12)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=10), verbose_name=_("scopes"))
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(cls, *, company: Company, name: str, scopes: list[str]) -> tuple[ApiKey, str]:
        """A new key and its text, which is shown this once."""
        text = "sg_" + secrets.token_urlsafe(32)
        key = cls.objects.create(company=company, name=name, prefix=text[:10], digest=_digest(text), scopes=scopes)
        return key, text

    @classmethod
    def of_text(cls, text: str) -> ApiKey | None:
        rows = cls.objects.across_companies().select_related("company")
        return rows.filter(digest=_digest(text), revoked_at=None).first()

    def revoke(self) -> None:
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])


class IdempotencyKey(CompanyModel):
    """One POST's key, what it asked, and what it was answered; written in the transaction of its effect."""

    key = models.CharField(max_length=200)
    path = models.CharField(max_length=200)
    request_hash = models.BinaryField(max_length=32)
    status = models.SmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "key"], name="one_answer_per_idempotency_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_age")]
