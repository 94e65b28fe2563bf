"""Messages with links, without sending anything."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from accounts.models import Company
from addressbook import consent
from campaigns.models import Campaign
from lib.keys import digest_key
from messaging.addresses import Address, parse
from messaging.models import Batch, Gateway, Message
from optout.links import codes


def message(
    of: Company, to: str, *, campaign: Campaign | None = None, sent_at: datetime | None = None, **fields
) -> Message:
    """A marketing SMS (or e-mail) that was sent."""
    address = Address("email" if "@" in to else "sms", to)
    gateway = Gateway.objects.of(of).first()
    category = fields.setdefault("category", "marketing")
    batch = Batch.objects.create(
        company=of,
        gateway=gateway,
        campaign_id=campaign.pk if campaign else None,
        category=category,
        due_at=timezone.now(),
        status="done",
    )
    return Message.objects.create(
        company=of,
        batch=batch,
        campaign=campaign,
        channel=address.channel,
        address=address.value,
        digest=address.digest(digest_key()),
        country=address.country,
        status="sent",
        sent_at=sent_at or timezone.now(),
        created_at=sent_at or timezone.now(),
        **{"method": "" if category == "transactional" else "link"} | fields,
    )


def out(of: Company, to: str) -> None:
    """Somebody who has left already."""
    consent.opt_out(company=of, address=parse(to), source="landing")


def path(message: Message) -> str:
    if message.channel == "email":
        return f"/e/{codes().encode_tagged(message.pk)}"
    return f"/{codes().encode(message.pk)}"
