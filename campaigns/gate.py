"""The gate for single messages: who may be sent what, with line and link."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import Company
from addressbook import preferences
from addressbook.models import Contact, Suppression
from campaigns import audience
from campaigns.models import Campaign
from campaigns.texts import Composer
from lib.keys import digest_key
from lib.wake import wake
from messaging.addresses import Address
from messaging.models import Batch, Message
from messaging.models.message import Category
from optout import destinations, lines


class Suppressed(Exception):
    """This address has opted out of marketing from this company."""


class Paused(Suppressed):
    """This address gets no marketing for some days, as the person chose."""


class NoWayOut(Exception):
    """No lawful way out exists for this destination with this sender."""


class AlreadySent(Exception):
    """This campaign has a message to this address or contact."""


class InvalidBody(ValueError):
    """The text cannot be sent as it is."""

    field = "body"


def send(
    *,
    company: Company,
    to: Address,
    body: str,
    category: str,
    subject: str = "",
    sender: str = "",
    campaign: Campaign | None = None,
    write: Callable[[Message], str] | None = None,
) -> Message:
    """Queue one message; it leaves as soon as the transaction has committed.

    Transactional messages pass whatever the suppression list says and carry no
    opt-out line. Opt-outs are counted for `campaign`, which sends nobody a second message.
    `write` makes the final text, way out and all, of the message that has its id by then.
    Raises Suppressed, Paused, NoWayOut, InvalidBody, AlreadySent.
    """
    if not body.strip():
        raise InvalidBody("The text is empty.")
    digest = to.digest(digest_key())
    marketing = category == Category.MARKETING
    if marketing and Suppression.objects.of(company).filter(channel=to.channel, digest=digest).exists():
        raise Suppressed
    if marketing and preferences.paused(company, channel=to.channel, digests=[digest]):
        raise Paused
    way = (
        audience.Ways(company=company, sender=sender, channel=to.channel).for_country(to.country) if marketing else None
    )
    if marketing and way is None:
        raise NoWayOut
    with transaction.atomic():
        # Locked, so that who is being erased at this moment is gone before, or is erased with this message after.
        contact = Contact.objects.of(company).with_address(to).select_for_update(no_key=True).first()
        language = (contact.language if contact else "") or language_of(to.country, company=company)
        now = timezone.now()
        if campaign:
            join(campaign, audience=1)
            if known(campaign, contacts=[contact.pk] if contact else [], digests=[digest]):
                raise AlreadySent
        batch = Batch.objects.create(
            company=company,
            gateway=audience.gateway_of(
                company, channel=to.channel, country=to.country, sender=way.sender if way else sender
            ),
            campaign_id=campaign.pk if campaign else None,
            category=category,
            due_at=now,
        )
        message = Message.objects.create(
            company=company,
            campaign=campaign,
            contact=contact,
            batch=batch,
            category=category,
            channel=to.channel,
            address=to.value,
            digest=digest,
            country=to.country,
            language=language,
            sender=way.sender if way else sender,
            method=way.method if way else "",
            reply_code=way.code if way and way.method == "reply" else "",
            subject=subject,
            created_at=now,
        )
        if write:
            message.text = write(message)
        elif marketing:
            message.text = with_line(message, body=body, composer=composer_of(company))
        else:
            message.text = body
        message.save(update_fields=["text"])
        wake(f"campaigns.send_{category}")
    return message


def join(campaign: Campaign, *, audience: int, suppressed: int = 0, no_way: int = 0) -> None:
    """Single texts are part of their campaign's audience. Locks the campaign, so texts for one address take turns."""
    Campaign.objects.of(campaign.company_id).filter(pk=campaign.pk).update(
        audience=F("audience") + audience,
        left_out_suppressed=F("left_out_suppressed") + suppressed,
        left_out_no_way=F("left_out_no_way") + no_way,
    )


def known(campaign: Campaign, *, contacts: list[int], digests: list[bytes]) -> dict[bytes, Message]:
    """The campaign's messages to any of these, by the digest of their address."""
    by_contact = Message.objects.of(campaign.company_id).filter(campaign=campaign, contact__in=contacts)
    by_address = Message.objects.to(campaign.company_id, *digests).filter(campaign=campaign)
    found = [*by_contact, *by_address]
    return {bytes(message.digest): message for message in found}


def composer_of(company: Company) -> Composer:
    return Composer(company=company, campaign=None)


def with_line(message: Message, *, body: str, composer: Composer) -> str:
    """Single texts are final as handed in: nothing is merged, braces stay; marketing gets its line."""
    line = composer.line(
        message_id=message.pk,
        channel=message.channel,
        language=message.language,
        method=message.method,
        reply_code=message.reply_code,
        country=message.country,
    )
    return composer.prefix(message.country, message.channel) + lines.place(body, line)


def language_of(country: str, *, company: Company) -> str:
    spoken = destinations.rule(country).languages if country else ()
    return spoken[0] if spoken else company.language
