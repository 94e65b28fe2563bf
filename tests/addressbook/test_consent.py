from __future__ import annotations

import pytest
from django.urls import reverse

from addressbook import consent, seals
from addressbook.models import ConsentEvent, Contact, Evidence, Suppression
from messaging.addresses import parse
from tests.world import PHONE

EMAIL = "sanne@devries.example"
EVIDENCE = {"method": "signed form", "text": "Yes, send me offers", "occurred_at": "2025-03-01T10:00"}


@pytest.fixture
def client(client, world):
    client.force_login(world.marketer.user)
    return client


def _url(world, name):
    return reverse(f"addressbook:{name}", args=[world.contact.pk])


def _out(world):
    return set(Suppression.objects.of(world.acme).values_list("channel", flat=True))


def test_an_opt_out_covers_the_contacts_other_address(world):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    assert _out(world) == {"sms", "email"}


def test_a_company_may_narrow_it_to_the_channel(world):
    world.acme.opt_out_scope = "channel"
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    assert _out(world) == {"sms"}


def test_an_opt_out_of_one_company_changes_nothing_at_another(world):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    assert not Suppression.objects.of(world.rival).exists()
    assert Contact.objects.of(world.rival).reachable().exists()


def test_twice_is_friendly_and_one_line(world):
    first = consent.opt_out(company=world.acme, address=parse(PHONE), source="reply", channels=["sms"])
    second = consent.opt_out(company=world.acme, address=parse(PHONE), source="landing", channels=["sms"])
    assert (first.already, second.already) == (False, True)
    assert first.event_id == second.event_id
    assert ConsentEvent.objects.of(world.acme).count() == 1


@pytest.mark.parametrize("evidence", [{}, {"method": ""}])
def test_an_opt_in_without_evidence_is_none(world, evidence):
    with pytest.raises(consent.EvidenceMissing):
        consent.opt_in(company=world.acme, address=parse(PHONE), source="api", evidence=evidence)


def test_a_member_opts_a_contact_out_with_the_reason(client, world):
    data = {"channels": ["sms", "email"], "reason": "too_many", "comment": "Told us in the shop"}
    assert client.post(_url(world, "contact-opt-out"), data).status_code == 302
    assert _out(world) == {"sms", "email"}
    event = ConsentEvent.objects.of(world.acme).order_by("pk").first()
    assert (event.reason, event.source) == ("too_many", "marketer")
    evidence = Evidence.objects.of(world.acme).get(pk=event.pk)
    assert (evidence.comment, evidence.details["by"]) == ("Told us in the shop", world.marketer.user.email)


def test_a_member_may_opt_out_one_channel_only(client, world):
    client.post(_url(world, "contact-opt-out"), {"channels": ["email"]})
    assert _out(world) == {"email"}


@pytest.mark.parametrize(
    "data", [{}, {"channels": ["fax"]}, {"channels": ["sms"], "reason": "x"}, {"channels": ["sms"], "comment": "a\0"}]
)
def test_a_wrong_opt_out_is_refused(client, world, data):
    assert client.post(_url(world, "contact-opt-out"), data).status_code == 422
    assert _out(world) == set()


def test_looking_at_the_page_opts_nobody_out(client, world):
    client.get(_url(world, "contact-opt-out"))
    assert _out(world) == set()


def test_a_member_records_an_opt_in_with_its_evidence(client, world):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    client.post(_url(world, "contact-opt-in"), EVIDENCE | {"channels": ["sms"]})
    assert _out(world) == {"email"}
    event = ConsentEvent.objects.of(world.acme).get(type="opt_in")
    kept = Evidence.objects.of(world.acme).get(pk=event.pk).details
    assert kept == EVIDENCE | {"occurred_at": "2025-03-01T10:00:00+00:00", "by": world.marketer.user.email}
    assert event.occurred_at.isoformat() == "2025-03-01T10:00:00+00:00"


@pytest.mark.parametrize("missing", ["method", "text", "occurred_at", "channels"])
def test_an_opt_in_on_the_page_needs_all_of_its_evidence(client, world, missing):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    data = EVIDENCE | {"channels": ["sms", "email"]}
    del data[missing]
    response = client.post(_url(world, "contact-opt-in"), data)
    assert response.status_code == 422
    assert response.context["form"].errors[missing]
    assert _out(world) == {"sms", "email"}


def test_the_ledger_is_intact_after_all_of_it(client, world):
    client.post(_url(world, "contact-opt-out"), {"channels": ["sms", "email"]})
    client.post(_url(world, "contact-opt-in"), EVIDENCE | {"channels": ["sms", "email"]})
    client.post(_url(world, "contact-opt-out"), {"channels": ["sms"]})
    assert seals.verify(world.acme) == []
