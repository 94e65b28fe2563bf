"""One search field: how a name begins, a number in any writing or a part of it, an e-mail address or its words.

Found by index, however many contacts there are (sql/search.sql).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.db.models import F, Func, QuerySet, TextField, Value
from django.db.models.fields import BooleanField
from django.db.models.functions import Concat

from addressbook.models import Contact, Suppression
from addressbook.models.contact import ContactQuerySet
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse

LONGEST = 200
MOST_WORDS = 6
FEWEST_DIGITS = 3
#: So many contacts can be read one by one while somebody waits.
FEW = 20_000
SEPARATORS = "@.-_+'’,;:()/&\"\t\n\u00a0"
_BETWEEN_WORDS = re.compile(f"[\\s{re.escape(SEPARATORS)}]+")
_GRAM = 4
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)
_BETWEEN_DIGITS = re.compile(r"[\s.\-‐-―−/()\[\]·•\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")


def contacts(rows: ContactQuerySet, text: str, *, country: str, company: int) -> QuerySet[Contact]:
    """The contacts that `text` may mean. National numbers are read as `country`'s."""
    if not text.strip():
        return rows
    address = _address(text, country=country)
    if address and (exact := rows.with_address(address)).exists():
        return exact
    if digits := _digits(text):
        return rows.filter(_matches(_CONTACT, _digits_query(company, digits)), phone__contains=digits)
    found = rows.none()
    if query := _words_query(company, text):
        found = rows.filter(_matches(_CONTACT, query))
        for part in text.split()[:MOST_WORDS]:
            if "@" in part:
                found = found.filter(email__icontains=part)
    if not found.exists() and _few(Contact.objects.of(company)):
        # A small address book is read through: there the middle of a word is found as well.
        found = rows.alias(written=Concat("first_name", Value(" "), "last_name", Value(" "), "email"))
        for word in text.split()[:MOST_WORDS]:
            found = found.filter(written__icontains=word)
    return found


def suppressions(rows: QuerySet[Suppression], text: str, *, country: str, company: int) -> QuerySet[Suppression]:
    """The suppressions that `text` may mean; an erased address is found by its digest, so only when written in full."""
    if not text.strip():
        return rows
    address = _address(text, country=country)
    if address:
        exact = rows.filter(channel=address.channel, digest=address.digest(digest_key()))
        if exact.exists():
            return exact
    if digits := _digits(text):
        return rows.filter(_matches(_SUPPRESSION, _digits_query(company, digits)), address__contains=digits)
    found = rows.none()
    if query := _words_query(company, text):
        found = rows.filter(_matches(_SUPPRESSION, query))
        if "@" in text:
            found = found.filter(address__icontains=text.strip())
    if not found.exists() and _few(Suppression.objects.of(company)):
        found = rows.filter(address__icontains=text.strip())
    return found


_CONTACT = Func(
    F("company_id"), F("first_name"), F("last_name"), F("email"), F("phone"),
    function="search_words_v1", output_field=TextField(),
)  # fmt: skip
_SUPPRESSION = Func(F("company_id"), F("channel"), F("address"), function="search_address_v1", output_field=TextField())


def _matches(words: Func, query: str) -> Func:
    return Func(
        words, Value(query), template="(%(expressions)s::tsquery)", arg_joiner=" @@ ", output_field=BooleanField()
    )


def _few(rows: QuerySet[Any]) -> bool:
    return not rows.order_by("pk").values("pk")[FEW : FEW + 1].exists()


def _words_query(company: int, text: str) -> str:
    """All words of the text, each as the beginning of one."""
    words = [word for word in _BETWEEN_WORDS.split(text.lower()) if word][:MOST_WORDS]
    return " & ".join(f"{_quoted(f'{company}:{word}')}:*" for word in words)


def _digits_query(company: int, digits: str) -> str:
    """Every four of the digits in a row; that they stand in this order is looked at afterwards."""
    if len(digits) < _GRAM:
        return f"{_quoted(f'{company}#{digits}')}:*"
    return " & ".join(_quoted(f"{company}#{digits[i : i + _GRAM]}") for i in range(len(digits) - _GRAM + 1))


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


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
