"""What comes back from recipients. Stored and committed before anybody reads it."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel


class Reply(CompanyModel):
    """MO: a message from a recipient. `company` owns the gateway that took it."""

    gateway = models.ForeignKey("messaging.Gateway", on_delete=models.PROTECT, related_name="+")
    provider_id = models.CharField(max_length=100)
    sender = models.CharField(_("from"), max_length=64, help_text=_("Emptied by erasure."))
    digest = models.BinaryField(max_length=32)
    country = models.CharField(max_length=2, blank=True)
    to = models.CharField(_("to"), max_length=20)
    text = models.TextField(_("text"), blank=True)
    meaning = models.CharField(_("read as"), max_length=20, blank=True)
    # What the provider made of it by itself (opt_out, opt_in, help): it has answered then, and may block the number.
    provider_meaning = models.CharField(_("read by the provider as"), max_length=20, blank=True)
    received_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, help_text=_("Empty: kept, not yet acted upon."))

    class Meta:
        verbose_name = _("reply")
        verbose_name_plural = _("replies")
        constraints = [models.UniqueConstraint(fields=["gateway", "provider_id"], name="one_reply_per_provider_id")]
        indexes = [
            models.Index("company", "digest", name="reply_from"),
            models.Index("received_at", condition=models.Q(read_at=None), name="reply_unread"),
        ]
