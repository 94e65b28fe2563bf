"""What spreadsheets do to cells: mended when only one reading is possible, else refused with the remedy.

Nothing is guessed. A digit that the spreadsheet dropped is gone, and a number that could
be of two countries is nobody's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import NamedTuple

import phonenumbers
from babel import Locale
from django.utils.translation import gettext as _
from phonenumbers import PhoneMetadata

from lib.sheets import plain
from messaging import addresses, plans
from messaging.addresses import Address, InvalidAddress

_NOTHING = (
    "- -- — – . / ? x n/a na n.a. n.a #n/a #nv #n/b #n/d #nd none null nil nan (null) undefined unknown onbekend "
    "unbekannt inconnu desconocido sconosciuto desconhecido nvt n.v.t. geen keine kein aucun ninguno nessuno nenhum"
)
NOTHING = frozenset(_NOTHING.split())
_SPREADSHEET_ERROR = re.compile(r"#(?:[A-Z]{3,}[A-Z0-9/_]*[!?]?|#+)")
_SCIENTIFIC = re.compile(r"\+?([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})", re.ASCII)
_THOUSANDS = re.compile(r"\+?[0-9]{1,3}(?:,[0-9]{3}){2,4}", re.ASCII)
_QUOTED_FORMULA = re.compile(r'="([^"]*)"')
_SIGNED_FORMULA = re.compile(r"=\s*(\+?[0-9 ]+)", re.ASCII)
_BETWEEN_NUMBERS = re.compile(r"[;,|\r\n]|\s/\s|\s+(?:or|and|oder|und|ou|et|of|en|o|y|e)\s+", re.IGNORECASE)
_EXTENSION = re.compile(r"[0-9)]\s*(?:ext\.?|extension|x|#|dw|toestel|poste)\s*[0-9]+\s*", re.IGNORECASE)
#: Where phonenumbers takes longer national numbers than there are: Germany's have 11 digits at most without the 0
#: (Bundesnetzagentur), so that 49 151 12345678 is not the number 0491 5112345678.
_LONGEST_NATIONAL = {"DE": 11}
_NAMED_EMAIL = re.compile(r"[^<>@]*<\s*([^<>\s]+@[^<>\s]+)\s*>")


class CellProblem(ValueError):
    """A cell that cannot be used; the message says how to mend it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Read(NamedTuple):
    """What a cell says; `note` tells what was mended."""

    value: Address | None
    note: str = ""


def text(cell: str) -> str:
    """A cell as plain text: no blanks around it, none that cannot be seen, on one line."""
    if cell.isalnum() or (cell.isprintable() and cell[:1].isalnum() and cell[-1] != " " and "  " not in cell):
        return cell
    return " ".join(plain(cell).replace("\u200b", "").replace("\ufeff", "").split())


def phone(cell: str, *, country: str = "") -> Read:
    """Raises CellProblem."""
    if found := plans.look(cell.replace(" ", "").replace("-", ""), country):
        return Read(Address("sms", found[0], known_plan=(found[1], found[2])))
    raw = cell.strip()
    if raw.startswith("+") and raw[1:].isdecimal() and raw.isascii():
        return Read(_parsed(raw, country))
    raw = raw.replace("\u00a0", " ").replace("\u202f", " ").strip()
    if not raw or raw.casefold() in NOTHING:
        return Read(None)
    unguarded, note = _unguarded(raw)
    digits, mended = _digits(unguarded)
    note = mended or note
    _refuse_two(digits)
    if _EXTENSION.search(digits):
        raise CellProblem("extension", _("There is an extension in this cell; an SMS needs the number alone."))
    address, mended = _international(digits, country)
    return Read(address, mended or note)


def _unguarded(raw: str) -> tuple[str, str]:
    """Without the signs by which a spreadsheet is told that this is text."""
    if found := _QUOTED_FORMULA.fullmatch(raw) or _SIGNED_FORMULA.fullmatch(raw):
        return found[1].strip(), _("formula around the number")
    if raw.startswith("="):
        raise CellProblem("formula", _("This cell is a formula. Paste the values only, and export the file again."))
    if _SPREADSHEET_ERROR.fullmatch(raw):
        detail = _(
            "Your spreadsheet shows an error here. Format the column as text, correct the cell and export again."
        )
        raise CellProblem("spreadsheet_error", detail)
    if raw[0] in "'’`":
        # What our own exports put before a + is no damage worth a mark.
        return raw.lstrip("'’`").strip(), "" if plain(raw) != raw else _("apostrophe in front")
    return raw, ""


