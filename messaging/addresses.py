"""Addresses: one canonical form per phone number and e-mail address (pure)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from messaging import plans

LONGEST_PHONE_TEXT = 64
LONGEST_EMAIL = 254  # RFC 5321 4.5.3.1.3
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_SEPARATORS = re.compile(r"[\s.\-‐-―−/()\[\]·•]+")
_INVISIBLE = dict.fromkeys(range(8203, 8208)) | dict.fromkeys(range(8234, 8239))
_INVISIBLE |= dict.fromkeys(range(8288, 8304)) | {0xFEFF: None, 0x00AD: None}
_EMAIL_LOCAL = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x20\x7f]{1,64}")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+", re.ASCII)


class InvalidAddress(ValueError):
    """The text is no address; the message says how to mend it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Address:
    """A phone number in E.164, or a normalised e-mail address."""

    channel: str
    value: str
    #: `plan`, where whoever read the number has looked it up already.
    known_plan: tuple[str, bool] | None = field(default=None, compare=False, repr=False, kw_only=True)

    @property
    def identity(self) -> str:
        """The one form shared by every way of writing a person's number.

        What is suppressed is the identity, so an opt-out covers all aliases. Once
        released, a rule here may not change: erased people are known by it alone.
        """
        return _identity(self.value) if self.channel == "sms" else self.value

    @property
    def country(self) -> str:
        """Two letters, from the number; empty for e-mail and unknown regions."""
        return self.plan[0]

    @property
    def is_landline(self) -> bool:
        """By its country's numbering plan; a number that may as well be a mobile's is none."""
        return self.plan[1]

    @property
    def plan(self) -> tuple[str, bool]:
        """`country` and `is_landline` at one look."""
        if self.channel != "sms":
            return "", False
        if self.known_plan:
            return self.known_plan
        if found := plans.look(self.value):
            return found[1], found[2]
        try:
            number = phonenumbers.parse(self.value)
        except NumberParseException:
            return "", False
        region = phonenumbers.region_code_for_number(number)
        landline = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE
        return (region if region and len(region) == 2 else ""), landline

    def digest(self, key: bytes) -> bytes:
        """Keyed, 32 bytes; what remains of a person after erasure."""
        inner, outer = _pads(key)
        inner, outer = inner.copy(), outer.copy()
        inner.update(f"{self.channel}:{self.identity}".encode())
        outer.update(inner.digest())
        return outer.digest()


