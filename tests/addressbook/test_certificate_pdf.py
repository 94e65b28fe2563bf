from __future__ import annotations

import hashlib
import re
import zlib

import pytest
from django.urls import reverse
from django.utils import translation

from addressbook import certificate, certificate_pdf, consent, erasure, seals
from addressbook.models import LedgerSeal, Suppression
from lib.keys import digest_key
from lib.paper import Paper
from messaging.addresses import Address
from tests.world import CANARY, PHONE

TYPED = reverse("addressbook:certificate")
SMS = Address("sms", PHONE)


@pytest.fixture
def client(client, world):
    client.force_login(world.viewer.user)
    return client


@pytest.fixture
def out(world):
    consent.opt_out(
        company=world.acme, address=SMS, source="reply", campaign_name="Spring sale", evidence={"text": "STOP please"}
    )
    list(seals.seal(world.acme))
    return world


@pytest.fixture
def drawn(monkeypatch):
    """What is put on the paper, piece by piece."""
    pieces = []
    cell = Paper.cell

    def kept(self, w=None, h=None, text="", *args, **kwargs):
        pieces.append(text)
        return cell(self, w, h, text, *args, **kwargs)

    monkeypatch.setattr(Paper, "cell", kept)
    return pieces


def of_contact(world, query="?channel=sms&format=pdf"):
    return reverse("addressbook:contact-certificate", args=[world.contact.pk]) + query


def made(company):
    return certificate.of(company, channel="sms", digest=SMS.digest(digest_key()), address=PHONE)


def page_numbers(drawn: list[str]) -> list[str]:
    return [piece for piece in drawn if piece.endswith("{nb}")]


def streams(pdf: bytes) -> list[bytes]:
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            found.append(stream)
    return found


def test_it_is_a_pdf_to_download_from_the_page(client, out):
    page = client.get(of_contact(out, "")).content.decode()
    assert 'href="?channel=sms&amp;format=pdf"' in page

    answer = client.get(of_contact(out))

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Cache-Control"] == "no-store"
    assert re.fullmatch(
        r'attachment; filename="certificate-\d{8}-\d{6}-[0-9a-f]{8}\.pdf"', answer["Content-Disposition"]
    )
    assert answer.content.startswith(b"%PDF-1.")


def test_it_says_what_the_page_says(out, drawn):
    (seal,) = LedgerSeal.objects.of(out.acme)

    certificate_pdf.write(made(out.acme), shown="+31 6 12345678", why="by reply")

    text = "".join(drawn)
    squeezed = text.replace("\n", "").replace(" ", "")
    for words in ("Acme", "Gets no marketing", "+31 6 12345678", "by reply", "Spring sale", "STOP please"):
        assert words in text
    (line,) = made(out.acme).lines
    digest = SMS.digest(digest_key()).hex()
    for hashes in (digest, line.hash, line.evidence_hash, str(seal), line.hashed, f"--companyacme--seal{seal}"):
        assert hashes.replace(" ", "") in squeezed


def test_each_page_has_its_number(out, drawn):
    certificate_pdf.write(made(out.acme), shown=PHONE, why="")

    numbers = page_numbers(drawn)
    assert len(numbers) > 1
    assert numbers == [f"Page {n} of {{nb}}" for n in range(1, len(numbers) + 1)]


def test_the_texts_to_hash_are_attached(out):
    consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": "paper"})
    one = made(out.acme)

    pdf = certificate_pdf.write(one, shown=PHONE, why="")

    (attached,) = [stream for stream in streams(pdf) if stream.startswith(b'["v1"')]
    hashes = [hashlib.sha256(line).hexdigest() for line in attached.splitlines()]
    assert hashes == [line.hash for line in one.lines]
    assert b"ledger-lines.txt" in pdf


def test_the_same_certificate_has_the_same_bytes(out):
    one = made(out.acme)

    assert certificate_pdf.write(one, shown=PHONE, why="x") == certificate_pdf.write(one, shown=PHONE, why="x")
    assert f"D:{one.issued_at:%Y%m%d%H%M%S}".encode() in certificate_pdf.write(one, shown=PHONE, why="x")