def _digits(raw: str) -> tuple[str, str]:
    """A number that a spreadsheet took for a quantity, as its digits."""
    if found := _SCIENTIFIC.fullmatch(raw):
        fraction, exponent = found[2] or "", int(found[3])
        if exponent > len(fraction):
            detail = _(
                "Your spreadsheet shortened this number to %(cell)s and its last digits are lost. "
                "Format the column as text, enter the number again and export."
            )
            raise CellProblem("digits_lost", detail % {"cell": raw})
        exact = Decimal(f"{found[1]}.{fraction or 0}").scaleb(exponent)
        if exact != exact.to_integral_value():
            raise CellProblem("decimals", _decimals())
        return str(exact.quantize(Decimal(1))), _("spreadsheet number")
    if _THOUSANDS.fullmatch(raw):
        return raw.replace(",", ""), _("thousands separators")
    if re.fullmatch(r"\+?[0-9]{7,}[.,]0", raw, re.ASCII):
        return raw[:-2], _("spreadsheet number")
    if re.fullmatch(r"\+?[0-9]{7,}[.,][0-9]{1,2}", raw, re.ASCII):
        raise CellProblem("decimals", _decimals())
    return raw, ""


def _decimals() -> str:
    return _("This number has decimals. Format the column as text, enter the number again and export.")


def _refuse_two(raw: str) -> None:
    parts = [part for part in _BETWEEN_NUMBERS.split(raw) if sum(c.isdigit() for c in part) >= 4]
    slashed = [part for part in raw.split("/") if sum(c.isdigit() for c in part) >= 6]
    if len(parts) > 1 or len(slashed) > 1 or raw.count("+") > 1:
        raise CellProblem("two_numbers", _two_numbers())


def _two_numbers() -> str:
    return _("There are two numbers in this cell. Keep one, and give the other a row of its own.")


def _international(raw: str, country: str) -> tuple[Address, str]:
    """The address, with a note when its + or its leading zero had gone and only one reading is left."""
    bare = re.sub(r"[\s.\-/()]", "", raw)
    if not country and re.fullmatch(r"[1-9][0-9]{5,}", bare, re.ASCII):
        detail = _("No country: write the number with + and its country code, or choose a default country.")
        raise CellProblem("no_country", detail)
    if not country or not _lost_its_start(bare, country):
        return _parsed(raw, country), ""
    # The country expects 0 before national numbers; this one has neither 0 nor +.
    zero, plus = _valid(_trunk(country) + bare, country), _valid("+" + bare, "")
    code = str(phonenumbers.country_code_for_region(country))
    if plus and len(bare) > _LONGEST_NATIONAL.get(country, 15):
        return plus, _("lost plus sign")
    if zero and plus and zero != plus:
        detail = _(
            "Without its 0 or + this could be %(national)s or %(international)s. "
            "Write the number with + and its country code."
        )
        raise CellProblem("ambiguous", detail % {"national": zero.value, "international": plus.value})
    if zero and not (plus and bare.startswith(code)):
        return zero, _("lost leading zero")
    if plus:
        return plus, _("lost plus sign")
    return _parsed(raw, country), ""


@cache
def _trunk(country: str) -> str:
    """What people of the country dial before national numbers."""
    metadata = PhoneMetadata.metadata_for_region(country)
    return (metadata.national_prefix or "") if metadata else ""


def _lost_its_start(bare: str, country: str) -> bool:
    if not re.fullmatch(r"[1-9][0-9]{5,}", bare, re.ASCII):
        return False
    trunk = _trunk(country)
    if trunk == "0":
        return True
    if trunk and bare.startswith(trunk) and _valid(bare, country):
        return False
    # Elsewhere national numbers are written as they are; only what fits no national number may have lost its +.
    return not _is_national(bare, country)


def _is_national(bare: str, country: str) -> bool:
    if not (found := _valid(bare, country)):
        return False
    return not bare.startswith(str(phonenumbers.country_code_for_region(country))) or found.value != "+" + bare


def _valid(text: str, country: str) -> Address | None:
    try:
        return addresses.parse_phone(text, default_country=country or None)
    except InvalidAddress:
        return None


def _parsed(raw: str, country: str) -> Address:
    try:
        return addresses.parse_phone(raw, default_country=country or None)
    except InvalidAddress as problem:
        parts = raw.split()
        for cut in range(1, len(parts)):
            if _valid("".join(parts[:cut]), country) and _valid("".join(parts[cut:]), country):
                raise CellProblem("two_numbers", _two_numbers()) from problem
        raise CellProblem(problem.code, _(str(problem))) from problem


def email(cell: str) -> Read:
    """Raises CellProblem."""
    raw = text(cell)
    if not raw or raw.casefold() in NOTHING:
        return Read(None)
    note = ""
    if found := _QUOTED_FORMULA.fullmatch(raw):
        raw, note = found[1].strip(), _("formula around the address")
    if raw.startswith("'"):
        raw, note = raw.lstrip("'").strip(), _("apostrophe in front")
    if raw.count("@") > 1 and re.search(r"@\S+[\s,;/|]+\S*@", raw):
        detail = _("There are two e-mail addresses in this cell. Keep one, and give the other a row of its own.")
        raise CellProblem("two_emails", detail)
    if raw.casefold().startswith("mailto:"):
        raw, note = raw[7:], _("link to an address")
    if found := _NAMED_EMAIL.fullmatch(raw):
        raw, note = found[1], _("name beside the address")
    try:
        return Read(addresses.parse_email(raw), note)
    except InvalidAddress as problem:
        raise CellProblem(problem.code, _(str(problem))) from problem


