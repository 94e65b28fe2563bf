"""What else knew the person, and who may come in between."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.urls import reverse

from addressbook import access_request, consent, erasure
from addressbook.models import Contact, FilePiece, Import, ImportedContacts, RejectedRow, Suppression
from addressbook.upsert import upsert
from api.models import IdempotencyKey
from messaging.addresses import parse
from tests import make
from tests.world import PHONE


def _rejected(company, *cells):
    run = Import.objects.create(company=company, file_name="people.csv", status="done")
    return RejectedRow.objects.create(company=company, import_run=run, line=2, cells=list(cells), code="x", reason="x")


@pytest.mark.parametrize("cell", [PHONE, "06 12345678", "0031 (0)6-12 34 56 78", "SANNE@devries.example"])
def test_rejected_rows_lose_the_person_in_any_writing(world, cell):
    row = _rejected(world.acme, "Sanne", cell)
    erasure.erase(world.contact, by=world.owner.user)
    row.refresh_from_db()
    assert row.cells == []


def test_rejected_rows_of_others_stay(world):
    row, theirs = _rejected(world.acme, "+31687654321"), _rejected(world.rival, PHONE)
    erasure.erase(world.contact, by=world.owner.user)
    row.refresh_from_db()
    theirs.refresh_from_db()
    assert (row.cells, theirs.cells) == (["+31687654321"], [PHONE])


def _answer(company, **content):
    return IdempotencyKey.objects.create(
        company=company,
        key="k",
        path="/",
        request_hash=b"x",
        status=201,
        body={"content": content, "type": "text/plain"},
    )


def test_answers_kept_for_repeated_requests_lose_the_person(world):
    ours, theirs = _answer(world.acme, phone=PHONE, first_name="Sanne"), _answer(world.rival, phone=PHONE)
    erasure.erase(world.contact, by=world.owner.user)
    ours.refresh_from_db()
    theirs.refresh_from_db()
    assert ours.body == {"content": None, "type": "text/plain"}
    assert theirs.body["content"] == {"phone": PHONE}


def test_answers_about_others_are_kept(world):
    answer = _answer(world.acme, phone="+31687654321")
    erasure.erase(world.contact, by=world.owner.user)
    answer.refresh_from_db()
    assert answer.body["content"] == {"phone": "+31687654321"}


def test_a_file_that_nobody_went_on_with_is_dropped_because_nobody_knows_who_is_in_it(world):
    for age in (timedelta(days=2), timedelta(hours=1)):
        draft = Import.objects.create(company=world.acme, file_name="people.csv")
        FilePiece.objects.create(company=world.acme, import_run=draft, position=0, content=PHONE.encode())
        Import.objects.of(world.acme).filter(pk=draft.pk).update(created_at=make.long_ago(age))
    erasure.erase(world.contact, by=world.owner.user)
    assert Import.objects.of(world.acme).count() == FilePiece.objects.of(world.acme).count() == 1


def test_the_person_is_out_before_the_erasure_when_that_is_asked(world):
    erasure.erase(world.contact, by=world.owner.user, opt_out=True)
    assert Suppression.objects.of(world.acme).count() == 2
    upsert(company=world.acme, rows=[{"phone": parse(PHONE)}])
    assert Contact.objects.of(world.acme).opted_out().exists()


@pytest.mark.django_db(transaction=True)
def test_erasure_and_upsert_of_one_opted_out_person_do_not_wait_in_a_circle(world):
    """The upsert has the contact's row and wants to cover a new address; the erasure opts out first."""
    consent.opt_out(company=world.acme, address=parse(PHONE), source="api", channels=["sms"])

    def erase():
        try:
            erasure.erase(world.contact, by=world.owner.user, opt_out=True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            upsert(company=world.acme, rows=[{"phone": parse(PHONE), "first_name": "Sanne-Marie"}])
            erasing = pool.submit(erase)
            _until_somebody_waits(erasing)
            upsert(company=world.acme, rows=[{"phone": parse(PHONE), "email": parse("new@devries.example")}])
        erasing.result(20)
    assert not Contact.objects.of(world.acme).exists()
    assert [s.address for s in Suppression.objects.of(world.acme)] == ["", ""]


def _until_somebody_waits(other):
    with connection.cursor() as cursor:
        waiting = False
        while not waiting and not other.done():
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            waiting = cursor.fetchone()[0]


def test_an_access_request_says_where_the_contact_came_from_and_what_for(world):
    run = Import.objects.create(company=world.acme, file_name="fair.csv", status="done")
    ImportedContacts.objects.create(company=world.acme, import_run=run, contacts=[world.contact.pk])
    _rejected(world.acme, "06 12345678")
    kept = access_request.of(world.contact)
    assert [one["file_name"] for one in kept["imports"]] == ["fair.csv"]
    assert [one["cells"] for one in kept["rejected_rows"]] == [["06 12345678"]]
    assert kept["about"]["controller"] == "Acme"
    assert kept["contact"]["groups"] == ["Customers"]


def test_an_access_request_is_a_page_and_a_file(client, world):
    client.force_login(world.viewer.user)
    consent.opt_out(company=world.acme, address=parse(PHONE), source="api", comment="Enough <now>")
    page = client.get(reverse("addressbook:contact-access", args=[world.contact.pk])).content.decode()
    assert "Enough &lt;now&gt;" in page
    kept = json.loads(client.get(reverse("addressbook:contact-export", args=[world.contact.pk])).content)
    assert {"about", "contact", "suppressions", "consent_events", "messages", "replies", "imports"} <= set(kept)


def test_another_companys_contact_is_not_shown(client, world):
    client.force_login(world.viewer.user)
    assert client.get(reverse("addressbook:contact-access", args=[world.rivals_contact.pk])).status_code == 404
