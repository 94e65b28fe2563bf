"""Adding and updating contacts: the one way for the API, the import and the forms of many rows.

Set-based: a handful of statements whatever the number of rows. Two upserts of one
company take turns (an advisory lock, held to the end of the transaction), so the
same number twice at once is one contact and nobody waits in a circle. Who writes
contacts without that lock (a form) is met by the unique constraints, and the call
begins again.

Nothing here lifts a suppression; a new address of an opted-out contact gets one
(`consent.cover`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from accounts.models import Company
from addressbook import consent
from addressbook.models import Contact, Group
from lib.keys import digest_key
from messaging.addresses import Address

#: Below the ledger's 64 chains, beside `consent.COVER_LOCK`; keys of pg_advisory_xact_lock(company, …).
UPSERT_LOCK = -1
TRIES = 3
TEXTS = {"first_name": 100, "last_name": 100, "language": 8, "country": 2}
LONGEST_GROUP = 100
COPY_CONTACTS = """
  COPY addressbook_contact (id, phone, phone_digest, email, email_digest, first_name, last_name, language, country,
    attributes, company_id, created_at, updated_at) FROM STDIN"""
JOIN = """
  INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id)
  SELECT %s, g, c FROM unnest(%s::bigint[], %s::bigint[]) AS j(g, c) ORDER BY g, c
  ON CONFLICT (group_id, contact_id) DO NOTHING"""


@dataclass(slots=True)
class Result:
    """What became of one row."""

    status: str  # created | updated | unchanged | rejected
    contact_id: int | None = None
    code: str = ""
    detail: str = ""


@dataclass(slots=True, eq=False)
class _Person:
    """A contact while rows are folded into it."""

    id: int | None
    addresses: dict[str, Address]
    texts: dict[str, str]
    attributes: dict[str, Any]
    groups: set[int] = field(default_factory=set)
    #: Addresses it had when it was read.
    before: dict[str, Address] = field(default_factory=dict)
    gained: set[str] = field(default_factory=set)
    joined: set[int] = field(default_factory=set)
    changed: bool = False
    results: list[Result] = field(default_factory=list)


@dataclass(slots=True)
class Prepared:
    """A row with all that is known of it before the database is asked."""

    row: Mapping[str, Any]
    identity: dict[str, bytes]
    refusal: Result | None
    #: Its columns as a new contact, in the order of COPY_CONTACTS, without id, company and times.
    values: tuple[Any, ...]


def prepare(rows: Iterable[Mapping[str, Any]]) -> list[Prepared]:
    """For `upsert`; asks the database nothing, so a thread can do it while another chunk is written."""
    key = digest_key()
    prepared = []
    for row in rows:
        phone, email = row.get("phone"), row.get("email")
        identity = {}
        if phone is not None:
            identity["sms"] = phone.digest(key)
        if email is not None:
            identity["email"] = email.digest(key)
        refusal = _refusal(row, identity)
        values: tuple[Any, ...] = ()
        if refusal is None:
            attributes = {k: v for k, v in (row.get("attributes") or {}).items() if v is not None}
            values = (
                phone and phone.value,
                identity.get("sms"),
                email and email.value,
                identity.get("email"),
                row.get("first_name") or "",
                row.get("last_name") or "",
                row.get("language") or "",
                (phone and phone.country) or row.get("country") or "",
                json.dumps(attributes, ensure_ascii=False) if attributes else "{}",
            )
        prepared.append(Prepared(row, identity, refusal, values))
    return prepared


def upsert(
    *,
    company: Company,
    rows: Sequence[Mapping[str, Any]] | Sequence[Prepared],
    known: str = "overwrite",
    groups: Iterable[Group | str] = (),
) -> list[Result]:
    """Create or update a contact per row; one result per row, in order.

    A row has any of phone, email (Address), first_name, last_name, language, country,
    attributes (merged), groups (names; made when missing). Absent and None leave things
    as they are. `known` is what happens to a contact who is known already: overwrite,
    fill (only what is empty) or skip. All join `groups`, the known ones too.
    """
    if known not in ("overwrite", "fill", "skip"):
        raise ValueError(known)
    common = list(groups)
    prepared = [row for row in rows if isinstance(row, Prepared)]
    if len(prepared) != len(rows):
        prepared = prepare(row for row in rows if not isinstance(row, Prepared))
    for attempt in range(1, TRIES + 1):
        try:
            with transaction.atomic():
                return _Upsert(company, known).run(prepared, common)
        except (IntegrityError, OperationalError):
            # Somebody else wrote the same contact between our look and our write.
            if attempt == TRIES or connection.connection is None or connection.connection.closed:
                raise
    raise AssertionError("unreachable")


class _Upsert:
    def __init__(self, company: Company, known: str) -> None:
        self.company = company
        self.known = known
        self.key = digest_key()
        self.people: dict[tuple[str, bytes], _Person] = {}
        #: Addresses that a contact gave up in this call and that are still in the table.
        self.released: set[tuple[str, bytes]] = set()
        self.touched: dict[int, _Person] = {}
        self.covered: list[_Person] = []
        #: Rows of people whom nobody else in this call or in the table has to do with.
        self.fresh: list[tuple[Result, Prepared, set[int]]] = []
        self.fresh_gained: list[consent.Gained] = []

    def run(self, rows: list[Prepared], common: list[Group | str]) -> list[Result]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s::int, %s)", [self.company.pk, UPSERT_LOCK])
        ids = self._groups([ready.row.get("groups") or () for ready in rows if ready.refusal is None], common)
        everyone = {g.pk if isinstance(g, Group) else ids[g] for g in common}
        identities = [ready.identity for ready in rows]
        self._read(identities, everyone | set(ids.values()))
        times = Counter(item for identity in identities for item in identity.items())
        results = []
        for ready in rows:
            identity = ready.identity
            result = ready.refusal
            if result is None:
                names = ready.row.get("groups")
                member_of = everyone | {ids[name] for name in names} if names else everyone
                if all(times[item] == 1 and item not in self.people for item in identity.items()):
                    result = Result("created")
                    self.fresh.append((result, ready, member_of))
                else:
                    result = self._two_contacts(identity) or self._fold(ready.row, identity, member_of)
            results.append(result)
        self._write()
        self._insert_fresh()
        consent.cover(company=self.company, gained=self._gained())
        return results

    def _two_contacts(self, identity: dict[str, bytes]) -> Result | None:
        if len({id(p) for p in map(self.people.get, identity.items()) if p}) > 1:
            detail = _(
                "The phone number belongs to one contact and the e-mail address to another; "
                "merge the two first, or leave one of the addresses out."
            )
            return Result("rejected", None, "two_contacts", detail)
        return None

    # Reading ----------------------------------------------------------------

    def _groups(self, per_row: list[Iterable[str]], common: list[Group | str]) -> dict[str, int]:
        """The ids of all groups that are named, made when missing."""
        names = {name for row in per_row for name in row} | {g for g in common if isinstance(g, str)}
        ids: dict[str, int] = {}
        if names:
            Group.objects.bulk_create(
                [Group(company=self.company, name=name) for name in sorted(names)], ignore_conflicts=True
            )
            found = Group.objects.of(self.company).filter(name__in=names)
            ids = dict(found.values_list("name", "pk"))
        return ids

    def _read(self, identities: list[dict[str, bytes]], groups: set[int]) -> None:
        """The contacts known by any of the rows' addresses, locked in one order."""
        digests = {channel: list({i[channel] for i in identities if channel in i}) for channel in ("sms", "email")}
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT id, phone, phone_digest, email, email_digest, first_name, last_name, language, country,
                          attributes::text
                   FROM addressbook_contact WHERE id IN (
                     SELECT id FROM addressbook_contact WHERE company_id = %(company)s AND phone_digest = ANY(%(sms)s)
                     UNION
                     SELECT id FROM addressbook_contact WHERE company_id = %(company)s AND email_digest = ANY(%(email)s)
                   ) ORDER BY id FOR UPDATE""",
                {"company": self.company.pk, **digests},
            )
            found = cursor.fetchall()
            by_id = {}
            for pk, phone, phone_digest, email, email_digest, *texts, attributes in found:
                addresses = {}
                if phone:
                    addresses["sms"] = Address("sms", phone)
                if email:
                    addresses["email"] = Address("email", email)
                person = _Person(
                    pk, addresses, dict(zip(TEXTS, texts, strict=True)), json.loads(attributes), before=dict(addresses)
                )
                by_id[pk] = person
                if phone_digest:
                    self.people["sms", bytes(phone_digest)] = person
                if email_digest:
                    self.people["email", bytes(email_digest)] = person
            if groups and by_id:
                cursor.execute(
                    """SELECT contact_id, group_id FROM addressbook_groupcontact
                       WHERE group_id = ANY(%s) AND contact_id = ANY(%s)""",
                    [list(groups), list(by_id)],
                )
                for contact_id, group_id in cursor.fetchall():
                    by_id[contact_id].groups.add(group_id)

    # Folding ----------------------------------------------------------------

    def _fold(self, row: Mapping[str, Any], identity: dict[str, bytes], groups: set[int]) -> Result:
        person = next((p for p in map(self.people.get, identity.items()) if p), None)
        result = Result("unchanged")
        if person is None:
            person = _Person(None, {}, dict.fromkeys(TEXTS, ""), {}, changed=True)
            result.status = "created"
            self._merge(person, row, identity, "overwrite")
        elif self.known != "skip" and self._merge(person, row, identity, self.known):
            person.changed = True
            result.status = "updated"
        if new := groups - person.groups:
            person.groups |= new
            person.joined |= new
            result.status = "updated" if result.status == "unchanged" else result.status
        result.contact_id = person.id
        person.results.append(result)
        self.touched[id(person)] = person
        return result

    def _merge(self, person: _Person, row: Mapping[str, Any], identity: dict[str, bytes], known: str) -> bool:
        """Takes over what the row says, as far as `known` allows; True when that changed anything."""
        changed = False
        for channel, digest in identity.items():
            old = person.addresses.get(channel)
            if old and (known == "fill" or old.digest(self.key) == digest):
                continue  # another writing of the same number is no change
            self._move(person, channel, row["phone" if channel == "sms" else "email"], digest)
            changed = True
        for name in TEXTS:
            value = row.get(name)
            if name == "country" and "sms" in person.addresses and person.texts["country"]:
                continue  # laws follow the number
            if value is not None and value != person.texts[name] and not (known == "fill" and person.texts[name]):
                person.texts[name] = value
                changed = True
        for name, value in (row.get("attributes") or {}).items():
            if value is None or (known == "fill" and person.attributes.get(name) not in (None, "")):
                continue
            if name not in person.attributes or person.attributes[name] != value:
                person.attributes[name] = value
                changed = True
        return changed

    def _move(self, person: _Person, channel: str, address: Address, digest: bytes) -> None:
        if (channel, digest) in self.released:
            self._write()  # its former owner must let go in the table first
        if old := person.addresses.get(channel):
            gone = (channel, old.digest(self.key))
            self.people.pop(gone, None)
            self.released.add(gone)
        person.addresses[channel] = address
        person.gained.add(channel)
        self.people[channel, digest] = person
        if channel == "sms" and (country := address.country):
            person.texts["country"] = country

    # Writing ----------------------------------------------------------------

    def _write(self) -> None:
        people = list(self.touched.values())
        self._update([p for p in people if p.id is not None and p.changed])
        self._insert([p for p in people if p.id is None and p.addresses])
        joined = [(group, p.id) for p in people if p.id is not None for group in p.joined]
        if joined:
            with connection.cursor() as cursor:
                cursor.execute(JOIN, [self.company.pk, [g for g, _ in joined], [c for _, c in joined]])
        for person in people:
            for result in person.results:
                result.contact_id = person.id
            person.changed = False
            person.joined = set()
        self.covered += [p for p in people if p.gained]
        self.touched = {}
        self.released = set()

    def _values(self, person: _Person) -> tuple[Any, ...]:
        phone, email = person.addresses.get("sms"), person.addresses.get("email")
        return (
            person.id,
            phone and phone.value,
            phone and phone.digest(self.key),
            email and email.value,
            email and email.digest(self.key),
            *person.texts.values(),
            json.dumps(person.attributes, ensure_ascii=False),
        )

    def _update(self, people: list[_Person]) -> None:
        if not people:
            return
        columns = [list(column) for column in zip(*map(self._values, people), strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(
                """UPDATE addressbook_contact c
                   SET phone = v.phone, phone_digest = v.phone_digest, email = v.email, email_digest = v.email_digest,
                       first_name = v.first_name, last_name = v.last_name, language = v.language, country = v.country,
                       attributes = v.attributes::jsonb, updated_at = now()
                   FROM unnest(%s::bigint[], %s::text[], %s::bytea[], %s::text[], %s::bytea[], %s::text[], %s::text[],
                               %s::text[], %s::text[], %s::text[])
                     AS v(id, phone, phone_digest, email, email_digest, first_name, last_name, language, country,
                          attributes)
                   WHERE c.id = v.id""",
                columns,
            )

    def _insert(self, people: list[_Person]) -> None:
        if not people:
            return
        with connection.cursor() as cursor:
            now, given = _new_ids(cursor, len(people))
            with connection.wrap_database_errors, cursor.copy(COPY_CONTACTS) as copy:
                for person, pk in zip(people, given, strict=True):
                    person.id = pk
                    copy.write_row((*self._values(person), self.company.pk, now, now))

    def _insert_fresh(self) -> None:
        if not self.fresh:
            return
        with connection.cursor() as cursor:
            now, given = _new_ids(cursor, len(self.fresh))
            with connection.wrap_database_errors, cursor.copy(COPY_CONTACTS) as copy:
                for (result, ready, _groups), pk in zip(self.fresh, given, strict=True):
                    result.contact_id = pk
                    copy.write_row((pk, *ready.values, self.company.pk, now, now))
                    if len(ready.identity) == 2:
                        phone, email = ready.row["phone"], ready.row["email"]
                        self.fresh_gained += [consent.Gained(phone, email), consent.Gained(email, phone)]
            joined = [(group, result.contact_id) for result, _, groups in self.fresh for group in groups]
            if joined:
                cursor.execute(JOIN, [self.company.pk, [g for g, _ in joined], [c for _, c in joined]])

    def _gained(self) -> list[consent.Gained]:
        """Each new address beside the one it replaces, else beside those of the other channel."""
        gained = self.fresh_gained
        for person in self.covered:
            for channel in person.gained:
                new, former = person.addresses[channel], person.before.get(channel)
                both = [*person.addresses.values(), *person.before.values()]
                beside = [former] if former else [a for a in both if a.channel != channel]
                gained += [consent.Gained(new, a) for a in beside if a.identity != new.identity]
        return gained


def _new_ids(cursor: Any, count: int) -> tuple[datetime, list[int]]:
    """The transaction's time, and the ids of `count` contacts to be written."""
    cursor.execute(
        "SELECT now(), array_agg(nextval(pg_get_serial_sequence('addressbook_contact', 'id')))"
        " FROM generate_series(1, %s)",
        [count],
    )
    now, ids = cursor.fetchone()
    return now, ids


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


def known_contacts(company: Company, addresses: Iterable[Address]) -> dict[Address, Contact]:
    """Who is known by which of these addresses; for previews, nothing is locked."""
    key = digest_key()
    wanted = {(a.channel, a.digest(key)): a for a in addresses}
    found: dict[Address, Contact] = {}
    for channel, column in (("sms", "phone_digest"), ("email", "email_digest")):
        digests = [digest for c, digest in wanted if c == channel]
        for contact in Contact.objects.of(company).filter(**{f"{column}__in": digests}).with_suppressed():
            found[wanted[channel, bytes(getattr(contact, column))]] = contact
    return found
