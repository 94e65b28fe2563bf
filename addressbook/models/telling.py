from __future__ import annotations

from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel
from messaging.models import Gateway

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)


class Telling(CompanyModel):
    """How far a provider has been told who is out and who is back (addressbook/telling.py)."""

    gateway = models.OneToOneField(Gateway, on_delete=models.PROTECT, related_name="+")
    # Per chain of the ledger, up to which position: a chain is seen without gaps, whenever its writers commit.
    reach = ArrayField(models.BigIntegerField())
    due_at = models.DateTimeField(_("due"))
    failures = models.SmallIntegerField(_("failures"), default=0)
    problem = models.CharField(_("problem"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("provider's own list")
        verbose_name_plural = _("providers' own lists")

    def went_well(self, reach: list[int]) -> None:
        self.reach, self.failures, self.problem, self.due_at = reach, 0, "", timezone.now()
        self.save(update_fields=["reach", "failures", "problem", "due_at"])

    def try_later(self, problem: str, *, asked_for: float | None = None) -> None:
        """Each time twice as late, up to an hour; later when the provider asks for it."""
        pause = min(FIRST_PAUSE * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        self.due_at = timezone.now() + max(pause, timedelta(seconds=asked_for or 0))
        self.failures, self.problem = min(self.failures + 1, 1000), problem[:200]
        self.save(update_fields=["failures", "problem", "due_at"])
