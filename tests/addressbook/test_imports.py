"""The way of a file from the upload to the address book."""

from __future__ import annotations

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections

from accounts.scoping import company_scope
from addressbook import consent
from addressbook.imports import run, storage
from addressbook.models import Contact, FilePiece, Import, RejectedRow, Suppression
from addressbook.upsert import upsert as real_upsert
from lib.keys import digest_key
from messaging.addresses import Address
from tests import make
from tests.addressbook.test_upsert import together
from tests.world import PHONE

FILE = (
    "Mobiel;Voornaam;E-mail;Maat\r\n"
    "0612345678;Sanne;sanne@devries.example;M\r\n"
    "+33612345678;Lucas;;\r\n"
    "4.92E+11;Jonas;;\r\n"
    "n/a;Bram;bram@acme.example;L\r\n"
    ";Niemand;;\r\n"
).encode("cp1252")
ANSWERS = {
    "column_0": "phone",
    "column_1": "first_name",
    "column_2": "email",
    "column_3": "attribute",
    "has_header": "on",
    "default_country": "NL",
    "known": "fill",
    "new_group": "November",
}


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


@pytest.fixture
def upload(marketer, world):
    def upload(content: bytes = FILE, name: str = "customers.csv") -> Import:
        answer = marketer.post("/imports/add/", {"file": SimpleUploadedFile(name, content)})
        assert answer.status_code == 302, answer.content.decode()
        return Import.objects.of(world.acme).latest("id")

    return upload


def numbers(count: int) -> bytes:
    rows = "".join(f"+316{10000000 + n},N{n}\n" if n % 10 else f"061,N{n}\n" for n in range(count))
    return ("phone,first name\n" + rows).encode()


@pytest.fixture
def prepared(upload, marketer):
    """Uploaded and mapped, about to start."""

    def prepared(content: bytes, **answers: str) -> Import:
        found = upload(content)
        answers = {"column_0": "phone", "column_1": "first_name", "has_header": "on", "known": "fill"} | answers
        answers.setdefault("default_country", "NL")
        assert marketer.post(f"/imports/{found.pk}/columns/", answers).status_code == 302
        found.refresh_from_db()
        return found

    return prepared


def counts(found: Import) -> tuple[int, ...]:
    found.refresh_from_db()
    return (found.created, found.updated, found.unchanged, found.rejected)


def finish(found: Import) -> Import:
    run.start(found)
    run.run_due(seconds=600)
    found.refresh_from_db()
    assert found.status == "done"
    return found


def test_a_file_goes_through_four_steps_into_the_address_book(marketer, upload, world):
    found = upload()
    assert (found.encoding, found.delimiter, found.has_header, found.rows) == ("utf-8", ";", True, 5)
    assert found.mapping == {"phone": 0, "first_name": 1, "email": 2}
    assert "Voornaam" in marketer.get(f"/imports/{found.pk}/columns/").content.decode()
    assert marketer.post(f"/imports/{found.pk}/columns/", ANSWERS).url == f"/imports/{found.pk}/check/"
    page = marketer.get(f"/imports/{found.pk}/check/").content.decode()
    assert "Import 5 rows" in page
    assert "last digits are lost" in page
    assert Contact.objects.of(world.acme).count() == 1
    assert marketer.post(f"/imports/{found.pk}/start/").url == f"/imports/{found.pk}/"
    assert "0 of 5 rows" in marketer.get(f"/imports/{found.pk}/").content.decode()
    run.run_due()
    assert counts(found) == (2, 1, 0, 2)
    assert found.status == "done"
    lucas = Contact.objects.of(world.acme).get(phone="+33612345678")
    bram = Contact.objects.of(world.acme).get(email="bram@acme.example")
    assert (lucas.first_name, lucas.country, bram.attributes) == ("Lucas", "FR", {"maat": "L"})
    assert Contact.objects.of(world.acme).filter(memberships__group__name="November").count() == 3
    assert not FilePiece.objects.of(world.acme).exists()
    assert "5 of 5 rows" in marketer.get(f"/imports/{found.pk}/").content.decode()


