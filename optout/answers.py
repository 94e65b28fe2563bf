"""What we answer to a reply by ourselves: one confirmation of an opt-out, and who we are. Transactional, always.

Two machines may answer each other, so there is one answer per address, company, kind and day, and none to a number
that is itself a sender.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from django.utils import timezone

from accounts import limits
from accounts.models import Company
from addressbook.models import Contact
from lib.keys import digest_key
from lib.wake import wake
from messaging.addresses import Address
from messaging.models import Batch, Gateway, Message, Sender
from messaging.models.message import Category
from optout import destinations

DATA = Path(__file__).parent / "data" / "answers.toml"
ONE_PER_SECONDS = 24 * 3600
_PLACEHOLDER = re.compile(r"\{(company|code|contact)\}")


@cache
def texts() -> dict[str, dict[str, str]]:
    """Per language: the text of each kind of answer."""
    return tomllib.loads(DATA.read_text("utf-8"))


def gateway_of(company_id: int) -> Gateway | None:
    """What the company answers through by itself."""
    return Gateway.carrying("sms", company=company_id)


def confirm(*, company: Company, to: Address, code: str, message_id: int | None, everyone: bool) -> Message | None:
    """Tell the recipient once that the opt-out is in force, where the destination allows it."""
    if destinations.rule(to.country).confirmation == "none":
        return None
    kind = "opt_out_all" if everyone else "opt_out"
    return _answer(kind, company=company, to=to, code=code, message_id=message_id, bucket="opt_out")


def say_who(
    *, company: Company, to: Address, code: str, message_id: int | None, asked_by_person: bool = False
) -> Message | None:
    """Name and contact details. `asked_by_person`: a member wants it sent, whatever was answered before."""
    bucket = "" if asked_by_person else "help"
    return _answer("help", company=company, to=to, code=code, message_id=message_id, bucket=bucket)


def _answer(
    kind: str, *, company: Company, to: Address, code: str, message_id: int | None, bucket: str
) -> Message | None:
    sender = _sender(company=company, code=code, message_id=message_id)
    gateway = Gateway.carrying("sms", company=company, country=to.country, sender=sender)
    if gateway is None or _is_a_sender(to):
        return None
    digest = to.digest(digest_key())
    if bucket and not limits.take(f"answer:{bucket}:{company.pk}:{digest.hex()}", size=1, seconds=ONE_PER_SECONDS):
        return None
    contact = Contact.objects.of(company).with_address(to).first()
    language = _language(company=company, to=to, contact=contact, message_id=message_id)
    now = timezone.now()
    batch = Batch.objects.create(company=company, gateway=gateway, category=Category.TRANSACTIONAL, due_at=now)
    message = Message.objects.create(
        company=company,
        contact=contact,
        batch=batch,
        category=Category.TRANSACTIONAL,
        channel="sms",
        address=to.value,
        digest=digest,
        country=to.country,
        language=language,
        sender=sender,
        text=_text(kind, language=language, company=company, code=code),
        created_at=now,
    )
    wake("campaigns.send_transactional")
    return message


def _text(kind: str, *, language: str, company: Company, code: str) -> str:
    """One pass: what a value contains is never expanded."""
    known = texts()
    spoken = next((x for x in (language, language.partition("-")[0], company.language) if x in known), "en")
    values = {"company": company.name, "code": code, "contact": company.contact_details}
    return _PLACEHOLDER.sub(lambda found: values[found[1]], known[spoken][kind]).strip()


def _language(*, company: Company, to: Address, contact: Contact | None, message_id: int | None) -> str:
    """The message's that was answered, else the contact's, else the country's, else the company's."""
    answered = Message.objects.of(company).filter(pk=message_id).values_list("language", flat=True).first()
    spoken = destinations.rule(to.country).languages if to.country else ()
    return answered or (contact.language if contact else "") or (spoken[0] if spoken else company.language)


def _sender(*, company: Company, code: str, message_id: int | None) -> str:
    """The number that was written to, when the company may use it; else what its message showed."""
    own = Sender.objects.usable_by(company).receiving_replies().filter(value__in=_forms(code))
    shown = own.values_list("value", flat=True).first()
    if shown is None:
        shown = Message.objects.of(company).filter(pk=message_id).values_list("sender", flat=True).first()
    return shown or ""


def _is_a_sender(to: Address) -> bool:
    return Sender.objects.filter(value__in=_forms(to.value)).exists()


def _forms(number: str) -> list[str]:
    digits = number.lstrip("+")
    return [digits, f"+{digits}"] if digits else []
