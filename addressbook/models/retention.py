from __future__ import annotations

from django.db import models

from accounts.scoping import CompanyModel


class Retained(CompanyModel):
    """How far a company's old messages and replies have been emptied (retention.py)."""

    messages = models.BigIntegerField(default=0, help_text="The last id that has been looked at.")
    replies = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company"], name="one_retained_per_company")]
