"""Promises 4, 8 and 9: an opt-out is one company's, covers the person in every writing, and ends only by consent."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import IntegrityError, InternalError, connection, transaction

from accounts.models import Company
from accounts.scoping import CompanyModel
from addressbook import consent, erasure
from addressbook.models import Contact, GroupContact, Suppression
from addressbook.upsert import upsert
from campaigns import audience, dispatch, gate
from messaging.addresses import Address, parse_phone
from messaging.models import HandsetMessage, Message
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
TO = Address("sms", PHONE)


@pytest.fixture
def out(world):
    consent.opt_out(company=world.acme, address=TO, source="landing")
    return world


def reached(company, *groups, **fields) -> list[str]:
    campaign = make.campaign(company, *groups, **fields)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")
    return sorted(HandsetMessage.objects.of(company).values_list("to", flat=True))


def may_write(company, to: Address) -> bool:
    try:
        with transaction.atomic():
            gate.send(company=company, to=to, body="Sale", category="marketing")
    except gate.Suppressed:
        return False
    return True


# What it covers


def test_it_covers_the_other_address_of_the_contact(out):
    assert not may_write(out.acme, Address("email", out.contact.email))
    assert reached(out.acme, out.customers, channel="email", subject="Sale") == []


def test_a_company_may_narrow_it_to_the_channel(world):
    Company.objects.filter(pk=world.acme.pk).update(opt_out_scope="channel")
    world.acme.refresh_from_db()

    consent.opt_out(company=world.acme, address=TO, source="landing")

    assert not may_write(world.acme, TO)
    assert may_write(world.acme, Address("email", world.contact.email))


@pytest.mark.parametrize(
    ("left", "again"),
    [
        ("+525512345678", "+5215512345678"),
        ("+5215512345678", "+525512345678"),
        ("+541123456789", "+5491123456789"),
        ("+5491123456789", "+541123456789"),
        ("+5511961234567", "+551161234567"),
    ],
)
def test_it_covers_every_writing_of_the_number(world, left, again):
    consent.opt_out(company=world.acme, address=parse_phone(left), source="api")

    assert not may_write(world.acme, parse_phone(again))


def test_it_holds_for_a_number_that_is_in_no_address_book(world):
    stranger = Address("sms", "+31687654321")
    consent.opt_out(company=world.acme, address=stranger, source="api")
    assert not may_write(world.acme, stranger)

    make.contact(world.acme, stranger.value, group=world.customers)

    assert reached(world.acme, world.customers) == [PHONE]


def test_it_is_one_company_s_alone(out):
    assert may_write(out.rival, TO)
    assert not Suppression.objects.of(out.rival).exists()


# What does not end it


def test_an_import_does_not_end_it(out):
    rows = [{"phone": TO, "first_name": "Sanne", "email": Address("email", "new@devries.example"), "groups": ["News"]}]
    upsert(company=out.acme, rows=rows)

    assert reached(out.acme, make.group(out.acme, "News")) == []
    assert not may_write(out.acme, Address("email", "new@devries.example"))


def test_deleting_and_adding_the_contact_again_does_not_end_it(out):
    Contact.objects.of(out.acme).get(pk=out.contact.pk).delete()

    make.contact(out.acme, PHONE, group=out.customers)

    assert reached(out.acme, out.customers) == []


def test_another_group_does_not_end_it(out):
    other = make.group(out.acme, "Other")
    GroupContact.objects.create(company=out.acme, group=other, contact=out.contact)

    assert reached(out.acme, other) == []


def test_who_was_erased_is_still_left_alone(out):
    erasure.erase(out.contact, by=out.owner.user)

    assert not may_write(out.acme, TO)
    make.contact(out.acme, PHONE, group=out.customers)
    upsert(company=out.acme, rows=[{"phone": TO, "groups": ["News"]}])
    assert reached(out.acme, out.customers, make.group(out.acme, "News")) == []
    assert not Suppression.objects.of(out.acme).exclude(address="").exists()


def test_nothing_of_an_erased_person_can_be_read(world):
    reached(world.acme, world.customers, body="Hi {first_name}")
    consent.opt_out(company=world.acme, address=TO, source="landing", comment="my name is Sanne")

    erasure.erase(world.contact, by=world.owner.user)

    for table in _tables_of_companies():
        for word in (PHONE, "Sanne", "sanne@devries.example"):
            with connection.cursor() as cursor:
                cursor.execute(
                    f"SELECT count(*) FROM {table} t WHERE company_id = %s AND strpos(t::text, %s) > 0",
                    [world.acme.pk, word],
                )
                assert cursor.fetchone() == (0,), (table, word)
    assert Contact.objects.of(world.rival).filter(phone=PHONE).exists()


def _tables_of_companies() -> list[str]:
    return [m._meta.db_table for m in apps.get_models() if issubclass(m, CompanyModel)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM addressbook_suppression",
        "TRUNCATE addressbook_suppression",
        "UPDATE addressbook_suppression SET channel = 'none'",
        "UPDATE addressbook_suppression SET digest = sha256('x')",
        "UPDATE addressbook_suppression SET company_id = (SELECT id FROM accounts_company WHERE slug = 'rival')",
        "UPDATE addressbook_suppression SET event_id = event_id + 1",
        "DELETE FROM addressbook_consentevent",
        "UPDATE addressbook_consentevent SET type = 'opt_in'",
        "TRUNCATE addressbook_consentevent",
    ],
)
def test_not_even_sql_ends_it(out, statement):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises((InternalError, IntegrityError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert not may_write(out.acme, TO)


def test_not_even_an_opt_in_of_somebody_else_ends_it(out):
    consent.opt_in(company=out.acme, address=Address("sms", "+31687654321"), source="api", evidence={"method": "paper"})
    consent.opt_in(company=out.rival, address=TO, source="api", evidence={"method": "paper"})

    assert not may_write(out.acme, TO)


def test_an_older_opt_in_does_not_end_a_newer_opt_out(out):
    consent.opt_in(company=out.acme, address=TO, source="api", evidence={"method": "paper"})
    consent.opt_out(company=out.acme, address=TO, source="reply")

    with pytest.raises((InternalError, IntegrityError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM addressbook_suppression")


def test_a_recorded_opt_in_ends_it(out):
    consent.opt_in(company=out.acme, address=TO, source="api", evidence={"method": "paper", "text": "Yes"})

    assert may_write(out.acme, TO)


def test_a_message_that_was_stopped_does_not_leave_after_the_opt_in(world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    consent.opt_out(company=world.acme, address=TO, source="landing")
    consent.opt_in(company=world.acme, address=TO, source="landing", evidence={"method": "landing"})

    dispatch.run(category="marketing")

    assert Message.objects.of(world.acme).get().status == "suppressed"
    assert not HandsetMessage.objects.of(world.acme).exists()
