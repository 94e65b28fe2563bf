from __future__ import annotations

from django.db import models

from accounts.scoping import CompanyModel


class HandsetMessage(CompanyModel):
    """What the simulator's handsets received: written by the gateway's side, apart from our own records."""

    message_id = models.BigIntegerField()
    channel = models.CharField(max_length=5, default="sms")
    to = models.CharField(max_length=254)
    sender = models.CharField(max_length=254, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["company", "to", "-id"], name="handset_to")]
