from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from addressbook import consent, seals
from addressbook.models import ConsentEvent, Contact, Evidence, Suppression
from messaging.addresses import parse
from tests.world import PHONE

EMAIL = "sanne@devries.example"
EVIDENCE = {"method": "signed form", "text": "Yes, send me offers", "occurred_at": "2025-03-01T10:00"}
AGREED = datetime(2025, 3, 1, 10, 0, tzinfo=UTC)
BEFORE, AFTER = AGREED - timedelta(hours=1), AGREED + timedelta(seconds=61)


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
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply", occurred_at=BEFORE)
    client.post(_url(world, "contact-opt-in"), EVIDENCE | {"channels": ["sms"]})
    assert _out(world) == {"email"}
    event = ConsentEvent.objects.of(world.acme).get(type="opt_in")
    kept = Evidence.objects.of(world.acme).get(pk=event.pk).details
    assert kept == EVIDENCE | {"occurred_at": "2025-03-01T10:00:00+00:00", "by": world.marketer.user.email}
    assert event.occurred_at.isoformat() == "2025-03-01T10:00:00+00:00"


def test_what_was_agreed_to_before_the_opt_out_lifts_nothing(client, world):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply", occurred_at=AFTER)

    answer = client.post(_url(world, "contact-opt-in"), EVIDENCE | {"channels": ["sms"]})

    assert answer.status_code == 422
    assert "before the opt-out of 1 March 2025, 10:01" in str(answer.context["form"].errors["occurred_at"])
    assert _out(world) == {"sms", "email"}
    assert not ConsentEvent.objects.of(world.acme).filter(type="opt_in").exists()


def test_one_address_that_left_later_keeps_the_other_out_as_well(world):
    """They are one act, and who came back to half of it is not known."""
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply", channels=["sms"], occurred_at=BEFORE)
    consent.opt_out(company=world.acme, address=parse(EMAIL), source="landing", channels=["email"], occurred_at=AFTER)

    with pytest.raises(consent.ConsentTooOld) as refused:
        consent.opt_in(company=world.acme, address=parse(PHONE), source="api", evidence=EVIDENCE, occurred_at=AGREED)

    assert refused.value.since == AFTER
    assert _out(world) == {"sms", "email"}
    consent.opt_in(
        company=world.acme, address=parse(PHONE), source="api", evidence=EVIDENCE, occurred_at=AGREED, channels=["sms"]
    )
    assert _out(world) == {"email"}


@pytest.mark.parametrize(
    ("agreed", "out", "lifts"),
    [
        ("10:00:00", "10:00:59.9", True),  # written to the minute, it may have been at its end
        ("10:00:00", "10:01:00.1", False),
        ("10:00:07", "10:00:07.9", True),
        ("10:00:07", "10:00:08.1", False),
        ("10:00:07.5", "10:00:07.5", True),
        ("10:00:07.5", "10:00:07.6", False),
    ],
)
def test_a_time_counts_as_exactly_as_it_is_written(world, agreed, out, lifts):
    day = "2025-03-01T{}+00:00"
    left, back = datetime.fromisoformat(day.format(out)), datetime.fromisoformat(day.format(agreed))
    consent.opt_out(company=world.acme, address=parse(PHONE), source="api", occurred_at=left)

    with nullcontext() if lifts else pytest.raises(consent.ConsentTooOld):
        consent.opt_in(company=world.acme, address=parse(PHONE), source="api", evidence=EVIDENCE, occurred_at=back)

    assert _out(world) == (set() if lifts else {"sms", "email"})


def test_an_opt_out_by_a_clock_that_is_ahead_can_be_lifted_at_once(world):
    ahead = timezone.now() + timedelta(minutes=3)
    consent.opt_out(company=world.acme, address=parse(PHONE), source="api", occurred_at=ahead)

    consent.opt_in(
        company=world.acme, address=parse(PHONE), source="api", evidence=EVIDENCE, occurred_at=timezone.now()
    )

    assert _out(world) == set()


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
