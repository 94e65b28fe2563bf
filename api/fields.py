"""Types of fields that several bodies share; what they refuse, they refuse with a remedy."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal

import phonenumbers
from django.utils import timezone
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.problems import invalid
from messaging.addresses import Address, InvalidAddress, parse, parse_email, parse_phone

LONGEST_ADDRESS = 320
MOST_ATTRIBUTES = 50
LONGEST_ATTRIBUTE = 500
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z0-9]{2,4}))?", re.ASCII)
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_]{1,40}", re.ASCII)
#: Outside of these PostgreSQL and Python would no longer agree on what a time is.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
#: A clock may be wrong, or a time zone forgotten; more than that is a mistake.
AHEAD = timedelta(days=1)


class Body(BaseModel):
    """A closed list of fields: an unknown one is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "Write it on one line, without control characters")
    return text


def _country(text: str) -> str:
    country = text.upper()
    if country and country not in phonenumbers.SUPPORTED_REGIONS:
        raise PydanticCustomError("unknown_country", "Use the two letters of a country, for example NL")
    return country


def _language(text: str) -> str:
    if not text:
        return ""
    found = _LANGUAGE.fullmatch(text)
    if not found:
        raise PydanticCustomError("unknown_language", "Use a language code, for example nl or pt-BR")
    return f"{found[1].lower()}-{found[2]}" if found[2] else found[1].lower()


def _time(value: Any) -> datetime:
    """ISO 8601 with its zone; a day alone begins at midnight UTC."""
    try:
        if not isinstance(value, str) or len(value) > 40:
            raise ValueError
        at = datetime.fromisoformat(value)
        if at.tzinfo is None and len(value) != 10:
            raise PydanticCustomError("no_time_zone", "Add the time zone, for example 2026-03-01T09:00:00+01:00")
        at = at.replace(tzinfo=at.tzinfo or UTC)
        if not EARLIEST <= at <= LATEST:
            raise ValueError
    except (ValueError, OverflowError) as problem:
        if isinstance(problem, PydanticCustomError):
            raise
        example = "Use a time such as 2026-03-01T09:00:00Z, not before 1970 or after 2200"
        raise PydanticCustomError("not_a_time", example) from problem  # type: ignore[arg-type]
    return at


def _not_ahead(at: datetime) -> datetime:
    if at > timezone.now() + AHEAD:
        raise PydanticCustomError("in_the_future", "This has not happened yet; check the year and the time zone")
    return at


def _attributes(value: Any) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "An object of names and simple values is needed")
    if len(value) > MOST_ATTRIBUTES:
        raise PydanticCustomError("too_long", f"At most {MOST_ATTRIBUTES} attributes are possible")  # type: ignore[arg-type]
    for name, item in value.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise PydanticCustomError(
                "attribute_name", "Attribute names have 1 to 40 letters, digits and underscores, e.g. shoe_size"
            )
        if isinstance(item, (dict, list)):
            raise PydanticCustomError("attribute_type", "An attribute is a text, a number, true, false or null")
        if len(str(item)) > LONGEST_ATTRIBUTE:
            raise PydanticCustomError("attribute_too_long", "An attribute has at most 500 characters")
    return value


def line(longest: int, *, shortest: int = 0) -> Any:
    """A text on one line."""
    return Annotated[
        str,
        StringConstraints(max_length=longest, min_length=shortest, strip_whitespace=True),
        AfterValidator(_one_line),
    ]


Name = line(100)
GroupName = line(100, shortest=1)
AddressText = Annotated[str, StringConstraints(max_length=LONGEST_ADDRESS)]
Country = Annotated[str, StringConstraints(max_length=2), AfterValidator(_country)]
Language = Annotated[str, StringConstraints(max_length=8), AfterValidator(_language)]
Time = Annotated[datetime, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
PastTime = Annotated[Time, AfterValidator(_not_ahead)]
Attributes = Annotated[dict[str, Any], BeforeValidator(_attributes)]
Channel = Literal["sms", "email"]
Channels = Annotated[list[Channel], Field(min_length=1, max_length=2)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)]


def address(text: str, *, field: str, default_country: str = "", channel: str = "") -> Address:
    """Raises 422 naming the field. With a channel, an address of that kind only."""
    try:
        if channel == "email":
            return parse_email(text)
        if channel == "sms":
            return parse_phone(text, default_country=default_country or None)
        return parse(text, default_country=default_country or None)
    except InvalidAddress as problem:
        raise invalid(field, problem.code, str(problem)) from problem


def asked_address(text: str, *, field: str, channel: str = "") -> Address:
    """Of a query, where an unescaped + has become a space."""
    return address(f"+{text[1:]}" if text.startswith(" ") else text, field=field, channel=channel)


def whole_day(text: str, at: datetime) -> datetime:
    """The end of a period written as a day includes the day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return at
    return at + timedelta(days=1)
