"""A message that somebody asked for on a recipients' page: transactional, by the way that earlier ones took."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.db.models import F
from django.utils import timezone

from accounts import limits
from accounts.models import Company
from addressbook.models import Contact
from lib.keys import digest_key
from lib.wake import wake
from messaging.addresses import Address
from messaging.models import Batch, Gateway, Message, Sender
from messaging.models.message import Category

log = logging.getLogger("stopgate.notices")

DAY = 86_400
#: How many are sent: strangers' addresses cannot use up more of a company's money.
PER_COUNTRY_AND_DAY = 500
PER_COMPANY_AND_DAY = 2000


@dataclass(frozen=True, slots=True)
class Way:
    """From a company to an address."""

    company: Company
    to: Address
    digest: bytes
    contact: Contact | None
    is_known: bool  # to the company: in its address book, or written to before
    gateway: Gateway
    sender: str

    def may_send(self) -> bool:
        """Counted here, by what is sent."""
        company, country = self.company.pk, self.to.country
        if limits.take(f"portal-out:{company}:{country}", size=PER_COUNTRY_AND_DAY, seconds=DAY) and limits.take(
            f"portal-out:{company}", size=PER_COMPANY_AND_DAY, seconds=DAY
        ):
            return True
        log.warning("company %s has sent all that may be asked for on its pages today", company)
        return False

    def send(self, *, language: str, subject: str, text: str) -> int:
        """The message's id; a worker hands it over at once."""
        now = timezone.now()
        batch = Batch.objects.create(
            company=self.company, gateway=self.gateway, category=Category.TRANSACTIONAL, due_at=now
        )
        message = Message.objects.create(
            company=self.company,
            contact=self.contact,
            batch=batch,
            category=Category.TRANSACTIONAL,
            channel=self.to.channel,
            address=self.to.value,
            digest=self.digest,
            country=self.to.country,
            language=language,
            sender=self.sender,
            subject=subject[:200] if self.to.channel == "email" else "",
            text=text,
            created_at=now,
        )
        wake("campaigns.send_transactional")
        return int(message.pk)


def way(company: Company, to: Address) -> Way | None:
    """None when no gateway of the company carries it."""
    digest = to.digest(digest_key())
    contact = Contact.objects.of(company).with_address(to).first()
    earlier = Message.objects.to(company, digest).filter(channel=to.channel).order_by("-pk").first()
    sender = earlier.sender if earlier else _sender(company, to)
    gateway = Gateway.carrying(to.channel, company=company, country=to.country, sender=sender)
    if gateway is None:
        return None
    return Way(company, to, digest, contact, contact is not None or earlier is not None, gateway, sender)


def _sender(company: Company, to: Address) -> str:
    """Where no message to this address has shown one yet: the company's own before shared ones."""
    if to.channel != "sms":
        return ""
    usable = Sender.objects.usable_by(company).filter(country__in=["", to.country])
    found = usable.order_by(F("company").asc(nulls_last=True), "-country", "pk").values_list("value", flat=True)
    return found.first() or ""