LANGUAGES = ("en", "de", "fr", "nl", "es", "it", "pt")


@cache
def _names(kind: str) -> dict[str, str]:
    """Names in the languages of NAMES → code: Nederland, Niederlande, Pays-Bas → NL."""
    found: dict[str, str] = {}
    for language in LANGUAGES:
        for code, name in getattr(Locale(language), kind).items():
            if len(code) == 2 and code.isalpha():
                found.setdefault(name.casefold(), code)
    return found


COUNTRY_ALIASES = {
    "uk": "GB",
    "england": "GB",
    "great britain": "GB",
    "usa": "US",
    "holland": "NL",
    "the netherlands": "NL",
}


@lru_cache(maxsize=1000)
def country(cell: str) -> str:
    """Two letters. Raises CellProblem."""
    raw = text(cell)
    if not raw or raw.casefold() in NOTHING - {"na"}:  # NA is Namibia
        return ""
    code = COUNTRY_ALIASES.get(raw.casefold()) or _names("territories").get(raw.casefold()) or raw.upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        detail = _("%(cell)s is not a country. Use two letters such as NL.")
        raise CellProblem("unknown_country", detail % {"cell": raw[:40]})
    return code


@lru_cache(maxsize=1000)
def language(cell: str) -> str:
    """Two letters, with the region when there is one. Raises CellProblem."""
    raw = text(cell)
    if not raw or raw.casefold() in NOTHING:
        return ""
    name = _names("languages").get(raw.casefold())
    if name:
        return name
    found = re.fullmatch(r"([A-Za-z]{2})(?:[-_][A-Za-z]{2})?", raw)
    if not found or found[1].lower() not in _names("languages").values():
        detail = _("%(cell)s is not a language. Use two letters such as nl.")
        raise CellProblem("unknown_language", detail % {"cell": raw[:40]})
    return found[1].lower()


_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](.+))?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?:[T ](.+))?", re.ASCII)
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}),?(?: (.+))?", re.ASCII)
_EITHER = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}),?(?: (.+))?", re.ASCII)
_CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?: ?(am|pm))?(?: ?(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?",
    re.IGNORECASE | re.ASCII,
)


def moment(cell: str) -> datetime | None:
    """A date, with its time when there is one (UTC when no zone is named). Raises CellProblem."""
    raw = text(cell)
    if not raw or raw.casefold() in NOTHING:
        return None
    year = month = day = 0
    clock = ""
    if found := _ISO.fullmatch(raw) or _COMPACT.fullmatch(raw) or _YEAR_FIRST.fullmatch(raw):
        year, month, day = (int(part) for part in found.groups()[:3])
        clock = (found.groups()[3:] or ("",))[0] or ""
    elif found := _DOTTED.fullmatch(raw):
        day, month, year, clock = int(found[1]), int(found[2]), int(found[3]), found[4] or ""
    elif found := _EITHER.fullmatch(raw):
        one, two, year, clock = int(found[1]), int(found[2]), int(found[3]), found[4] or ""
        if one <= 12 and two <= 12 and one != two:
            detail = _("%(cell)s could be day and month or month and day. Write it as 2026-11-24.")
            raise CellProblem("ambiguous_date", detail % {"cell": raw[:40]})
        day, month = (one, two) if two <= 12 else (two, one)
    try:
        when = datetime(year, month, day, tzinfo=UTC) + _clock(clock)
    except (ValueError, OverflowError) as problem:
        detail = _("%(cell)s is not a date. Write it as 2026-11-24.")
        raise CellProblem("not_a_date", detail % {"cell": raw[:40]}) from problem
    if when.year < 1990 or when > datetime.now(UTC) + timedelta(days=1):
        detail = _("%(cell)s is in the future or too long ago. Write the date as 2026-11-24.")
        raise CellProblem("not_a_date", detail % {"cell": raw[:40]})
    return min(when, datetime.now(UTC))


def _clock(raw: str) -> timedelta:
    """From midnight UTC. Raises ValueError."""
    if not raw:
        return timedelta()
    found = _CLOCK.fullmatch(raw)
    if not found:
        raise ValueError(raw)
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if half := (found[4] or "").lower():
        if not 1 <= hour <= 12:
            raise ValueError(raw)
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(raw)
    since = timedelta(hours=hour, minutes=minute, seconds=second)
    zone = found[5] or ""
    if zone[:1] in "+-" and zone:
        digits = zone[1:].replace(":", "").ljust(4, "0")
        ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        since += -ahead if zone[0] == "+" else ahead
    return since
