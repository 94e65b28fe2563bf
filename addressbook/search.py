"""One search field: how a name begins, a number in any writing or a part of it, an e-mail address or its words.

Found by index, however many contacts there are (sql/search.sql).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Func, Q, QuerySet, TextField, Value
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
#: More matches than this are so frequent that the newest of them are near.
MANY = 4_000
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
    everybody = Contact.objects.of(company)
    if digits := _digits(text):
        return _narrowed(rows, everybody, _matches(_CONTACT, _digits_query(company, digits)), Q(phone__contains=digits))
    words = _words(text)
    # Says nothing that the words do not, but costs little where rows are read one by one.
    plainly = Q(*[Q(written__icontains=word) for word in words])
    for part in text.split()[:MOST_WORDS]:
        if "@" in part:
            plainly &= Q(email__icontains=part)
    if words:
        found = _narrowed(
            _written(rows), _written(everybody), _matches(_CONTACT, _words_query(company, words)), plainly
        )
        if found.exists() or not _few(everybody):
            return found
    elif not _few(everybody):
        return rows.none()
    # A small address book is read through: there the middle of a word is found as well.
    found = _written(rows)
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
    everything = Suppression.objects.of(company)
    part = _digits(text) or text.strip()
    plainly = Q(address__icontains=part) if _digits(text) or "@" in text else Q()
    query = _digits_query(company, part) if _digits(text) else _words_query(company, _words(text))
    if query:
        found = _narrowed(rows, everything, _matches(_SUPPRESSION, query), plainly)
        if found.exists() or not _few(everything):
            return found
    return rows.filter(address__icontains=part) if _few(everything) else rows.none()


def _written(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.alias(written=Concat("first_name", Value(" "), "last_name", Value(" "), "email"))


def _narrowed(rows: QuerySet[Any], everything: QuerySet[Any], match: Func, plainly: Q) -> QuerySet[Any]:
    """`rows` that match. When few of `everything` do, they are found first: the planner cannot know how often a part
    of a word occurs, and when it expects too many it reads millions of rows in search of the newest."""
    with transaction.atomic(), connection.cursor() as cursor:
        # By the index of words and in no other way.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        found = list(everything.filter(match).filter(plainly).order_by().values_list("pk", flat=True)[: MANY + 1])
        cursor.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = on")
    if len(found) <= MANY:
        return rows.filter(pk__in=found)
    return rows.filter(plainly).filter(match)


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


def _words(text: str) -> list[str]:
    return [word for word in _BETWEEN_WORDS.split(text.lower()) if word][:MOST_WORDS]


def _words_query(company: int, words: list[str]) -> str:
    """All words, each as the beginning of one."""
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
