"""The gate for single messages: who may be sent what, with line and link."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts.models import Company
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


class NoWayOut(Exception):
    """No lawful way out exists for this destination with this sender."""


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
) -> Message:
    """Queue one message; it leaves as soon as the transaction has committed.

    Transactional messages pass whatever the suppression list says and carry no
    opt-out line. Raises Suppressed, NoWayOut, InvalidBody.
    """
    if not body.strip():
        raise InvalidBody("The text is empty.")
    digest = to.digest(digest_key())
    marketing = category == Category.MARKETING
    if marketing and Suppression.objects.of(company).filter(channel=to.channel, digest=digest).exists():
        raise Suppressed
    contact = Contact.objects.of(company).with_address(to).first()
    language = (contact.language if contact else "") or _language(to.country, company=company)
    way = (
        audience.Ways(company=company, sender=sender, channel=to.channel).for_country(to.country) if marketing else None
    )
    if marketing and way is None:
        raise NoWayOut
    with transaction.atomic():
        now = timezone.now()
        batch = Batch.objects.create(
            company=company, gateway=audience.gateway_of(company), category=category, due_at=now
        )
        message = Message.objects.create(
            company=company,
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
        message.text = _text(message, body=body, company=company)
        message.save(update_fields=["text"])
        wake(f"campaigns.send_{category}")
    return message


def _text(message: Message, *, body: str, company: Company) -> str:
    """Single texts are final as handed in: nothing is merged, braces stay; marketing gets its line."""
    if message.category != Category.MARKETING:
        return body
    composer = Composer(company=company, campaign=None)
    line = composer.line(
        message_id=message.pk,
        channel=message.channel,
        language=message.language,
        method=message.method,
        reply_code=message.reply_code,
        country=message.country,
    )
    return composer.prefix(message.country, message.channel) + lines.place(body, line)


def _language(country: str, *, company: Company) -> str:
    spoken = destinations.rule(country).languages if country else ()
    return spoken[0] if spoken else company.language
