"""What stands behind a link: the message, whose marketing it stops, how its address stands."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.db import connection

from accounts.models import Company
from lib import sql
from lib.keys import digest_key
from messaging.addresses import Address
from optout.codes import TAG_LENGTH
from optout.links import codes

STATEMENTS = sql.named(Path(__file__).parents[1] / "sql" / "landing.sql")


class Brand(NamedTuple):
    """What a page shows of a company; pages are kept per brand, so an edit shows at once."""

    company_id: int
    slug: str
    name: str
    language: str
    privacy_url: str
    imprint_url: str
    color: str
    contact_details: str
    #: JSON of Company.landing_texts, and Company.logo.
    own_texts: str
    logo: str
    #: Fewer messages instead of none: a pause, and topics as JSON of [[group, name, {language: name}], …].
    offers_pause: bool
    topics: str

    def own(self, language: str) -> dict[str, str]:
        """Its own words in this language."""
        found: dict[str, str] = json.loads(self.own_texts or "{}").get(language, {})
        return found

    def topics_in(self, language: str) -> list[tuple[int, str]]:
        return _named(self.topics, language)

    @property
    def logo_shown(self) -> dict[str, str]:
        name, width, height = self.logo.split()
        return {"url": f"/c/{self.slug}/logo/{name}", "width": width, "height": height}


@dataclass(frozen=True, slots=True)
class ErasedAddress(Address):
    """An address of which only the digest is left; it can still be kept out."""

    kept: bytes

    def digest(self, key: bytes) -> bytes:
        return self.kept


@dataclass(frozen=True, slots=True)
class Standing:
    """`event_id` of the opt-out in force; None when marketing is allowed, maybe later or without some topics."""

    event_id: int | None
    reason_given: bool
    paused_until: datetime | None
    topics: str

    def topics_left(self, language: str) -> list[tuple[int, str]]:
        return _named(self.topics, language)


@dataclass(frozen=True, slots=True)
class Link:
    """Whose marketing a page stops, to which address: by a message, or by an opt-out on the company's own page."""

    message_id: int | None
    event_id: int | None
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

    @property
    def source(self) -> str:
        return "portal" if self.message_id is None else "landing"

    @property
    def path(self) -> str:
        if self.message_id is None:
            return f"/c/{self.brand.slug}"
        if self.channel == "email":
            return f"/e/{codes().encode_tagged(self.message_id)}"
        return f"/{codes().encode(self.message_id)}"

    def receipt(self, purpose: str) -> str:
        """The end of the address of the page that says what was done."""
        if self.message_id is not None:
            return codes().receipt(self.message_id, purpose)
        assert self.event_id is not None
        return codes().encode(self.event_id) + codes().receipt(self.event_id, f"portal:{purpose}")

    def is_to(self, address: Address) -> bool:
        """Compared in constant time; nothing is looked up."""
        return hmac.compare_digest(self.digest, address.digest(digest_key()))

    def standing(self) -> Standing:
        row = _one("standing", self.brand.company_id, self.channel, self.digest)
        assert row is not None
        return Standing(*row)


def find(message_id: int) -> Link | None:
    row = _one("link", message_id)
    return _link(row, message_id=message_id) if row else None


def find_by_receipt(slug: str, *, purpose: str, receipt: str) -> Link | None:
    """After an opt-out without a link: the receipt names the event."""
    event_id = codes().decode(receipt[:-TAG_LENGTH])
    if event_id is None or not codes().check_receipt(event_id, f"portal:{purpose}", receipt[-TAG_LENGTH:]):
        return None
    row = _one("event", event_id, slug)
    return _link(row, event_id=event_id) if row else None


@dataclass(frozen=True, slots=True)
class Asked:
    """An opt-in that waits for its second step."""

    link: Link
    out_event_id: int
    evidence: dict[str, str]


def find_asked(request_id: int, *, lock: bool = False) -> Asked | None:
    row = _one("asked_locked" if lock else "asked", request_id)
    if row is None:
        return None
    slug, message_id, out_event_id, proof = row
    found = find(message_id) if message_id else None
    if message_id is None:
        event = _one("event", out_event_id, slug)
        found = _link(event, event_id=out_event_id) if event else None
    return Asked(found, out_event_id, json.loads(proof)) if found else None


def find_company(slug: str) -> tuple[Company, Brand] | None:
    row = _one("company", slug.lower())
    return _company(row) if row else None


def find_logo(slug: str, name: str) -> bytes | None:
    row = _one("logo", slug, name)
    return bytes(row[0]) if row else None


def _link(row: tuple, *, message_id: int | None = None, event_id: int | None = None) -> Link:
    channel, address, digest, country, language, reply_code, campaign_id, campaign_name = row[:8]
    company, brand = _company(row[8:])
    digest = bytes(digest)
    return Link(
        message_id=message_id,
        event_id=event_id,
        channel=channel,
        digest=digest,
        country=country,
        language=language,
        reply_code=reply_code,
        campaign_id=campaign_id,
        campaign_name=campaign_name,
        company=company,
        brand=brand,
        address=Address(channel, address) if address else ErasedAddress(channel, "", kept=digest),
    )


def _company(row: tuple) -> tuple[Company, Brand]:
    scope, country, *shown = row
    brand = Brand(*shown)
    company = Company(
        id=brand.company_id,
        slug=brand.slug,
        name=brand.name,
        country=country,
        language=brand.language,
        opt_out_scope=scope,
    )
    return company, brand


def _named(topics: str, language: str) -> list[tuple[int, str]]:
    return [(pk, names.get(language) or name) for pk, name, names in json.loads(topics or "[]")]


def _one(name: str, *arguments: object) -> tuple | None:
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], arguments)
        return cursor.fetchone()
