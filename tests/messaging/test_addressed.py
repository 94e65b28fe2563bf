"""Which messages went to an address, though no index holds the address."""

from __future__ import annotations

import pytest

from addressbook import consent
from campaigns import audience, gate
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.models import Message
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
NEW = Address("sms", "+31687654321")
OLD = Address("sms", PHONE)


@pytest.fixture
def message(world) -> Message:
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    return Message.objects.of(world.acme).get()


def to(company, address: Address) -> list[Message]:
    return list(Message.objects.to(company, address.digest(digest_key())))


def test_a_message_is_found_by_the_address_of_its_contact(world, message):
    assert to(world.acme, OLD) == [message]
    assert to(world.rival, OLD) == []


def test_a_message_is_found_by_the_address_that_its_contact_had(world, message):
    world.contact.set_address("sms", NEW)
    world.contact.save()

    assert to(world.acme, OLD) == [message]
    assert to(world.acme, NEW) == []


def test_a_message_is_found_when_its_contact_is_gone(world, message):
    world.contact.delete()

    assert to(world.acme, OLD) == [message]


def test_a_message_to_nobody_in_the_address_book_is_found(world):
    sent = gate.send(company=world.acme, to=NEW, body="Your code", category="transactional")

    assert to(world.acme, NEW) == [sent]


def test_an_opt_out_of_the_old_address_takes_its_waiting_message_out(world, message):
    world.contact.set_address("sms", NEW)
    world.contact.save()

    consent.opt_out(company=world.acme, address=OLD, source="api")

    message.refresh_from_db()
    assert message.status == "suppressed"