@lru_cache(maxsize=8)
def _pads(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """HMAC-SHA-256 (RFC 2104) with the key taken in: what is left for an address takes a third of the time."""
    block = key.ljust(64, b"\0") if len(key) <= 64 else hashlib.sha256(key).digest().ljust(64, b"\0")
    return hashlib.sha256(bytes(b ^ 0x36 for b in block)), hashlib.sha256(bytes(b ^ 0x5C for b in block))


def _identity(phone: str) -> str:
    if phone[1:3] not in _RENUMBERED:
        return phone
    if phone.startswith("+521") and len(phone) == 14:  # Mexico dropped the mobile 1 in 2020
        return "+52" + phone[4:]
    if phone.startswith("+549") and len(phone) == 14:  # Argentina: mobiles with and without 9
        return "+54" + phone[4:]
    if phone.startswith("+55") and len(phone) == 13 and phone[5] in "6789":  # Brazil: a 9 before mobiles, 2012–2016
        return phone[:5] + "9" + phone[5:]
    if phone.startswith("+229") and len(phone) == 12:  # Benin put 01 before every number in 2024
        return "+22901" + phone[4:]
    if phone.startswith("+225") and len(phone) == 12:  # Ivory Coast, 2021: two digits by operator
        return "+225" + _IVORY_COAST.get(phone[5], "") + phone[4:]
    return phone


#: How the calling codes of those countries begin: the glance that is enough for all others.
_RENUMBERED = frozenset({"52", "54", "55", "22"})
#: Second digit of the old number → prefix of the operator (renumbering of 31 January 2021, mobile ranges).
_IVORY_COAST = {
    "1": "01", "2": "01", "3": "01", "0": "01",
    "4": "05", "5": "05", "6": "05",
    "7": "07", "8": "07", "9": "07",
}  # fmt: skip


def parse(text: str, *, default_country: str | None = None) -> Address:
    """A phone number or, when there is an @, an e-mail address. Raises InvalidAddress."""
    return parse_email(text) if "@" in text else parse_phone(text, default_country=default_country)


def parse_phone(text: str, *, default_country: str | None = None) -> Address:
    """A number in any usual writing, national only with `default_country`. Raises InvalidAddress."""
    if _E164.fullmatch(text) and (canonical := _known_good(text)):
        return canonical
    if len(text) > LONGEST_PHONE_TEXT:
        raise InvalidAddress("too_many_characters", "This is too long for a phone number.")
    cleaned = _plain(text)
    if not cleaned:
        raise InvalidAddress("empty", "Enter a phone number.")
    if not re.fullmatch(r"\+?[0-9]+", cleaned, re.ASCII):
        raise InvalidAddress("not_a_number", "Use digits only, for example +31 6 12345678.")
    if cleaned.startswith("00"):
        cleaned = "+" + cleaned[2:]
    country = (default_country or "").upper() or None
    if country and country not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidAddress("unknown_country", f"{country} is not a country code; use two letters such as NL.")
    if not cleaned.startswith("+") and not country:
        raise InvalidAddress("no_country", "Write the number with + and its country code, for example +31 6 12345678.")
    try:
        number = phonenumbers.parse(cleaned, country)
    except NumberParseException as problem:
        raise InvalidAddress("not_a_number", "This is not a phone number. Example: +31 6 12345678.") from problem
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if not phonenumbers.is_valid_number(number):
        alias = _alias(e164)
        if alias is None:
            raise _why_not(number)
        e164 = alias
    return Address("sms", e164)


def _known_good(text: str) -> Address | None:
    if found := plans.valid(text):
        return Address("sms", found[0])
    try:
        number = phonenumbers.parse(text)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return Address("sms", phonenumbers.format_number(number, PhoneNumberFormat.E164))


def _plain(text: str) -> str:
    """Any script's decimal digits as ASCII; separators and what cannot be seen are dropped."""
    text = text.strip().lstrip("'’`").translate(_INVISIBLE)
    text = re.sub(r"(?i)^\s*tel:", "", text)
    text = text.replace("(0)", "") if re.match(r"\s*(\+|00|＋)", text) else text
    out = []
    for c in text:
        if unicodedata.category(c) == "Nd":
            out.append(str(unicodedata.decimal(c)))
        else:
            out.append("+" if c in "＋﹢" else c)
    return _SEPARATORS.sub("", "".join(out))


def _alias(e164: str) -> str | None:
    """Old forms that the numbering plans no longer know but people still type."""
    identity = _identity(e164)
    if identity == e164:
        return None
    try:
        number = phonenumbers.parse(identity)
    except NumberParseException:
        return None
    return identity if phonenumbers.is_valid_number(number) else None


def _why_not(number: phonenumbers.PhoneNumber) -> InvalidAddress:
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    place = f" for {region}" if region and len(region) == 2 else ""
    match phonenumbers.is_possible_number_with_reason(number):
        case phonenumbers.ValidationResult.TOO_SHORT:
            return InvalidAddress("too_short", f"This number is too short{place}; check that no digit is missing.")
        case phonenumbers.ValidationResult.TOO_LONG:
            return InvalidAddress("too_long", f"This number is too long{place}; one number only, without extension.")
        case phonenumbers.ValidationResult.INVALID_COUNTRY_CODE:
            return InvalidAddress("unknown_country", "No country has this calling code; check the digits after the +.")
        case _:
            return InvalidAddress("not_valid", f"This is not a number in use{place}; check it for a typing mistake.")


def parse_email(text: str) -> Address:
    """An e-mail address, compared without case; the domain as ASCII (IDNA). Raises InvalidAddress."""
    wrong = InvalidAddress("not_an_email", "This is not an e-mail address. Example: name@example.org.")
    cleaned = unicodedata.normalize("NFC", text.translate(_INVISIBLE).strip())
    local, at, domain = cleaned.rpartition("@")
    if not at or len(cleaned) > LONGEST_EMAIL or not _EMAIL_LOCAL.fullmatch(local):
        raise wrong
    if local.startswith(".") or local.endswith(".") or ".." in local:
        raise wrong
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower()
        local.encode("utf-8")
    except UnicodeError as problem:
        raise wrong from problem
    if not _DOMAIN.fullmatch(ascii_domain) or len(local) + len(ascii_domain) + 1 > LONGEST_EMAIL:
        raise wrong
    return Address("email", f"{local.lower()}@{ascii_domain}")


def display(value: str) -> str:
    """+31 6 12345678, for people to read; anything else as it is."""
    if not value.startswith("+"):
        return value
    try:
        return phonenumbers.format_number(phonenumbers.parse(value), PhoneNumberFormat.INTERNATIONAL)
    except NumberParseException:
        return value
