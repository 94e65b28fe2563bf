"""What the database refuses whatever the code does: by triggers, and by a lack of privileges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from addressbook import consent, erasure, seals
from addressbook.models import ConsentEvent, Evidence, LedgerSeal, Suppression
from messaging.addresses import Address, parse
from tests.world import PHONE

ROLE = "stopgate app"
TABLES = ("consentevent", "evidence", "suppression", "ledgerhead", "ledgerseal")
RESTRICTED, FORBIDDEN = "23001", "42501"


@pytest.fixture
def ledger(world):
    for company in (world.acme, world.rival):
        consent.opt_out(company=company, address=Address("sms", PHONE), source="api", comment="too many")
        list(seals.seal(company))
    consent.opt_out(company=world.acme, address=parse("other@example.org"), source="reply")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the commit would refuse TRUNCATE by itself
    return world


@pytest.fixture
def role(world):
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE ROLE "{ROLE}" NOLOGIN')
        cursor.execute(f'GRANT USAGE ON SCHEMA public TO "{ROLE}"')
        cursor.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{ROLE}"')
        cursor.execute(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{ROLE}"')
    call_command("restrict_ledger", ROLE, stdout=StringIO())
    return ROLE


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f'SET LOCAL ROLE "{role}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")


def refused(statement: str, *, code: str = RESTRICTED) -> None:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert caught.value.__cause__.sqlstate == code, caught.value


CHANGES = [
    "UPDATE addressbook_consentevent SET reason = 'x'",
    "UPDATE addressbook_evidence SET comment = 'fewer'",
    "UPDATE addressbook_evidence SET erased_at = now()",
    "UPDATE addressbook_evidence SET address = '', comment = '', details = '{}'",
    "UPDATE addressbook_evidence SET address = '', comment = '', details = '{}', erased_at = now(), event_id = 0",
    "UPDATE addressbook_suppression SET since = since - interval '1 day'",
    "UPDATE addressbook_suppression SET address = '+31600000000'",
    "UPDATE addressbook_ledgerhead SET hash = sha256('x')",
    "UPDATE addressbook_ledgerhead SET position = position + 1",
    "UPDATE addressbook_ledgerseal SET sealed_at = now()",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_refused(ledger, change):
    refused(change)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["DELETE FROM addressbook_{}", "TRUNCATE addressbook_{}"])
def test_a_removal_is_refused(ledger, table, change):
    refused(change.format(table))


def test_a_suppression_older_than_the_last_opt_in_is_refused(ledger):
    out = Suppression.objects.of(ledger.acme).get(channel="sms")
    consent.opt_in(company=ledger.acme, address=Address("sms", PHONE), source="api", evidence={"method": "paper"})

    with pytest.raises(DatabaseError), transaction.atomic():
        out.save(force_insert=True)


def test_a_suppression_takes_its_facts_from_its_line(ledger):
    for one in Suppression.objects.of(ledger.acme):
        line = ConsentEvent.objects.of(ledger.acme).get(pk=one.event_id)
        assert (one.source, one.since) == (line.source, line.occurred_at)


def test_a_seal_is_what_the_database_makes_it(ledger):
    forged = LedgerSeal(company=ledger.acme, number=77, reach=[9] * 64, previous_hash=b"x", hash=b"x")
    forged.sealed_at = ConsentEvent.objects.of(ledger.acme).first().occurred_at
    forged.save()

    assert [s.number for s in LedgerSeal.objects.of(ledger.acme).order_by("number")] == [1, 2]
    assert seals.verify(ledger.acme) == []


def test_a_suppression_does_not_end_by_an_older_consent(ledger):
    with pytest.raises(consent.ConsentTooOld), transaction.atomic():
        consent.opt_in(
            company=ledger.acme,
            address=Address("sms", PHONE),
            source="api",
            evidence={"method": "paper"},
            occurred_at=timezone.now() - timedelta(minutes=2),
        )

    assert Suppression.objects.of(ledger.acme).filter(channel="sms", address=PHONE).exists()
    assert not ConsentEvent.objects.of(ledger.acme).filter(type="opt_in").exists()
    assert seals.verify(ledger.acme) == []


# A role of the application's own


@pytest.mark.parametrize("change", CHANGES[:1] + CHANGES[4:6] + CHANGES[7:])
def test_the_role_has_no_right_to_change(ledger, role, change):
    with transaction.atomic(), acting_as(role):
        refused(change, code=FORBIDDEN)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM addressbook_{}",
        "TRUNCATE addressbook_{}",
        "INSERT INTO addressbook_{0} SELECT * FROM addressbook_{0}",
        "ALTER TABLE addressbook_{} DISABLE TRIGGER ALL",
    ],
)
def test_the_role_has_no_right_to_remove_forge_or_disarm(ledger, role, table, change):
    with transaction.atomic(), acting_as(role):
        refused(change.format(table), code=FORBIDDEN)


def test_the_role_cannot_switch_the_triggers_off(ledger, role):
    with transaction.atomic(), acting_as(role):
        refused("SET session_replication_role = replica", code=FORBIDDEN)


def test_the_role_does_all_that_the_application_does(ledger, role):
    with transaction.atomic(), acting_as(role):
        consent.opt_in(company=ledger.acme, address=Address("sms", PHONE), source="api", evidence={"method": "paper"})
        consent.opt_out(company=ledger.acme, address=Address("sms", PHONE), source="reply")
        assert list(seals.seal(ledger.acme))
        assert erasure.erase(ledger.contact, by="somebody")
        assert list(seals.seal(ledger.acme))
        assert seals.verify() == []

    assert set(Suppression.objects.of(ledger.acme).values_list("address", flat=True)) == {"", "other@example.org"}
    kept = Evidence.objects.of(ledger.acme).filter(erased_at=None)
    assert set(kept.values_list("address", flat=True)) == {"", "other@example.org"}


def test_another_role_cannot_write_by_the_functions(ledger):
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE passer_by NOLOGIN")
        cursor.execute("GRANT USAGE ON SCHEMA public TO passer_by")
    with transaction.atomic(), acting_as("passer_by"):
        refused("SELECT consent_opt_in_v1(1, 'api', '[]', '{}', '{\"method\": \"x\"}')", code=FORBIDDEN)
        refused("SELECT ledger_seal_v1(1)", code=FORBIDDEN)


def test_every_writer_acts_with_its_owner_s_rights(ledger):
    """A migration that replaces one of them has to say so again."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT proname FROM pg_proc WHERE prosecdef AND proconfig::text LIKE '%%pg_temp%%'
               AND NOT has_function_privilege('public', oid, 'EXECUTE') ORDER BY 1"""
        )
        assert [row[0] for row in cursor.fetchall()] == [
            "consent_event", "consent_opt_in_v1", "consent_opt_out_v1", "consent_prefer_v1", "ledger_seal_v1",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "why"), [("nobody", "does not exist"), ("", "name of a database role"), ('a"b', "name of a database role")]
)
def test_a_role_that_cannot_be_restricted_is_refused(world, name, why):
    with pytest.raises(CommandError, match=why):
        call_command("restrict_ledger", name)


def test_the_owner_cannot_be_restricted(world):
    with pytest.raises(CommandError, match="superuser|owns the ledger"):
        call_command("restrict_ledger", connection.settings_dict["USER"] or "postgres")
