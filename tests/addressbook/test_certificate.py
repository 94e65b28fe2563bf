from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from addressbook import certificate, consent, erasure, seals
from addressbook.models import ConsentEvent, LedgerSeal, Suppression
from campaigns import audience, dispatch
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.models import Message
from tests import make
from tests.world import CANARY, PHONE

EMAIL = "sanne@devries.example"
TYPED = reverse("addressbook:certificate")
SMS = Address("sms", PHONE)


@pytest.fixture
def client(client, world):
    client.force_login(world.viewer.user)
    return client


@pytest.fixture
def out(world):
    consent.opt_out(
        company=world.acme,
        address=SMS,
        source="reply",
        campaign_name="Spring sale",
        message_id=4711,
        comment="No <b>more</b>",
        evidence={"text": "STOP please", "provider_id": "SM123", "language": "nl"},
    )
    list(seals.seal(world.acme))
    return world


def of(company, address=SMS):
    digest = address.digest(digest_key())
    return certificate.of(company, channel=address.channel, digest=digest, address=address.value)


def of_contact(world, query=""):
    return reverse("addressbook:contact-certificate", args=[world.contact.pk]) + query


def text_of(answer):
    return " ".join(re.sub("<[^>]+>", " ", answer.content.decode()).split())


def test_it_states_since_when_how_and_with_which_evidence(client, out):
    page = text_of(client.get(of_contact(out)))

    since = Suppression.objects.of(out.acme).get(channel="sms").since
    assert "+31 6 12345678" in page or "+31 6 12 34 56 78" in page
    assert f"{since:%Y, %H:%M:%S} UTC" in page
    for words in ("by reply to “Spring sale”", "4711", "STOP please", "SM123", "No &lt;b&gt;more&lt;/b&gt;"):
        assert words in page


def test_the_hash_of_each_line_can_be_computed_from_the_page(out):
    consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": "paper"})

    made = of(out.acme)

    assert [line.event.type for line in made.lines] == ["opt_in", "opt_out"]
    for line in made.lines:
        assert hashlib.sha256(line.hashed.encode()).hexdigest() == line.hash
    assert made.is_intact


def test_each_line_names_the_seal_over_it(out):
    for n in range(9):
        consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": str(n)})
        consent.opt_out(company=out.acme, address=SMS, source="api", channels=["sms"])
        list(seals.seal(out.acme))
    consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": "paper"})

    seal_numbers = [line.seal and line.seal.number for line in of(out.acme).lines]

    assert seal_numbers == [None, *(n for n in range(10, 1, -1) for _ in range(2)), 1]


def test_the_page_names_the_latest_seal_and_the_command_that_verifies_it(client, out):
    (seal,) = LedgerSeal.objects.of(out.acme)

    page = text_of(client.get(of_contact(out)))

    assert f"verify_ledger --company acme --seal {seal}" in page
    assert seals.verify(out.acme, given_out=seals.GivenOut.parse(str(seal))) == []


def test_a_line_that_waits_for_its_seal_says_so(client, world):
    consent.opt_out(company=world.acme, address=SMS, source="api")

    assert "within the next minutes" in text_of(client.get(of_contact(world)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE addressbook_evidence SET comment = 'x'",
        "UPDATE addressbook_consentevent SET reason = 'x'",
        "DELETE FROM addressbook_evidence",
    ],
)
def test_a_line_that_was_tampered_with_makes_the_page_warn(client, out, statement):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")

    assert "Do not rely on this page" in text_of(client.get(of_contact(out)))


def test_it_survives_missing_seals(client, out):
    consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": "paper"})
    list(seals.seal(out.acme))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM addressbook_ledgerseal WHERE number = 1")

    assert client.get(of_contact(out)).status_code == 200


