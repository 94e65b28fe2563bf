"""Promise 3: suppression never blocks a transactional message, and it never carries an opt-out line."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction

from addressbook import consent
from campaigns import audience, dispatch, gate
from messaging.addresses import Address
from messaging.models import HandsetMessage, Message
from optout.models import OptOutText
from tests import make
from tests.optout import links
from tests.world import PHONE

pytestmark = pytest.mark.django_db
TO = Address("sms", PHONE)
CODE = "Your code is 123456"


@pytest.mark.parametrize("to", [TO, Address("email", "sanne@devries.example")])
def test_it_passes_while_suppressed(world, to):
    consent.opt_out(company=world.acme, address=to, source="api")

    gate.send(company=world.acme, to=to, body=CODE, category="transactional")
    dispatch.run(category="transactional")

    assert HandsetMessage.objects.of(world.acme).get().text == CODE


def test_it_passes_when_the_opt_out_comes_after_it_was_queued(world):
    message = gate.send(company=world.acme, to=TO, body=CODE, category="transactional")
    consent.opt_out(company=world.acme, address=TO, source="api")
    message.refresh_from_db()
    assert message.status == "queued"

    worker = uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="transactional")
    consent.opt_out(company=world.acme, address=Address("email", world.contact.email), source="api")
    dispatch.hand_over(batch, worker=worker)

    assert HandsetMessage.objects.of(world.acme).count() == 1


def test_it_carries_no_line_whatever_the_company_has_written(world):
    OptOutText.objects.create(company=world.acme, language="nl", method="link", text="Weg: {link}")

    message = gate.send(company=world.acme, to=TO, body=CODE, category="transactional")

    assert (message.text, message.method, message.reply_code) == (CODE, "", "")


def test_an_email_carries_no_unsubscribe_header(world, monkeypatch):
    got = []
    real = dispatch._send
    monkeypatch.setattr(dispatch, "_send", lambda gateway, out: got.extend(out) or real(gateway, out))
    to = Address("email", world.contact.email)
    gate.send(company=world.acme, to=to, body=CODE, category="transactional", subject="Code")
    gate.send(company=world.acme, to=to, body="Sale", category="marketing", subject="Sale")

    dispatch.run(category="transactional")
    dispatch.run(category="marketing")

    assert [bool(message.list_unsubscribe) for message in got] == [False, True]


def test_it_has_no_link_that_could_stop_anything(world, client, settings):
    message = links.message(world.acme, PHONE, category="transactional")

    assert client.post(links.path(message), {"phone": PHONE}, headers={"host": "localhost"}).status_code == 404


def test_the_database_knows_no_transactional_message_with_a_way_out_nor_marketing_without(world):
    for category, method in (("transactional", "link"), ("marketing", "")):
        with pytest.raises(IntegrityError, match="marketing_has_a_way_out"), transaction.atomic():
            links.message(world.acme, PHONE, category=category, method=method)


def test_it_does_not_wait_for_a_campaign(world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    gate.send(company=world.acme, to=TO, body=CODE, category="transactional")

    dispatch.run(category="transactional")

    assert HandsetMessage.objects.of(world.acme).get().text == CODE
    assert Message.objects.of(world.acme).filter(category="marketing", status="queued").exists()
