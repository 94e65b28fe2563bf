"""What stands behind a link: the message, whose marketing it stops, how its address stands."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from django.db import connection

from accounts.models import Company
from lib import sql
from lib.keys import digest_key
from messaging.addresses import Address

STATEMENTS = sql.named(Path(__file__).parents[1] / "sql" / "landing.sql")


class Brand(NamedTuple):
    """What a page shows of a company; pages are kept per brand, so an edit shows at once."""

    company_id: int
    name: str
    language: str
    privacy_url: str
    imprint_url: str
    color: str
    contact_details: str


@dataclass(frozen=True, slots=True)
class ErasedAddress(Address):
    """An address of which only the digest is left; it can still be kept out."""

    kept: bytes

    def digest(self, key: bytes) -> bytes:
        return self.kept


@dataclass(frozen=True, slots=True)
class Standing:
    """`event_id` of the opt-out in force; None when marketing is allowed."""

    event_id: int | None
    reason_given: bool


@dataclass(frozen=True, slots=True)
class Link:
    message_id: int
    channel: str
    digest: bytes
    country: str
    language: str
    reply_code: str
    campaign_id: int | None
    campaign_name: str
    company: Company
    brand: Brand
    address: Address

    def is_to(self, address: Address) -> bool:
        """Compared in constant time; nothing is looked up."""
        return hmac.compare_digest(self.digest, address.digest(digest_key()))

    def standing(self) -> Standing:
        row = _one("standing", self.brand.company_id, self.channel, self.digest)
        return Standing(*row) if row else Standing(None, False)


def find(message_id: int) -> Link | None:
    row = _one("link", message_id)
    if row is None:
        return None
    (pk, company_id, channel, address, digest, country, language, reply_code, campaign_id, campaign_name) = row[:10]
    name, company_language, scope, privacy_url, imprint_url, color, contact_details = row[10:]
    digest = bytes(digest)
    return Link(
        message_id=pk,
        channel=channel,
        digest=digest,
        country=country,
        language=language,
        reply_code=reply_code,
        campaign_id=campaign_id,
        campaign_name=campaign_name,
        company=Company(id=company_id, name=name, language=company_language, opt_out_scope=scope),
        brand=Brand(company_id, name, company_language, privacy_url, imprint_url, color, contact_details),
        address=Address(channel, address) if address else ErasedAddress(channel, "", kept=digest),
    )


def _one(name: str, *arguments: object) -> tuple | None:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchone()
