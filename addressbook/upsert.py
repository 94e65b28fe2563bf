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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _

from accounts.models import Company
from addressbook import consent
from addressbook.models import Contact, Group
from addressbook.prepared import COPY_CONTACTS, TEXTS, Batch, Prepared, Result, as_json, prepare
from lib import sql
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.bulk import bulk

#: Below the ledger's 64 chains, beside `consent.COVER_LOCK`; keys of pg_advisory_xact_lock(company, …).
UPSERT_LOCK = -1
TRIES = 3
PIECE = 500
JOIN = """
  INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id)
  SELECT %s, g, c FROM unnest(%s::bigint[], %s::bigint[]) AS j(g, c) ORDER BY g, c
  ON CONFLICT (group_id, contact_id) DO NOTHING"""
#: For contacts made in this transaction, who are in no group yet.
COPY_MEMBERSHIPS = "COPY addressbook_groupcontact (company_id, group_id, contact_id) FROM STDIN"


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


def upsert(
    *,
    company: Company,
    rows: Sequence[Mapping[str, Any]] | Batch,
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
    batch = rows if isinstance(rows, Batch) else prepare(rows)
    for attempt in range(1, TRIES + 1):
        try:
            with transaction.atomic():
                return _Upsert(company, known).run(batch, common)
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
        #: By digest; those of the two channels are never the same.
        self.people: dict[bytes, _Person] = {}
        #: Addresses that a contact gave up in this call and that are still in the table.
        self.released: set[bytes] = set()
        self.touched: dict[int, _Person] = {}
        self.covered: list[_Person] = []
        #: Rows of people whom nobody else in this call or in the table has to do with.
        self.fresh: list[tuple[Result, Prepared, set[int]]] = []
        self.fresh_gained: list[consent.Gained] = []
        #: All addresses of the call: of its rows, and those that their contacts have.
        self.digests: set[bytes] = set()
        self.holds = False

    def run(self, rows: Batch, common: list[Group | str]) -> list[Result]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s::int, %s)", [self.company.pk, UPSERT_LOCK])
        ids = self._groups([ready.row.get("groups") or () for ready in rows if ready.refusal is None], common)
        everyone = {g.pk if isinstance(g, Group) else ids[g] for g in common}
        self._read(rows, everyone | set(ids.values()))
        self.digests = rows.digests | self.people.keys()
        taken = rows.repeated | self.people.keys()
        results = []
        for ready in rows:
            result = ready.refusal
            if result is None:
                names = ready.row.get("groups")
                member_of = everyone | {ids[name] for name in names} if names else everyone
                if taken.isdisjoint(ready.identity.values()):
                    result = Result("created", digests=ready.identity)
                    self.fresh.append((result, ready, member_of))
                else:
                    result = self._two_contacts(ready.identity) or self._fold(ready.row, ready.identity, member_of)
            results.append(result)
        self._write()
        self._insert_fresh()
        consent.cover(company=self.company, gained=self._gained())
        return results

    def _two_contacts(self, identity: dict[str, bytes]) -> Result | None:
        if len({id(p) for p in map(self.people.get, identity.values()) if p}) > 1:
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

    def _read(self, rows: Batch, groups: set[int]) -> None:
        """The contacts known by any of the rows' addresses, locked in one order."""
        with connection.cursor() as cursor:
            cursor.execute(
                """SELECT id, phone, phone_digest, email, email_digest, first_name, last_name, language, country,
                          attributes::text
                   FROM addressbook_contact WHERE id IN (
                     SELECT id FROM addressbook_contact
                     WHERE company_id = %(company)s
                       AND phone_digest = ANY(ARRAY(SELECT decode(d, 'hex') FROM unnest(%(sms)s::text[]) d))
                     UNION
                     SELECT id FROM addressbook_contact
                     WHERE company_id = %(company)s
                       AND email_digest = ANY(ARRAY(SELECT decode(d, 'hex') FROM unnest(%(email)s::text[]) d))
                   ) ORDER BY id FOR UPDATE""",
                {"company": self.company.pk, **rows.in_hex},
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
                    self.people[bytes(phone_digest)] = person
                if email_digest:
                    self.people[bytes(email_digest)] = person
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
        person = next((p for p in map(self.people.get, identity.values()) if p), None)
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
        if digest in self.released:
            self._write()  # its former owner must let go in the table first
        if old := person.addresses.get(channel):
            gone = old.digest(self.key)
            self.people.pop(gone, None)
            self.released.add(gone)
        person.addresses[channel] = address
        person.gained.add(channel)
        self.people[digest] = person
        if channel == "sms" and (country := address.country):
            person.texts["country"] = country

    # Writing ----------------------------------------------------------------

    def _write(self) -> None:
        people = list(self.touched.values())
        self._update([p for p in people if p.id is not None and p.changed])
        self._insert([p for p in people if p.id is None and p.addresses])
        joined = [(group, p.id) for p in people if p.id is not None for group in p.joined]
        if joined:
            groups, contacts = zip(*joined, strict=True)
            with connection.cursor() as cursor:
                cursor.execute(JOIN, [self.company.pk, sql.integers(groups), sql.integers(contacts)])
        for person in people:
            digests = {channel: address.digest(self.key) for channel, address in person.addresses.items()}
            for result in person.results:
                result.contact_id, result.digests = person.id, digests
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
            as_json(person.attributes),
            bool(phone and phone.is_landline),
        )

    def _update(self, people: list[_Person]) -> None:
        if not people:
            return
        if not self.holds and any(p.gained for p in people):
            consent.hold(company=self.company, digests=self.digests)
            self.holds = True
        # As one text: arrays of thousands take longer to write out than the rows to change.
        names = [name for name, _type in _COLUMNS]
        rows = [dict(zip(names, self._values(person), strict=True)) for person in people]
        with connection.cursor() as cursor:
            cursor.execute(_UPDATE, [json.dumps(rows, ensure_ascii=False, default=bytes.hex)])

    def _insert(self, people: list[_Person]) -> None:
        if not people:
            return
        with connection.cursor() as cursor:
            now, given = _new_ids(cursor, len(people))
            with connection.wrap_database_errors, cursor.copy(COPY_CONTACTS) as copy:
                for person, pk in zip(people, given, strict=True):
                    person.id = pk
                    copy.write_row((pk, self.company.pk, now, now, *self._values(person)[1:]))

    def _insert_fresh(self) -> None:
        if not self.fresh:
            return
        with connection.cursor() as cursor:
            now, given = _new_ids(cursor, len(self.fresh))
            made = f"\t{self.company.pk}\t{now}\t{now}\t"
            memberships = []
            with connection.wrap_database_errors, cursor.copy(COPY_CONTACTS) as copy:
                # In pieces: the database takes one in while the next is put together. Row by row, an import would
                # wait for its other thread each time.
                for start in range(0, len(given), PIECE):
                    lines = []
                    for (result, ready, groups), pk in zip(
                        self.fresh[start : start + PIECE], given[start : start + PIECE], strict=True
                    ):
                        result.contact_id = pk
                        lines.append(f"{pk}{made}{ready.line}")
                        for group in groups:
                            memberships.append(f"{self.company.pk}\t{group}\t{pk}\n")
                        if len(ready.identity) == 2:
                            phone, email = ready.row["phone"], ready.row["email"]
                            self.fresh_gained += [consent.Gained(phone, email), consent.Gained(email, phone)]
                    copy.write("".join(lines))
            if memberships:
                self._hold(cursor, {group for _, _, groups in self.fresh for group in groups})
                with bulk(), connection.wrap_database_errors, cursor.copy(COPY_MEMBERSHIPS) as copy:
                    copy.write("".join(memberships))

    def _hold(self, cursor: Any, groups: set[int]) -> None:
        """What `membership_walls` asks of groups: of this company, and there until this is committed."""
        cursor.execute(
            "SELECT id FROM addressbook_group WHERE company_id = %s AND id = ANY(%s) ORDER BY id FOR KEY SHARE",
            [self.company.pk, list(groups)],
        )
        if {pk for (pk,) in cursor.fetchall()} != groups:
            raise IntegrityError("a group has contacts of its own company only")

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