def test_it_counts_the_marketing_that_left_after_the_opt_out(client, world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")
    consent.opt_out(company=world.acme, address=SMS, source="api")
    assert of(world.acme).sent_since == 0
    assert of(world.acme).last_sent_at is not None
    assert "None was handed to a provider after" in text_of(client.get(of_contact(world)))

    Message.objects.of(world.acme).update(sent_at=timezone.now() + timedelta(minutes=1))

    assert of(world.acme).sent_since == 1
    assert "1 message was handed to a provider after" in text_of(client.get(of_contact(world)))


def test_an_address_that_came_back_is_not_opted_out(client, out):
    consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": "paper"})

    page = text_of(client.get(of_contact(out)))

    assert "No suppression is in force" in page
    assert "Opted in to SMS" in page


def test_the_contact_s_other_address_has_its_own(client, out):
    page = text_of(client.get(of_contact(out, "?channel=email")))

    assert EMAIL in page
    assert "follows from line" in page


@pytest.mark.parametrize("channel", ["fax", "\0", "sms'", "é" * 1000])
def test_a_channel_that_the_contact_has_not_is_404(client, world, channel):
    assert client.get(of_contact(world), {"channel": channel}).status_code == 404


@pytest.mark.parametrize("typed", [PHONE, "+31 (0)6-1234 5678", "0031 6 1234 5678"])
def test_an_address_is_found_in_any_writing(client, out, typed):
    assert "STOP please" in text_of(client.post(TYPED, {"address": typed}))


def test_an_address_nobody_knows_has_an_empty_one(client, world):
    answer = client.post(TYPED, {"address": "nobody@example.org"})

    assert answer.status_code == 200
    assert "Nothing was ever recorded" in text_of(answer)


@pytest.mark.parametrize("typed", ["", "x", "12", "a\0b", "x" * 1_000_000, "\ud800", "@", "+"])
def test_what_is_no_address_is_refused_at_its_field(client, world, typed):
    data = {"address": typed.encode("utf-8", "surrogatepass").decode("utf-8", "replace")}

    answer = client.post(TYPED, data)

    assert answer.status_code == 422
    assert answer.context["form"].errors["address"]


def test_the_form_says_what_to_type(client, world):
    assert "Phone number or e-mail address" in text_of(client.get(TYPED))


def test_an_erased_address_is_reached_from_the_suppression_list(client, out):
    erasure.erase(out.contact, by="somebody")
    one = Suppression.objects.of(out.acme).get(channel="sms")
    url = reverse("addressbook:suppression-certificate", args=[one.pk])
    assert url in client.get(reverse("addressbook:suppressions")).content.decode()

    page = text_of(client.get(url))

    assert "erased on" in page
    assert "STOP please" not in page
    assert "Data erased" in page
    assert of(out.acme).is_intact
    assert "Data erased" in text_of(client.post(TYPED, {"address": PHONE}))


def test_another_company_s_lines_do_not_show(client, world):
    consent.opt_out(company=world.rival, address=SMS, source="api", comment=CANARY)
    one = Suppression.objects.of(world.rival).get()

    page = text_of(client.post(TYPED, {"address": PHONE}))

    assert "Nothing was ever recorded" in page
    assert CANARY not in page
    assert client.get(reverse("addressbook:suppression-certificate", args=[one.pk])).status_code == 404
    theirs = reverse("addressbook:contact-certificate", args=[world.rivals_contact.pk])
    assert client.get(theirs).status_code == 404


def test_it_changes_nothing(client, out):
    consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": "paper"})
    before = ConsentEvent.objects.of(out.acme).count(), LedgerSeal.objects.of(out.acme).count()

    client.post(TYPED, {"address": PHONE})

    assert (ConsentEvent.objects.of(out.acme).count(), LedgerSeal.objects.of(out.acme).count()) == before


def test_the_newest_lines_only_when_there_are_very_many(client, out, monkeypatch):
    monkeypatch.setattr(certificate, "MOST_LINES", 1)
    consent.opt_in(company=out.acme, address=SMS, source="api", evidence={"method": "paper"})

    assert "There are older lines" in text_of(client.get(of_contact(out)))


def test_the_contact_s_page_leads_to_it(client, out):
    page = client.get(reverse("addressbook:contact", args=[out.contact.pk])).content.decode()

    assert of_contact(out, "?channel=sms") in page
    assert of_contact(out, "?channel=email") in page


def test_it_needs_a_login(client, world):
    client.logout()

    assert client.get(TYPED).status_code == 302
