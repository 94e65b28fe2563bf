from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel


class Suppression(CompanyModel):
    """The no in force: this company may not send marketing to this address.

    A row's presence is the state. Rows come and go only through `addressbook.consent`;
    triggers refuse everything else (sql/ledger.sql).
    """

    channel = models.CharField(_("channel"), max_length=5)
    digest = models.BinaryField(max_length=32, editable=False)
    address = models.CharField(_("address"), max_length=254, blank=True, help_text=_("Emptied by erasure."))
    event_id = models.BigIntegerField(_("consent event"))
    source = models.CharField(_("source"), max_length=20)
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppression list")
        constraints = [models.UniqueConstraint(fields=["company", "channel", "digest"], name="one_suppression")]
        indexes = [models.Index(fields=["company", "-since", "-id"], name="suppression_since")]

    def __str__(self) -> str:
        return f"{self.channel} {self.pk}"
