"""Rows for `upsert` with all that can be known of them before the database is asked.

A million of them in an import, so this is where each is looked at once: digests, plan of the
number, what cannot be stored, and the line by which PostgreSQL takes a new contact in.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quoted
from typing import Any

from django.utils.translation import gettext as _

from lib import sql
from lib.keys import digest_key
from messaging.addresses import Address

TEXTS = {"first_name": 100, "last_name": 100, "language": 8, "country": 2}
LONGEST_GROUP = 100
#: `Prepared.line` follows the first four.
COPY_CONTACTS = """
  COPY addressbook_contact (id, company_id, created_at, updated_at, phone, phone_digest, email, email_digest,
    first_name, last_name, language, country, attributes, landline) FROM STDIN"""
_NEITHER = r"\N" + "\t" + r"\N"


@dataclass(slots=True)
class Result:
    """What became of one row."""

    status: str  # created | updated | unchanged | rejected
    contact_id: int | None = None
    code: str = ""
    detail: str = ""
    #: Channel → digest, of all addresses that the contact has afterwards.
    digests: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Prepared:
    """A row as `upsert` takes it."""

    row: Mapping[str, Any]
    #: Channel → digest.
    identity: dict[str, bytes]
    refusal: Result | None
    #: Its columns as a new contact, as COPY reads them; without id, company and times.
    line: str


class Batch(list[Prepared]):
    """The rows of one call, with what is asked about all of them."""

    def __init__(self, rows: Iterable[Prepared]) -> None:
        super().__init__(rows)
        of_channel = {
            channel: [row.identity[channel] for row in self if channel in row.identity] for channel in ("sms", "email")
        }
        #: Channel → digests, as a parameter.
        self.in_hex = {channel: sql.in_hex(digests) for channel, digests in of_channel.items()}
        every = of_channel["sms"] + of_channel["email"]
        self.digests = set(every)
        #: What more than one row has to do with.
        self.repeated: set[bytes] = set()
        if len(self.digests) < len(every):
            self.repeated = {digest for digest, times in Counter(every).items() if times > 1}


def prepare(rows: Iterable[Mapping[str, Any]]) -> Batch:
    """For `upsert`; asks the database nothing, so a thread can do it while another batch is written."""
    key = digest_key()
    return Batch(_prepared(row, key) for row in rows)


def _prepared(row: Mapping[str, Any], key: bytes) -> Prepared:
    get = row.get
    phone, email = get("phone"), get("email")
    identity = {}
    country, landline = "", False
    if phone is not None:
        identity["sms"] = phone.digest(key)
        country, landline = phone.plan
    if email is not None:
        identity["email"] = email.digest(key)
    first_name, last_name = get("first_name") or "", get("last_name") or ""
    language, given = get("language") or "", get("country") or ""
    attributes = get("attributes")
    if attributes and None in attributes.values():
        attributes = {name: value for name, value in attributes.items() if value is not None}
    seen = (
        not get("groups")
        and len(first_name) <= 100
        and len(last_name) <= 100
        and len(language) <= 8
        and len(given) <= 2
        and _is_seen(first_name + last_name + language + given, attributes)
    )
    if not (identity and seen) and (refusal := _refusal(row, identity)):
        return Prepared(row, identity, refusal, "")
    fields = (first_name, last_name, language, country or given, as_json(attributes))
    # Among what can be seen, the backslash alone means something to COPY.
    texts = "\t".join(fields).replace("\\", "\\\\") if seen else "\t".join(map(escaped, fields))
    addresses = f"{_address(phone, identity.get('sms'))}\t{_address(email, identity.get('email'))}"
    return Prepared(row, identity, None, f"{addresses}\t{texts}\t{'t' if landline else 'f'}\n")


def _address(address: Address | None, digest: bytes | None) -> str:
    if address is None or digest is None:
        return _NEITHER
    return f"{escaped(address.value)}\t\\\\x{digest.hex()}"


def as_json(attributes: Mapping[str, Any] | list[str] | None) -> str:
    """Of an import all are texts, and those are quoted in a tenth of the time."""
    if isinstance(attributes, list):
        return "[" + ",".join(map(quoted, attributes)) + "]"
    if not attributes:
        return "{}"
    pairs = []
    for name, value in attributes.items():
        if type(value) is str:
            pairs.append(f"{quoted(name)}:{quoted(value)}")
        else:
            pairs.append(f"{quoted(name)}:{json.dumps(value, ensure_ascii=False)}")
    return "{" + ",".join(pairs) + "}"


def escaped(text: str) -> str:
    """For COPY."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _is_seen(text: str, attributes: Mapping[str, Any] | None) -> bool:
    """Every character can be seen, so that there is none that cannot be stored."""
    if attributes:
        try:
            text += "".join(attributes) + "".join(attributes.values())
        except TypeError:
            return False
    return text.isprintable()


def _refusal(row: Mapping[str, Any], identity: dict[str, bytes]) -> Result | None:
    """What no database could store."""
    if not identity:
        return Result("rejected", None, "no_address", _("There is neither a phone number nor an e-mail address."))
    for name, longest in TEXTS.items():
        if len(row.get(name) or "") > longest:
            detail = _("%(field)s is longer than %(longest)d characters.") % {"field": name, "longest": longest}
            return Result("rejected", None, "too_long", detail)
    groups = row.get("groups") or ()
    if any(not name or len(name) > LONGEST_GROUP for name in groups):
        detail = _("A group's name has 1 to %(longest)d characters.") % {"longest": LONGEST_GROUP}
        return Result("rejected", None, "bad_group", detail)
    texts = [row.get(name) or "" for name in TEXTS]
    texts += groups
    if attributes := row.get("attributes"):
        if all(isinstance(value, str) for value in attributes.values()):
            texts += [*attributes, *attributes.values()]
        else:
            texts.append(json.dumps(attributes, ensure_ascii=False).replace("\\u0000", "\0"))
    if not _is_text("".join(texts)):
        return Result("rejected", None, "not_text", _("There is a character that is no text; write the row anew."))
    return None


def _is_text(text: str) -> bool:
    """Without NUL and lone surrogates, which PostgreSQL cannot store."""
    if text.isascii():
        return "\0" not in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
