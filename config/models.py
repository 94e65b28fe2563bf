from __future__ import annotations

from django.db import models


class CheckValue(models.Model):
    """What a secret was when production first started; the secret itself cannot be told from it."""

    name = models.CharField(max_length=20, primary_key=True)
    value = models.BinaryField(max_length=32)