def test_the_rejected_rows_come_back_as_a_file_with_their_reasons(marketer, prepared):
    found = finish(prepared(b'phone,first name\n061,"=cmd()"\n4.92E+11,Ann\n0612345678,Ann\n0612345678,a,b\n'))
    answer = marketer.get(f"/imports/{found.pk}/rejected/")
    content = b"".join(answer.streaming_content).decode("utf-8-sig")
    header, *rows = csv.reader(io.StringIO(content))
    assert header == ["phone", "first name", "Row", "Reason"]
    assert [row[:3] for row in rows] == [["061", "'=cmd()", "2"], ["4.92E+11", "Ann", "3"], ["0612345678", "a", "5"]]
    assert "digits are lost" in rows[1][3]
    assert rows[2][4] == "b"


def test_the_rejected_file_can_be_mended_and_imported_again(marketer, prepared):
    found = finish(prepared(b"phone,first name\n061,-Ann-\n"))
    content = b"".join(marketer.get(f"/imports/{found.pk}/rejected/").streaming_content)
    again = finish(prepared(content.replace(b"061,", b"'+31687654321,")))
    assert counts(again) == (1, 0, 0, 0)
    assert Contact.objects.of(again.company_id).get(phone="+31687654321").first_name == "-Ann-"


def test_the_same_file_twice_changes_nothing_the_second_time(prepared):
    first, second = finish(prepared(numbers(100))), finish(prepared(numbers(100)))
    assert counts(first) == (90, 0, 0, 10)
    assert counts(second) == (0, 0, 90, 10)


@pytest.mark.parametrize(("known", "name"), [("fill", "Sanne"), ("overwrite", "Anna"), ("skip", "Sanne")])
def test_known_contacts_are_treated_as_chosen(prepared, world, known, name):
    finish(prepared(b"phone,first name\n0612345678,Anna\n", known=known))
    world.contact.refresh_from_db()
    assert world.contact.first_name == name


def test_an_import_never_lifts_a_suppression_and_counts_who_is_out(prepared, world):
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="reply")
    consent.opt_out(company=world.acme, address=Address("sms", "+31687654321"), source="landing")
    before = set(Suppression.objects.of(world.acme).values_list("pk", flat=True))
    found = finish(prepared(b"phone,first name\n0612345678,Anna\n0687654321,Bo\n0611111111,Cas\n", known="overwrite"))
    assert counts(found) == (2, 1, 0, 0)
    assert found.suppressed == 2
    assert before <= set(Suppression.objects.of(world.acme).values_list("pk", flat=True))
    with company_scope(world.acme):
        assert [c.first_name for c in Contact.objects.reachable()] == ["Cas"]


def test_the_other_companys_contact_and_list_stay_apart(prepared, world):
    consent.opt_out(company=world.rival, address=Address("sms", "+31687654321"), source="reply")
    found = finish(prepared(b"phone,first name\n0612345678,Anna\n0687654321,Bo\n"))
    assert found.suppressed == 0
    assert Contact.objects.of(world.rival).count() == 1


# Killed and raced -----------------------------------------------------------------


def test_a_killed_worker_is_followed_by_one_that_goes_on(prepared, world, monkeypatch):
    """Killed after two chunks in the middle of the third: what was not committed is read again, once."""
    monkeypatch.setattr(run, "CHUNK", 30)
    found = prepared(numbers(200))
    run.start(found)
    written = []

    def dies(**arguments):
        results = real_upsert(**arguments)
        written.append(len(results))
        if len(written) == 3:
            raise KeyboardInterrupt
        return results

    with monkeypatch.context() as patch:
        patch.setattr(run, "upsert", dies)
        with pytest.raises(KeyboardInterrupt):
            run.run_due()
    found.refresh_from_db()
    assert (found.status, found.rows_read) == ("running", 60)
    assert not run.due()
    Import.objects.of(world.acme).update(heartbeat_at=found.heartbeat_at - 2 * run.LEASE)
    assert run.due()
    run.run_due()
    assert counts(found) == (180, 0, 0, 20)
    assert found.status == "done"
    assert Contact.objects.of(world.acme).count() == 181
    lines = RejectedRow.objects.of(world.acme).order_by("line").values_list("line", flat=True)
    assert list(lines) == list(range(2, 202, 10))