_COLUMNS = [
    ("id", "bigint"),
    ("phone", "text"),
    ("phone_digest", "text"),
    ("email", "text"),
    ("email_digest", "text"),
    *[(name, "text") for name in TEXTS],
    ("attributes", "text"),
    ("landline", "boolean"),
]
_UPDATE = f"""
  UPDATE addressbook_contact c
  SET phone = v.phone, phone_digest = decode(v.phone_digest, 'hex'),
      email = v.email, email_digest = decode(v.email_digest, 'hex'),
      first_name = v.first_name, last_name = v.last_name, language = v.language, country = v.country,
      attributes = v.attributes::jsonb, landline = v.landline, updated_at = now()
  FROM json_to_recordset(%s) AS v({", ".join(f"{name} {kind}" for name, kind in _COLUMNS)})
  WHERE c.id = v.id"""


def _new_ids(cursor: Any, count: int) -> tuple[datetime, list[int]]:
    """The transaction's time, and the ids of `count` contacts to be written."""
    cursor.execute(
        """WITH ids AS MATERIALIZED (SELECT pg_get_serial_sequence('addressbook_contact', 'id')::regclass AS source)
           SELECT now(), array_agg(nextval(ids.source))::text FROM ids, generate_series(1, %s)""",
        [count],
    )
    now, ids = cursor.fetchone()
    return now, list(map(int, ids[1:-1].split(",")))


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
