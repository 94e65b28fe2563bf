"""A draft sent to a few addresses of one's own: the real text with its real way out, counted nowhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import limits
from addressbook.models import Contact
from campaigns import gate
from campaigns.audit import Action, Who
from campaigns.models import Campaign, Trial
from campaigns.texts import Composer
from messaging.addresses import Address, InvalidAddress, parse_email, parse_phone
from messaging.models import Message
from messaging.models.message import Category

#: At a time.
MOST = 5
#: Tests that a company may send in SECONDS.
SENT, SECONDS = 30, 3600.0
_BETWEEN = re.compile(r"[,;\n]+")


class InvalidAddresses(ValueError):
    """What was typed cannot be written to; the message says which part and why."""


class TooMany(Exception):
    """The company has sent many tests within the hour."""


@dataclass(frozen=True, slots=True)
class Result:
    """`why` says why nothing was sent to this address."""

    address: Address
    why: str = ""


def addresses(text: str, *, campaign: Campaign) -> list[Address]:
    """What was typed, apart by commas or lines. Raises InvalidAddresses."""
    typed = [part.strip() for part in _BETWEEN.split(text) if part.strip()]
    if not typed:
        raise InvalidAddresses(_("Type at least one address to send the test to."))
    found: dict[str, Address] = {}
    for part in typed:
        try:
            address = (
                parse_email(part)
                if campaign.channel == "email"
                else parse_phone(part, default_country=campaign.company.country)
            )
        except InvalidAddress as problem:
            raise InvalidAddresses(f"{part[:80]}: {problem}") from problem
        found[address.value] = address
    if len(found) > MOST:
        raise InvalidAddresses(_("A test goes to %(most)s addresses at most; these are %(n)s.") % {
            "most": MOST, "n": len(found)
        })  # fmt: skip
    return list(found.values())


def send(campaign: Campaign, *, to: Sequence[Address], by: Who) -> list[Result]:
    """One result per address. Who has opted out gets no test either. Raises TooMany, audience.NoGateway."""
    with transaction.atomic():
        for _one in to:
            if not limits.take(f"trial:{campaign.company_id}", size=SENT, seconds=SECONDS):
                raise TooMany
        composer = Composer(company=campaign.company, campaign=campaign)
        results = [_send_one(campaign, address, composer=composer) for address in to]
        sent = sum(not result.why for result in results)
        if sent:
            Action.record(campaign, Action.Verb.TESTED, by=by, messages=sent)
    return results


def _send_one(campaign: Campaign, address: Address, *, composer: Composer) -> Result:
    contact = Contact.objects.of(campaign.company_id).with_address(address).first()

    def write(message: Message) -> str:
        return composer.text(
            message_id=message.pk,
            channel=message.channel,
            language=message.language,
            method=message.method,
            reply_code=message.reply_code,
            country=message.country,
            contact=composer.values_of(contact),
        )

    try:
        message = gate.send(
            company=campaign.company,
            to=address,
            body=campaign.body,
            category=Category.MARKETING,
            subject=_("Test: %(subject)s") % {"subject": campaign.subject[:180]} if address.channel == "email" else "",
            sender=campaign.senders().get(address.country) or campaign.sender,
            write=write,
        )
    except gate.Suppressed:
        return Result(address, _("has opted out of your marketing, so no test goes there either"))
    except gate.NoWayOut:
        return Result(address, _("there is no lawful way out in that country with this sender"))
    Trial.objects.create(company=campaign.company, campaign=campaign, message=message)
    return Result(address)
