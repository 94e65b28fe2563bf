"""A database of its own, made anew for each benchmark, and people to fill it with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection, connections

from accounts.models import Company
from addressbook.models import Contact, Group, GroupContact
from messaging.addresses import Address
from messaging.models import Gateway

NAME = "stopgate_bench"


def _administer(statement: str) -> None:
    import psycopg

    params = {**connection.get_connection_params(), "dbname": "postgres"}
    keep = {k: v for k, v in params.items() if k in {"host", "port", "user", "password", "dbname"}}
    with psycopg.connect(**keep, autocommit=True) as plain:
        plain.execute(statement)


def drop_database() -> None:
    connections.close_all()
    _administer(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def fresh_database() -> None:
    drop_database()
    _administer(f"CREATE DATABASE {NAME}")
    connection.settings_dict["NAME"] = NAME
    call_command("migrate", verbosity=0)


class Stopwatch:
    seconds = 0.0


@contextmanager
def timed() -> Iterator[Stopwatch]:
    watch = Stopwatch()
    start = time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - start


def sql(statement: str, *arguments: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments or None)


def settle() -> None:
    """What earlier work left for later is done now, so that it is charged to nobody."""
    sql("VACUUM ANALYZE")
    sql("CHECKPOINT")


def company(*, gateway: str = "nothing") -> Company:
    made = Company.objects.create_named("Bench", country="NL", language="nl")
    Gateway.objects.create(company=made, kind=gateway, is_default=True)
    return made


def crowd(of: Company, *, people: int, suppressed_percent: int = 0) -> Group:
    """Contacts in twelve countries; digests of the right length, as the database sees them."""
    group = Group.objects.create(company=of, name="Everybody")
    sql(
        """
        INSERT INTO addressbook_contact (company_id, phone, phone_digest, first_name, last_name, language, country,
          attributes, created_at, updated_at)
        SELECT %s, '+3161' || lpad(n::text, 8, '0'), sha256(n::text::bytea), 'Name' || n %% 997, 'Surname' || n %% 9973,
          '', (ARRAY['NL','FR','DE','GB','BE','ZA','ES','IT','PT','AT','PL','SE'])[1 + n %% 12], '{}', now(), now()
        FROM generate_series(1, %s) n
        """,
        of.pk,
        people,
    )
    sql(
        "INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id)"
        " SELECT company_id, %s, id FROM addressbook_contact ORDER BY id",
        group.pk,
    )
    if suppressed_percent:
        # Straight into the table: what is measured is reading it, not a hundred thousand opt-outs.
        sql("ALTER TABLE addressbook_suppression DISABLE TRIGGER USER")
        sql(
            "INSERT INTO addressbook_suppression (company_id, channel, digest, address, event_id, source, since)"
            " SELECT company_id, 'sms', phone_digest, phone, id, 'api', now()"
            " FROM addressbook_contact WHERE id %% 100 < %s",
            suppressed_percent,
        )
        sql("ALTER TABLE addressbook_suppression ENABLE TRIGGER USER")
    return group


def real_crowd(of: Company, *, people: int) -> Group:
    """Contacts with valid numbers and true digests, for what is tried from outside."""
    group = Group.objects.create(company=of, name="Everybody")
    contacts = [Contact(company=of) for _ in range(people)]
    for n, contact in enumerate(contacts):
        contact.set_address("sms", Address("sms", f"+316{10_000_000 + n}"))
    Contact.objects.bulk_create(contacts, batch_size=1000)
    GroupContact.objects.bulk_create(GroupContact(company=of, group=group, contact=c) for c in contacts)
    return group


def count(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])


def result(name: str, *, seconds: float, floor_seconds: float, goal: float, note: str = "") -> dict[str, object]:
    return {
        "name": name,
        "seconds": round(seconds, 4),
        "floor_seconds": round(floor_seconds, 4),
        "ratio": round(seconds / floor_seconds, 3),
        "goal": goal,
        "note": note,
    }