def test_its_fonts_are_within_and_only_what_is_shown_of_them(out):
    pdf = certificate_pdf.write(made(out.acme), shown=PHONE, why="")

    assert pdf.count(b"/FontFile2") == 2
    assert len(pdf) < 100_000


@pytest.mark.parametrize(
    ("name", "on_paper"),
    [
        ("Борщ и Ко", "Борщ и Ко"),
        ("Ελληνικά Ψώνια", "Ελληνικά Ψώνια"),
        ("Łódź Çağrı Đỗ", "Łódź Çağrı Đỗ"),
        ("שלום", "םולש"),
        ("سلام", "\ufee1\ufefc\ufeb3"),  # joined, and from right to left
        ("東京", "[U+6771][U+4EAC]"),
        ("A\u200bB", "AB"),
        ("Sale 🎉", "Sale [U+1F389]"),
    ],
)
def test_names_of_any_script_are_written(out, drawn, name, on_paper):
    out.acme.name = name
    out.acme.save()

    certificate_pdf.write(made(out.acme), shown=PHONE, why="")

    assert on_paper in drawn
    assert any("does not have are written as" in piece for piece in drawn) == ("[U+" in on_paper)


def test_it_is_in_the_members_language(out, drawn):
    with translation.override("de"):
        certificate_pdf.write(made(out.acme), shown=PHONE, why="")

    assert any("Seite 1 von" in piece for piece in drawn)


def test_what_was_tampered_with_is_said_first(out, drawn):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE addressbook_evidence SET comment = 'x'")
        cursor.execute("SET LOCAL session_replication_role = origin")

    certificate_pdf.write(made(out.acme), shown=PHONE, why="")

    assert any("Do not rely on this page" in piece for piece in drawn)


def test_a_long_history_goes_over_pages(out, drawn):
    for n in range(3):
        consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"text": f"yes {n} " * 200})
        consent.opt_out(company=out.acme, address=SMS, source="api", comment="ж" * 1000)

    certificate_pdf.write(made(out.acme), shown=PHONE, why="")

    assert len(page_numbers(drawn)) > 4


def test_an_address_that_was_typed_has_one(client, out):
    page = client.post(TYPED, {"address": PHONE}).content.decode()
    assert f'name="address" value="{PHONE}"' in page

    answer = client.post(TYPED, {"address": PHONE, "format": "pdf"})

    assert answer["Content-Type"] == "application/pdf"
    assert PHONE not in answer["Content-Disposition"]


def test_an_address_nobody_knows_has_one(client, world, drawn):
    answer = client.post(TYPED, {"address": "nobody@example.org", "format": "pdf"})

    assert answer["Content-Type"] == "application/pdf"
    assert "Not in the ledger" in drawn


def test_an_erased_address_has_one(client, out, drawn):
    erasure.erase(out.contact, by="somebody")
    one = Suppression.objects.of(out.acme).get(channel="sms")

    answer = client.get(reverse("addressbook:suppression-certificate", args=[one.pk]), {"format": "pdf"})

    assert answer["Content-Type"] == "application/pdf"
    assert "erased" in drawn
    assert "STOP please" not in "".join(drawn)


def test_another_company_s_lines_are_not_in_it(client, world, drawn):
    consent.opt_out(company=world.rival, address=SMS, source="api", comment=CANARY)
    one = Suppression.objects.of(world.rival).get()

    client.post(TYPED, {"address": PHONE, "format": "pdf"})

    assert "Not in the ledger" in drawn
    assert CANARY not in "".join(drawn)
    theirs = reverse("addressbook:suppression-certificate", args=[one.pk])
    assert client.get(theirs, {"format": "pdf"}).status_code == 404


def test_it_needs_a_login(client, out):
    client.logout()

    assert client.get(of_contact(out)).status_code == 302
