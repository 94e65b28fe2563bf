"""A provider carries nothing to an address any more: that is a suppression here as well."""

from __future__ import annotations

from datetime import datetime

from accounts.models import Company
from addressbook import consent
from messaging.addresses import Address
from messaging.gateways import Block
from messaging.models import Gateway, Message

#: A wish is the person's and covers them as any other opt-out does; the rest ends its own channel only.
WISHES = {Block.OPTED_OUT, Block.COMPLAINED}
SOURCES = {
    Block.OPTED_OUT: "provider",
    Block.REFUSED: "provider",
    Block.COMPLAINED: "complaint",
    Block.BOUNCED: "complaint",
}


def suppress(
    *,
    gateway: Gateway,
    address: Address | None,
    message_id: int | None,
    block: Block,
    error: str,
    occurred_at: datetime | None = None,
) -> None:
    """Of the message's address, when it is known, else of `address`. Again is friendly."""
    message = Message.objects.of(gateway.company_id).filter(pk=message_id).select_related("campaign").first()
    if message is not None and message.address:
        address = Address(message.channel, message.address)
    if address is None:
        return
    consent.opt_out(
        company=Company.objects.get(pk=gateway.company_id),
        address=address,
        source=SOURCES[block],
        channels=None if block in WISHES else [address.channel],
        campaign_id=message.campaign_id if message else None,
        campaign_name=message.campaign.name if message and message.campaign else "",
        message_id=message.pk if message else None,
        occurred_at=occurred_at,
        # The gateway's number, so that what a provider told is not told back to it (addressbook/telling.py).
        evidence={"provider": gateway.kind, "gateway": gateway.pk, "block": block.value, "said": error},
    )
