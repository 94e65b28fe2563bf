"""The gate for single messages: who may be sent what, with line and link."""

from __future__ import annotations

import pytest

from addressbook import consent
from campaigns import dispatch, gate
from messaging.addresses import Address
from messaging.models import HandsetMessage, Message, Sender
from optout import destinations
from optout.links import link
from optout.models import DestinationRule
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
TO = Address("sms", PHONE)
STRANGER = Address("sms", "+31687654321")


def send(company, to=TO, category="marketing", body="Sale today", **fields):
    return gate.send(company=company, to=to, body=body, category=category, **fields)


def test_a_marketing_message_gets_its_line(world):
    message = send(world.acme)

    assert link(message.pk, "sms") in message.text
    assert message.text.startswith("Sale today\n")
    assert (message.method, message.language, message.country) == ("link", "nl", "NL")


def test_a_message_is_handed_over_as_it_was_shown(world):
    message = send(world.acme)

    dispatch.run(category="marketing")

    assert HandsetMessage.objects.of(world.acme).get().text == message.text


def test_a_transactional_message_stays_as_it_is(world):
    message = send(world.acme, category="transactional", body="Your code: {opt_out} 1234 {link}")

    assert message.text == "Your code: {opt_out} 1234 {link}"
    assert message.method == ""


def test_braces_of_a_single_text_are_not_merged(world):
    assert "{first_name}" in send(world.acme, body="Hi {first_name}").text


def test_the_line_goes_to_its_place(world):
    text = send(world.acme, body="A {opt_out} B").text

    assert text.startswith("A ")
    assert text.endswith(" B")
    assert "{opt_out}" not in text


def test_a_suppressed_address_is_refused_and_nothing_is_written(world):
    consent.opt_out(company=world.acme, address=TO, source="api")

    with pytest.raises(gate.Suppressed):
        send(world.acme)
    assert not Message.objects.of(world.acme).exists()


def test_another_company_s_suppression_does_not_refuse(world):
    consent.opt_out(company=world.rival, address=TO, source="api")

    assert send(world.acme).status == "queued"


def test_somebody_outside_the_address_book_is_written_to_and_may_leave(world):
    message = send(world.acme, STRANGER)
    assert message.contact is None

    consent.opt_out(company=world.acme, address=STRANGER, source="api")

    with pytest.raises(gate.Suppressed):
        send(world.acme, STRANGER)


def test_where_no_lawful_way_out_exists_nothing_is_sent(world, monkeypatch):
    DestinationRule.objects.filter(country="NL").update(methods=["reply"], link_allowed=False)
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))

    with pytest.raises(gate.NoWayOut):
        send(world.acme, sender="ACME")
    assert send(world.acme, category="transactional").status == "queued"

    Sender.objects.create(company=None, value="36179", kind="short_code", country="NL")
    assert send(world.acme, sender="ACME").reply_code == "36179"
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))


@pytest.mark.parametrize("body", ["", "  ", "\n"])
@pytest.mark.parametrize("category", ["marketing", "transactional"])
def test_an_empty_text_is_refused(world, body, category):
    with pytest.raises(gate.InvalidBody):
        send(world.acme, body=body, category=category)


def test_an_opt_out_after_the_gate_still_stops_it(world):
    message = send(world.acme)

    consent.opt_out(company=world.acme, address=TO, source="api")
    dispatch.run(category="marketing")

    message.refresh_from_db()
    assert message.status == "suppressed"
    assert not HandsetMessage.objects.of(world.acme).exists()


def test_the_contact_s_language_comes_before_the_country_s(world):
    make.contact(world.acme, STRANGER.value, language="fr")

    assert send(world.acme, STRANGER).language == "fr"


def test_an_email_gets_a_link_that_names_it(world):
    message = send(world.acme, Address("email", "jo@example.org"), subject="Sale")

    assert link(message.pk, "email") in message.text
    assert message.subject == "Sale"