def test_a_job_that_has_had_its_time_is_gone_on_with_at_once(prepared, monkeypatch):
    monkeypatch.setattr(run, "CHUNK", 30)
    found = prepared(numbers(100))
    run.start(found)
    with company_scope(found.company_id):
        found.refresh_from_db()
        assert run.run(found, chunks=2) is False
    assert run.due()
    run.run_due()
    assert counts(found) == (90, 0, 0, 10)


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_read_each_row_once(transactional_db, world_of_its_own, monkeypatch):
    monkeypatch.setattr(run, "CHUNK", 20)
    found = world_of_its_own
    assert together(run.run_due, run.run_due, run.run_due) == []
    run.run_due()
    assert counts(found) == (270, 0, 0, 30)


@pytest.fixture
def world_of_its_own(transactional_db):
    acme = make.company()
    columns = ["phone", "first name"]
    found = Import.objects.create(
        company=acme, file_name="x.csv", columns=columns, mapping={"phone": 0}, default_country="NL", rows=300
    )
    storage.store(found, [numbers(300)])
    run.start(found)
    yield found
    connections.close_all()


def test_start_twice_is_once(marketer, prepared):
    found = prepared(numbers(10))
    for _ in range(2):
        assert marketer.post(f"/imports/{found.pk}/start/").status_code == 302
    run.run_due()
    marketer.post(f"/imports/{found.pk}/start/")
    assert not run.due()
    assert counts(found) == (9, 0, 0, 1)


def test_a_stopped_import_keeps_what_it_has_read_and_reads_no_further(marketer, prepared, monkeypatch):
    monkeypatch.setattr(run, "CHUNK", 30)
    found = prepared(numbers(100))
    run.start(found)
    with company_scope(found.company_id):
        found.refresh_from_db()
        run.run(found, chunks=1)
    marketer.post(f"/imports/{found.pk}/cancel/")
    run.run_due()
    assert counts(found) == (27, 0, 0, 3)
    assert found.status == "cancelled"


def test_a_fault_of_ours_ends_the_import_and_says_so(marketer, prepared, monkeypatch):
    found = prepared(numbers(10))
    run.start(found)

    def breaks(**_arguments):
        raise ZeroDivisionError("+31612345678")

    monkeypatch.setattr(run, "upsert", breaks)
    run.run_due()
    found.refresh_from_db()
    assert found.status == "failed"
    assert "+316" not in found.error
    assert "Something went wrong" in marketer.get(f"/imports/{found.pk}/").content.decode()


# Doors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 3000, b"PK\x03\x04" * 500, b"x" * 200_000, b",".join(b"c" for _ in range(10_000)), b"a\0b,c\n"],
)
def test_a_bad_file_is_refused_and_nothing_of_it_is_kept(marketer, world, content):
    answer = marketer.post("/imports/add/", {"file": SimpleUploadedFile("x.csv", content)})
    assert answer.status_code == 422
    assert not Import.objects.of(world.acme).exists()
    assert not FilePiece.objects.of(world.acme).exists()


@pytest.mark.parametrize("data", [{}, {"file": "not a file"}, {"file": "\0"}])
def test_a_form_without_a_file_is_refused(marketer, data):
    assert marketer.post("/imports/add/", data).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"column_0": "", "column_2": ""},
        {"column_1": "phone"},
        {"column_1": "nonsense"},
        {"default_country": "Atlantis"},
        {"known": "guess"},
        {"known": ""},
        {"groups": "99999999999999999999"},
        {"groups": "\0"},
        {"new_group": "a\0b"},
        {"new_group": "x" * 1_000_000},
    ],
)
def test_wrong_answers_about_the_columns_are_refused(marketer, upload, wrong):
    found = upload()
    assert marketer.post(f"/imports/{found.pk}/columns/", ANSWERS | wrong).status_code == 422


