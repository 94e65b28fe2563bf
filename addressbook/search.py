"""One search field: part of a name, a number in any writing, or an e-mail address."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Concat

from addressbook.models import Contact, Suppression
from addressbook.models.contact import ContactQuerySet
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse

LONGEST = 200
MOST_WORDS = 6
FEWEST_DIGITS = 3
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)
_BETWEEN_DIGITS = re.compile(r"[\s.\-‐-―−/()\[\]·•\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")


def contacts(rows: ContactQuerySet, text: str, *, country: str) -> QuerySet[Contact]:
    """The contacts that `text` may mean. National numbers are read as `country`'s."""
    if not text.strip():
        return rows
    # A whole address is answered by its index; only a part of one, or a name, reads many rows.
    address = _address(text, country=country)
    if address and (exact := rows.with_address(address)).exists():
        return exact
    if digits := _digits(text):
        return rows.filter(phone__contains=digits)
    rows = rows.alias(written=Concat("first_name", Value(" "), "last_name", Value(" "), "email"))
    for word in text.split()[:MOST_WORDS]:
        rows = rows.filter(written__icontains=word)
    return rows


def suppressions(rows: QuerySet[Suppression], text: str, *, country: str) -> QuerySet[Suppression]:
    """The suppressions that `text` may mean; an erased address is found by its digest, so only when written in full."""
    if not text.strip():
        return rows
    address = _address(text, country=country)
    if address:
        exact = rows.filter(channel=address.channel, digest=address.digest(digest_key()))
        if exact.exists():
            return exact
    return rows.filter(address__icontains=_digits(text) or text.strip())


def _address(text: str, *, country: str) -> Address | None:
    try:
        return parse(text, default_country=country)
    except InvalidAddress:
        return None


def _digits(text: str) -> str:
    """The digits by which a part of a number can be found, whatever came before them (+, 00, 0); else empty."""
    plain = _BETWEEN_DIGITS.sub("", "".join(_ascii_digit(c) for c in text.replace("(0)", "")))
    if not _NUMBER.fullmatch(plain):
        return ""
    digits = plain.lstrip("+0")
    return digits if len(digits) >= FEWEST_DIGITS else ""


def _ascii_digit(c: str) -> Any:
    return str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else {"＋": "+", "﹢": "+"}.get(c, c)
