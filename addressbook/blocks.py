"""A provider carries nothing to an address any more: that is a suppression here as well."""

from __future__ import annotations

from accounts.models import Company
from addressbook import consent
from messaging.addresses import Address
from messaging.gateways import Block
from messaging.models import Gateway, Message


def suppress(*, gateway: Gateway, address: Address | None, message_id: int | None, block: Block, error: str) -> None:
    """Of the message's address, when it is known, else of `address`. Again is friendly.

    A wish to be left alone is the person's and covers them as any other opt-out does; a mailbox that does not exist
    ends its own channel only.
    """
    message = Message.objects.of(gateway.company_id).filter(pk=message_id).select_related("campaign").first()
    if message is not None and message.address:
        address = Address(message.channel, message.address)
    if address is None:
        return
    consent.opt_out(
        company=Company.objects.get(pk=gateway.company_id),
        address=address,
        source="provider",
        channels=[address.channel] if block is Block.BOUNCED else None,
        campaign_id=message.campaign_id if message else None,
        campaign_name=message.campaign.name if message and message.campaign else "",
        message_id=message.pk if message else None,
        evidence={"provider": gateway.kind, "block": block.value, "said": error},
    )
