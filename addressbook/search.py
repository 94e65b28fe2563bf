"""One search field: how a name begins, a number in any writing or a part of it, an e-mail address or its words.

Found by index, however many contacts there are (sql/search.sql).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.fields import BooleanField
from django.db.models.functions import Concat

from addressbook.models import Contact, Suppression
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse

LONGEST = 200
MOST_WORDS = 6
FEWEST_DIGITS = 3
#: So many contacts can be read one by one while somebody waits.
FEW = 20_000
#: At most so many matches are fetched at once.
MANY = 4_000
#: More are so frequent that a page of them mostly stands among so many contacts.
NEAR = 50_000
SEPARATORS = "@.-_+'’,;:()/&\"\t\n\u00a0"
_BETWEEN_WORDS = re.compile(f"[\\s{re.escape(SEPARATORS)}]+")
_GRAM = 4
_NUMBER = re.compile(r"\+?[0-9]+", re.ASCII)
_BETWEEN_DIGITS = re.compile(r"[\s.\-‐-―−/()\[\]·•\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")


@dataclass(frozen=True)
class Sought:
    """What a text may mean, as conditions on rows; asked once, then used for the page, the count and the export."""

    #: By the index of words.
    match: Q | Func = field(default_factory=Q)
    #: The same where rows are read one by one: it says nothing new, but costs little.
    plainly: Q = field(default_factory=Q)
    #: All that match, when they are at most MANY.
    few: list[int] | None = None
    many: bool = False

    def among(self, rows: QuerySet[Any], *, one_by_one: bool = False) -> QuerySet[Any]:
        """`one_by_one`: the rows are few enough to be read; IS TRUE keeps the index out."""
        if self.few is not None:
            return rows.filter(pk__in=self.few)
        rows = rows.filter(self.plainly)
        if not self.many:
            return rows
        return rows.filter(_is_true(self.match) if one_by_one else self.match)


def contacts(text: str, *, country: str, company: int) -> Sought:
    """National numbers are read as `country`'s."""
    if not text.strip():
        return Sought()
    everybody = written(Contact.objects.of(company))
    address = _address(text, country=country)
    if address and (exact := _keys(everybody.with_address(address))):
        return Sought(few=exact)
    if digits := _digits(text):
        return _sought(everybody, _matches(_CONTACT, _digits_query(company, digits)), Q(phone__contains=digits))
    words = _words(text)
    plainly = Q(*[Q(written__icontains=word) for word in words])
    for part in text.split()[:MOST_WORDS]:
        if "@" in part:
            plainly &= Q(email__icontains=part)
    found = _sought(everybody, _matches(_CONTACT, _words_query(company, words)), plainly) if words else Sought(few=[])
    if found.few == [] and _few(everybody):
        # A small address book is read through: there the middle of a word is found as well.
        return Sought(plainly=Q(*[Q(written__icontains=word) for word in text.split()[:MOST_WORDS]]))
    return found


def suppressions(text: str, *, country: str, company: int) -> Sought:
    """An erased address is found by its digest, so only when it is written in full."""
    if not text.strip():
        return Sought()
    everything = Suppression.objects.of(company)
    address = _address(text, country=country)
    if address:
        exact = _keys(everything.filter(channel=address.channel, digest=address.digest(digest_key())))
        if exact:
            return Sought(few=exact)
    digits = _digits(text)
    part = digits or text.strip()
    plainly = Q(address__icontains=part) if digits or "@" in text else Q()
    query = _digits_query(company, digits) if digits else _words_query(company, _words(text))
    found = _sought(everything, _matches(_SUPPRESSION, query), plainly) if query else Sought(few=[])
    if found.few == [] and _few(everything):
        return Sought(plainly=Q(address__icontains=part))
    return found


def written(rows: Any) -> Any:
    """With what the words of a contact are read from."""
    return rows.alias(written=Concat("first_name", Value(" "), "last_name", Value(" "), "email"))


def _sought(everything: QuerySet[Any], match: Func, plainly: Q) -> Sought:
    """A few are found at once: the planner cannot know how often a part of a word occurs, and when it expects
    too many it reads millions of rows in search of the newest."""
    with by_index():
        found = _keys(everything.filter(plainly).filter(match)[: MANY + 1])
    if len(found) <= MANY:
        return Sought(few=found)
    return Sought(match=match, plainly=plainly, many=True)


def tidy() -> None:
    """New entries of the index of words are sorted in; for the worker, every few seconds. Only the index's owner may:
    under another role PostgreSQL's autovacuum does it, later."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT gin_clean_pending_list(oid) FROM pg_class"
            " WHERE relname IN ('contact_words', 'suppression_words') AND pg_table_is_visible(oid)"
            " AND pg_has_role(relowner, 'USAGE')"
        )


@contextmanager
def by_index() -> Iterator[None]:
    """Queries inside find words by their index and in no other way."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        yield
        cursor.execute("SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = on")


def _keys(rows: QuerySet[Any]) -> list[int]:
    return list(rows.values_list("pk", flat=True))


_CONTACT = Func(
    F("company_id"), F("first_name"), F("last_name"), F("email"), F("phone"),
    function="search_words_v1", output_field=TextField(),
)  # fmt: skip
_SUPPRESSION = Func(F("company_id"), F("channel"), F("address"), function="search_address_v1", output_field=TextField())


def _matches(words: Func, query: str) -> Func:
    return Func(
        words, Value(query), template="(%(expressions)s::tsquery)", arg_joiner=" @@ ", output_field=BooleanField()
    )


def _is_true(condition: Any) -> Func:
    return Func(condition, template="(%(expressions)s IS TRUE)", output_field=BooleanField())


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
