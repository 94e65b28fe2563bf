"""Other providers' suppression lists, consent columns, undoing, and drafts that nobody went on with."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from addressbook import consent, many_opt_outs
from addressbook.imports import run, storage
from addressbook.many_opt_outs import Left
from addressbook.models import (
    ConsentEvent,
    Contact,
    Evidence,
    FilePiece,
    GroupContact,
    Import,
    ImportedContacts,
    Suppression,
)
from addressbook.seals import verify
from messaging.addresses import Address
from messaging.models import Batch, Gateway, Message
from tests import make
from tests.addressbook import books
from tests.world import PHONE

LIST = (
    b"msisdn,opt-out date,reason,source\n"
    b"0612345678,2024-05-01T10:00:00Z,too many,STOP\n"
    b"+33612345678,gestern,,web form\n"
    b"061,2024-05-01,,\n"
    b"0687654321,,,\n"
)
COLUMNS = {"column_0": "phone", "column_1": "when", "column_2": "reason", "column_3": "origin", "has_header": "on"}
CONTACTS = {"column_0": "phone", "column_1": "first_name", "has_header": "on", "known": "fill"}


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


@pytest.fixture
def imported(marketer, world):
    """Plays the whole wizard."""

    def imported(content: bytes, answers: dict[str, str] = COLUMNS, *, name: str = "list.csv") -> Import:
        kind = "opt_outs" if answers is COLUMNS else "contacts"
        answer = marketer.post("/imports/add/", {"file": SimpleUploadedFile(name, content), "kind": kind})
        assert answer.status_code == 302
        found = Import.objects.of(world.acme).latest("id")
        answer = marketer.post(f"/imports/{found.pk}/columns/", answers | {"default_country": "NL"})
        assert answer.status_code == 302
        assert marketer.get(f"/imports/{found.pk}/check/").status_code == 200
        marketer.post(f"/imports/{found.pk}/start/")
        run.run_due(seconds=600)
        found.refresh_from_db()
        assert found.status == "done", found.error
        return found

    return imported


def counts(found: Import) -> tuple[int, int, int]:
    return found.created, found.unchanged, found.rejected


def test_another_providers_list_becomes_opt_outs_with_the_file_as_evidence(imported, world):
    found = imported(LIST)
    assert counts(found) == (3, 0, 1)
    assert Contact.objects.of(world.acme).count() == 1
    event = ConsentEvent.objects.of(world.acme).get(reason="too many", channel="sms")
    assert (event.type, event.source, event.occurred_at) == ("opt_out", "import", datetime(2024, 5, 1, 10, tzinfo=UTC))
    evidence = Evidence.objects.of(world.acme).get(event_id=event.pk)
    assert evidence.address == PHONE
    assert evidence.details["file"] == "list.csv"
    assert evidence.details["sha256"] == hashlib.sha256(LIST).hexdigest()
    assert (evidence.details["from"], evidence.details["row"]) == ("STOP", 2)
    assert verify(world.acme) == []


def test_a_date_that_cannot_be_read_stops_nobody_from_leaving(imported, world):
    imported(LIST)
    event = Evidence.objects.of(world.acme).get(address="+33612345678")
    assert event.details["when_as_written"] == "gestern"
    assert Suppression.objects.of(world.acme).filter(address="+33612345678").exists()


def test_the_same_list_twice_changes_nothing_the_second_time(imported, world):
    imported(LIST)
    before = ConsentEvent.objects.of(world.acme).count()
    assert counts(imported(LIST)) == (0, 3, 1)
    assert ConsentEvent.objects.of(world.acme).count() == before


def test_the_same_list_does_not_take_out_who_has_come_back_since(imported, world):
    imported(LIST)
    for phone in (PHONE, "+31687654321"):
        consent.opt_in(company=world.acme, address=Address("sms", phone), source="api", evidence={"form": "x"})
    assert counts(imported(LIST)) == (0, 3, 1)
    assert not Suppression.objects.of(world.acme).filter(address__in=[PHONE, "+31687654321"]).exists()


def test_a_wish_older_than_the_consent_is_not_followed_and_a_newer_one_is(world):
    address = Address("sms", "+31687654321")
    consent.opt_in(company=world.acme, address=address, source="api", evidence={"form": "x"})
    now = timezone.now()
    for when, changed in ((now - timedelta(days=9), False), (now + timedelta(seconds=9), True)):
        rows = [Left((address,), when, "", {"file": "x"})]
        assert many_opt_outs.opt_out(company=world.acme, rows=rows, source="import", file="x") == [changed]


def test_the_other_address_of_the_contact_is_out_as_well(imported, world):
    contact = make.contact(world.acme, phone="+31687654321", email="bo@acme.example")
    assert counts(imported(LIST)) == (3, 0, 1)
    out = Suppression.objects.of(world.acme).filter(channel="email", address=contact.email)
    assert out.get().source == "import"


def test_who_left_before_by_another_way_keeps_that_way(imported, world):
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="reply")
    assert counts(imported(LIST)) == (2, 1, 1)
    assert Suppression.objects.of(world.acme).get(address=PHONE).source == "reply"


def test_the_other_companys_list_stays_apart(imported, world):
    imported(LIST)
    assert not Suppression.objects.of(world.rival).exists()


def test_opt_outs_cannot_be_undone(imported, marketer, world):
    found = imported(LIST)
    page = marketer.get(f"/imports/{found.pk}/").content.decode()
    assert "3 opted out by this file" in page
    assert "/undo/" not in page
    marketer.post(f"/imports/{found.pk}/undo/")
    run.run_due()
    assert Suppression.objects.of(world.acme).filter(channel="sms").count() == 3


def test_many_at_once_are_the_same_as_one_by_one(world):
    rows = [Left((Address("sms", f"+3168{n:07}"),), None, "", {"file": "x"}) for n in range(3000)]
    assert sum(many_opt_outs.opt_out(company=world.acme, rows=rows * 2, source="import", file="x")) == 3000
    assert verify(world.acme) == []


# Workbooks and consent ------------------------------------------------------------


def test_a_workbook_goes_the_same_way_as_a_csv_file(imported, world):
    content = books.book(
        books.sheet(
            books.text("phone") + books.text("first name"),
            books.number("31687654321") + books.text("Bo"),
            books.number("4.92E+17") + books.text("Cas"),
        )
    )
    found = imported(content, CONTACTS, name="customers.xlsx")
    assert counts(found) == (1, 0, 1)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert Contact.objects.of(world.acme).get(phone="+31687654321").first_name == "Bo"


def test_a_bomb_is_refused_with_a_clear_message_and_nothing_is_kept(marketer, world):
    bomb = books.book(books.sheet(*[books.text("x")] * 300_000))
    answer = marketer.post("/imports/add/", {"file": SimpleUploadedFile("x.xlsx", bomb)})
    assert answer.status_code == 422
    assert "unpacks to more" in answer.content.decode()
    assert not FilePiece.objects.of(world.acme).exists()


def test_consent_in_a_file_is_kept_and_lifts_nothing(imported, world):
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="reply")
    events = ConsentEvent.objects.of(world.acme).count()
    answers = CONTACTS | {"column_1": "consent_source", "column_2": "consent_date"}
    found = imported(b"phone,how,when\n0612345678,Shop,2025-02-03\n", answers)
    assert found.suppressed == 1
    world.contact.refresh_from_db()
    assert world.contact.attributes["consent_source"] == "Shop"
    assert world.contact.attributes["consent_date"].startswith("2025-02-03")
    assert Suppression.objects.of(world.acme).filter(address=PHONE).exists()
    assert ConsentEvent.objects.of(world.acme).count() == events


# Undo ------------------------------------------------------------------------------

NEW = b"phone,first name\n0612345678,Anna\n0687654321,Bo\n0611111111,Cas\n"


def _written_to(contact: Contact) -> None:
    gateway = Gateway.objects.of(contact.company_id).get()
    batch = Batch.objects.create(
        company_id=contact.company_id, gateway=gateway, category="transactional", due_at=timezone.now()
    )
    Message.objects.create(
        company_id=contact.company_id,
        contact=contact,
        batch=batch,
        channel="sms",
        category="transactional",
        address=contact.phone,
        digest=contact.phone_digest,
        created_at=timezone.now(),
    )


def _undo(marketer, found: Import) -> str:
    answer = marketer.post(f"/imports/{found.pk}/undo/", follow=True)
    run.run_due(seconds=600)
    found.refresh_from_db()
    return answer.content.decode()


def test_undoing_deletes_whom_the_import_created_and_nobody_else(imported, marketer, world):
    found = imported(NEW, CONTACTS | {"new_group": "November"})
    assert "Undo this import" in marketer.get(f"/imports/{found.pk}/").content.decode()
    _undo(marketer, found)
    assert (found.status, found.removed) == ("undone", 2)
    assert [c.pk for c in Contact.objects.of(world.acme)] == [world.contact.pk]
    left = GroupContact.objects.of(world.acme).filter(group__name="November")
    assert [membership.contact_id for membership in left] == [world.contact.pk]
    assert not ImportedContacts.objects.of(world.acme).exists()
    assert (
        "2 contacts that this import had created were deleted" in marketer.get(f"/imports/{found.pk}/").content.decode()
    )


def test_who_was_changed_since_stays(imported, marketer, world):
    found = imported(NEW, CONTACTS)
    Contact.objects.of(world.acme).get(phone="+31687654321").save()
    _undo(marketer, found)
    assert found.removed == 1
    assert Contact.objects.of(world.acme).filter(phone="+31687654321").exists()


def test_after_a_message_it_can_no_longer_be_undone(imported, marketer, world):
    found = imported(NEW, CONTACTS)
    bo = Contact.objects.of(world.acme).get(phone="+31687654321")
    _written_to(bo)
    page = _undo(marketer, found)
    assert "have been written to since" in page
    assert found.status == "done"
    assert Contact.objects.of(world.acme).count() == 3


def test_undoing_lifts_no_opt_out(imported, marketer, world):
    found = imported(NEW, CONTACTS)
    consent.opt_out(company=world.acme, address=Address("sms", "+31687654321"), source="reply")
    _undo(marketer, found)
    assert Suppression.objects.of(world.acme).get().address == "+31687654321"


def test_a_viewer_and_a_stranger_cannot_undo(imported, client, world):
    found = imported(NEW, CONTACTS)
    client.force_login(world.viewer.user)
    assert client.post(f"/imports/{found.pk}/undo/").status_code == 403
    client.force_login(world.stranger.user)
    assert client.post(f"/imports/{found.pk}/undo/").status_code == 404


# Drafts ------------------------------------------------------------------------------


def test_a_draft_that_nobody_went_on_with_goes_with_its_file_after_two_days(marketer, world):
    for _ in range(2):
        marketer.post("/imports/add/", {"file": SimpleUploadedFile("x.csv", NEW)})
    old, young = Import.objects.of(world.acme).order_by("pk")
    Import.objects.of(world.acme).filter(pk=old.pk).update(
        created_at=timezone.now() - storage.DRAFTS_KEPT - timedelta(minutes=1)
    )
    run.due()
    assert [found.pk for found in Import.objects.of(world.acme)] == [young.pk]
    assert {piece.import_run_id for piece in FilePiece.objects.of(world.acme)} == {young.pk}
