"""Promises 8 and 10: the ledger only grows, and a suppression ends only by a recorded opt-in."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from addressbook import consent
from addressbook.models import ConsentEvent, Suppression
from messaging.addresses import Address

REFUSED = (InternalError, IntegrityError)


@pytest.fixture
def event(world) -> ConsentEvent:
    consent.opt_out(company=world.acme, address=Address("sms", world.contact.phone), source="api")
    return ConsentEvent.objects.of(world.acme).order_by("pk").first()


def refuse(statement: str, *arguments) -> None:
    with pytest.raises(REFUSED), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, arguments)


def test_an_opt_out_covers_both_addresses_of_the_contact(world, event):
    assert Suppression.objects.of(world.acme).count() == 2
    assert ConsentEvent.objects.of(world.acme).exclude(pk=event.pk).get().cause_id == event.pk


def test_opting_out_twice_is_friendly_and_one_event(world, event):
    again = consent.opt_out(company=world.acme, address=Address("sms", world.contact.phone), source="api")

    assert (again.already, again.event_id) == (True, event.pk)
    assert ConsentEvent.objects.of(world.acme).count() == 2


@pytest.mark.parametrize(
    "sql", ["UPDATE addressbook_consentevent SET reason = 'x'", "DELETE FROM addressbook_consentevent"]
)
def test_a_line_never_changes(event, sql):
    refuse(sql)


def test_the_ledger_cannot_be_emptied(event):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    refuse("TRUNCATE addressbook_consentevent CASCADE")


def test_a_suppression_cannot_be_deleted_without_an_opt_in(event):
    refuse("DELETE FROM addressbook_suppression")


def test_a_suppression_cannot_be_made_without_an_event(world):
    refuse(
        "INSERT INTO addressbook_suppression (company_id, channel, digest, address, event_id, source, since)"
        " VALUES (%s, 'sms', decode(repeat('ab', 32), 'hex'), '', 1, 'api', now())",
        world.acme.pk,
    )


def test_an_opt_in_with_evidence_lifts_the_suppression(world, event):
    consent.opt_in(
        company=world.acme, address=Address("sms", world.contact.phone), source="marketer", evidence={"method": "paper"}
    )

    assert not Suppression.objects.of(world.acme).exists()


def test_an_opt_in_without_evidence_is_refused(world, event):
    with pytest.raises(consent.EvidenceMissing):
        consent.opt_in(
            company=world.acme, address=Address("sms", world.contact.phone), source="marketer", evidence={"method": ""}
        )

    assert Suppression.objects.of(world.acme).count() == 2


def test_lines_are_chained(world, event):
    with connection.cursor() as cursor:
        cursor.execute("SELECT bool_and(hash = sha256(ledger_line_v1(e))) FROM addressbook_consentevent e")
        assert cursor.fetchone() == (True,)