def test_a_foreign_group_cannot_be_chosen(marketer, upload, world):
    found = upload()
    answers = ANSWERS | {"groups": str(world.rivals_customers.pk)}
    assert marketer.post(f"/imports/{found.pk}/columns/", answers).status_code == 422


def test_a_viewer_sees_imports_but_may_not_import(client, prepared, world):
    found = finish(prepared(numbers(10)))
    client.force_login(world.viewer.user)
    for path in ("/imports/", f"/imports/{found.pk}/"):
        page = client.get(path)
        assert page.status_code == 200
        assert "/imports/add/" not in page.content.decode()
    assert client.get("/imports/add/").status_code == 403
    assert client.post("/imports/add/", {"file": SimpleUploadedFile("x.csv", FILE)}).status_code == 403
    for step in ("start", "cancel", "discard", "columns"):
        assert client.post(f"/imports/{found.pk}/{step}/").status_code == 403


def test_another_companys_import_does_not_exist(client, prepared, world):
    found = prepared(numbers(10))
    client.force_login(world.stranger.user)
    for step in ("", "columns/", "check/", "rejected/"):
        assert client.get(f"/imports/{found.pk}/{step}").status_code == 404
    for step in ("start/", "cancel/", "discard/"):
        assert client.post(f"/imports/{found.pk}/{step}").status_code == 404


def test_an_id_out_of_all_bounds_does_not_exist(marketer):
    assert marketer.get("/imports/99999999999999999999/").status_code == 404


def test_without_an_import_the_page_says_what_to_do_first(marketer):
    page = marketer.get("/imports/").content.decode()
    assert "No import yet" in page
    assert "/imports/add/" in page


def test_a_draft_can_be_discarded_with_its_file(marketer, upload, world):
    found = upload()
    assert marketer.post(f"/imports/{found.pk}/discard/").status_code == 302
    assert not Import.objects.of(world.acme).exists()
    assert not FilePiece.objects.of(world.acme).exists()


def test_while_it_runs_the_page_asks_again_and_afterwards_no_more(marketer, prepared):
    found = prepared(numbers(10))
    run.start(found)
    running = marketer.get(f"/imports/{found.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" in running
    assert "<html" not in running
    run.run_due()
    assert "hx-trigger" not in marketer.get(f"/imports/{found.pk}/").content.decode()


def test_the_preview_shows_repairs_and_who_is_known_or_out(marketer, prepared):
    found = prepared(b"phone,first name\n0612345678,Anna\n31687654321,Bo\n")
    page = marketer.get(f"/imports/{found.pk}/check/").content.decode()
    assert "repaired: lost plus sign" in page
    assert ">known<" in page
    consent.opt_out(company=found.company, address=Address("sms", PHONE), source="reply")
    assert "known, opted out" in marketer.get(f"/imports/{found.pk}/check/").content.decode()


def test_a_file_without_header_can_be_told_so(marketer, upload):
    found = upload(b"0612345678,Ann\n0687654321,Bo\n")
    assert (found.has_header, found.rows, found.mapping) == (False, 2, {"phone": 0})
    answers = {"column_0": "phone", "column_1": "first_name", "default_country": "NL", "known": "fill"}
    assert marketer.post(f"/imports/{found.pk}/columns/", answers).status_code == 302
    assert counts(finish(found)) == (1, 0, 1, 0)


def test_a_suppressed_address_is_known_by_its_digest_alone(prepared, world):
    """After an erasure the address is gone from the list, and still an import of it is stopped."""
    address = Address("sms", "+31687654321")
    consent.opt_out(company=world.acme, address=address, source="reply")
    Suppression.objects.of(world.acme).filter(digest=address.digest(digest_key())).update(address="")
    assert finish(prepared(b"phone,first name\n0687654321,Bo\n")).suppressed == 1
