"""Promise 1: once an opt-out is committed, no marketing message is handed over."""

from __future__ import annotations

import uuid

from addressbook import consent
from campaigns import audience, dispatch
from messaging.addresses import Address
from messaging.models import HandsetMessage, Message
from tests import make


def launched(world, **fields):
    campaign = make.campaign(world.acme, world.customers, **fields)
    campaign.launch()
    audience.build(campaign)
    return campaign


def opt_out(world):
    return consent.opt_out(company=world.acme, address=Address("sms", world.contact.phone), source="api")


def received(company):
    return HandsetMessage.objects.of(company)


def test_a_campaign_reaches_its_contact(world):
    campaign = launched(world)

    dispatch.run(category="marketing")

    campaign.refresh_from_db()
    assert campaign.status == "sent"
    assert "Sale today" in received(world.acme).get().text


def test_who_left_before_the_launch_is_left_out_and_counted(world):
    opt_out(world)

    campaign = launched(world)
    dispatch.run(category="marketing")

    assert received(world.acme).count() == 0
    assert campaign.__class__.objects.of(world.acme).get(pk=campaign.pk).counts()["suppressed"] == 1


def test_who_leaves_while_queued_is_taken_out_of_the_queue(world):
    launched(world)

    opt_out(world)

    assert Message.objects.of(world.acme).get().status == "suppressed"
    dispatch.run(category="marketing")
    assert received(world.acme).count() == 0


def test_who_leaves_between_claim_and_last_look_is_not_written_to(world):
    launched(world)
    worker = uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="marketing")

    opt_out(world)
    dispatch.hand_over(batch, worker=worker)

    assert received(world.acme).count() == 0
    assert Message.objects.of(world.acme).get().status == "suppressed"


def test_an_opt_out_from_acme_changes_nothing_at_rival(world):
    opt_out(world)
    campaign = make.campaign(world.rival, world.rivals_customers)
    campaign.launch()
    audience.build(campaign)

    dispatch.run(category="marketing")

    assert received(world.rival).count() == 1


def test_a_worker_that_slept_beyond_its_lease_hands_nothing_over(world):
    launched(world)
    worker = uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="marketing")
    dispatch._run("abandoned", {"lease": dispatch.LEASE * 0})

    dispatch.hand_over(batch, worker=worker)

    assert received(world.acme).count() == 0
    assert Message.objects.of(world.acme).get().status == "unknown"
