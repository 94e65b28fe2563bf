"""What foreign keys would hold, held once per statement (sql/walls_v2.sql)."""

from __future__ import annotations

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from addressbook.models import Contact, GroupContact
from tests import make


def _sql(statement: str, *arguments: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, arguments)


JOIN = "INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id) VALUES (%s, %s, %s)"
NOBODY = 999_999_999


def test_a_group_takes_no_contact_of_another_company(world):
    for company in (world.acme, world.rival):
        with pytest.raises(IntegrityError):
            _sql(JOIN, company.pk, world.customers.pk, world.rivals_contact.pk)
    with pytest.raises(IntegrityError):
        _sql(JOIN, world.rival.pk, world.customers.pk, world.contact.pk)


def test_nobody_and_no_group_are_refused(world):
    with pytest.raises(IntegrityError):
        _sql(JOIN, world.acme.pk, world.customers.pk, NOBODY)
    with pytest.raises(IntegrityError):
        _sql(JOIN, world.acme.pk, NOBODY, world.contact.pk)


def test_one_wrong_row_among_many_is_refused_with_all(world):
    fresh = make.group(world.acme, "Fresh")
    rows = [(world.acme.pk, fresh.pk, world.contact.pk), (world.acme.pk, fresh.pk, world.rivals_contact.pk)]
    with pytest.raises(IntegrityError), transaction.atomic():
        GroupContact.objects.bulk_create(GroupContact(company_id=c, group_id=g, contact_id=p) for c, g, p in rows)
    assert not GroupContact.objects.of(world.acme).filter(group=fresh).exists()


@pytest.mark.parametrize("table", ["addressbook_contact", "addressbook_group"])
def test_members_go_with_their_contact_and_with_their_group(world, table):
    row = world.contact if table == "addressbook_contact" else world.customers
    _sql(f"DELETE FROM {table} WHERE id = %s", row.pk)
    assert not GroupContact.objects.of(world.acme).exists()
    assert GroupContact.objects.of(world.rival).exists()


@pytest.mark.parametrize("table", ["addressbook_contact", "addressbook_group", "addressbook_groupcontact"])
def test_nothing_changes_company(world, table):
    with pytest.raises(IntegrityError):
        _sql(f"UPDATE {table} SET company_id = %s WHERE company_id = %s", world.rival.pk, world.acme.pk)


def test_a_contact_belongs_to_a_company_that_is_there(world):
    with pytest.raises(IntegrityError), transaction.atomic():
        Contact.objects.bulk_create([Contact(company_id=NOBODY, email="a@b.example", email_digest=b"x" * 32)])
    with pytest.raises(IntegrityError, match="the company has contacts"):
        _sql("DELETE FROM accounts_company WHERE id = %s", world.acme.pk)


def test_who_is_being_put_into_a_group_cannot_go_meanwhile(transactional_db):
    company = make.company("Acme")
    group, contact = make.group(company, "Customers"), make.contact(company, "+31612345678")
    keep = {"host", "port", "user", "password", "dbname"}
    params = {k: v for k, v in connection.get_connection_params().items() if k in keep}
    with psycopg.connect(**params, autocommit=True) as other, transaction.atomic():
        _sql(JOIN, company.pk, group.pk, contact.pk)
        other.execute("SET lock_timeout = '20ms'")
        for row in (contact, group):
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute(f"DELETE FROM {row._meta.db_table} WHERE id = %s", [row.pk])
    assert GroupContact.objects.of(company).count() == 1
