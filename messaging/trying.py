"""A gateway that its owner tries out: "send me a message", through this one and no other, and what became of it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import limits
from accounts.models import Company
from lib.keys import digest_key
from lib.wake import wake
from messaging.addresses import Address
from messaging.models import Batch, Gateway, GatewayTest, Message
from messaging.models.message import Category

#: Tests that a company may send in SECONDS.
SENT, SECONDS = 20, 3600.0


class TooMany(Exception):
    """The company has sent many tests within the hour."""


def send(gateway: Gateway, *, company: Company, to: Address, sender: str = "") -> GatewayTest:
    """A transactional message that is tried once. Raises TooMany."""
    if not limits.take(f"gateway-test:{company.pk}", size=SENT, seconds=SECONDS):
        raise TooMany
    now = timezone.now()
    with transaction.atomic():
        batch = Batch.objects.create(
            company=company, gateway=gateway, category=Category.TRANSACTIONAL, due_at=now, pinned=True
        )
        message = Message.objects.create(
            company=company,
            batch=batch,
            category=Category.TRANSACTIONAL,
            channel=to.channel,
            address=to.value,
            digest=to.digest(digest_key()),
            country=to.country,
            language=company.language,
            sender=sender,
            subject=_("A test of your gateway") if to.channel == "email" else "",
            text=_("%(company)s: your gateway works. This is the test you asked for.") % {"company": company.name},
            created_at=now,
        )
        test = GatewayTest.objects.create(company=company, gateway=gateway, message=message)
        wake("campaigns.send_transactional")
    return test
