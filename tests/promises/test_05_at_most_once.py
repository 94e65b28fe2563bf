"""Promise 5 with real workers: everybody once, whoever launches twice. Killed workers: test_14_killed_at_random.py."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connections

from addressbook.models import Contact, GroupContact
from campaigns import audience, dispatch
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.models import HandsetMessage
from tests import make, processes
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 3000


@pytest.fixture
def world(transactional_db) -> World:
    return World.make()


@pytest.fixture
def crowd(world):
    group = make.group(world.acme, "Crowd")
    phones = [f"+3161{n:07d}" for n in range(1_000_000, 1_000_000 + PEOPLE)]
    made = Contact.objects.bulk_create(
        Contact(
            company=world.acme,
            phone=phone,
            phone_digest=Address("sms", phone).digest(digest_key()),
            country="NL",
            first_name="Jo",
        )
        for phone in phones
    )
    GroupContact.objects.bulk_create(GroupContact(company=world.acme, group=group, contact=c) for c in made)
    return group


def launched(world, group):
    campaign = make.campaign(world.acme, group, body="Hi {first_name}, sale")
    campaign.launch()
    return campaign


def received(world) -> Counter[str]:
    return Counter(HandsetMessage.objects.of(world.acme).values_list("to", flat=True))


def drain() -> None:
    worker = processes.manage("worker", "--drain")
    out, _ = worker.communicate(timeout=120)
    assert worker.returncode == 0, out.decode()


def assert_counts_add_up(campaign) -> None:
    campaign.refresh_from_db()
    counts = campaign.counts()
    assert counts.pop("audience") == sum(counts.values()) == PEOPLE


def test_a_drained_campaign_reaches_everybody_once(world, crowd):
    campaign = launched(world, crowd)

    drain()

    assert_counts_add_up(campaign)
    assert campaign.status == "sent"
    assert len(received(world)) == PEOPLE
    assert set(received(world).values()) == {1}


def test_two_launches_at_once_send_once(world, crowd):
    campaign = launched(world, crowd)
    barrier = threading.Barrier(2)

    def go() -> None:
        mine = type(campaign).objects.of(world.acme).get(pk=campaign.pk)
        barrier.wait()
        mine.launch()
        audience.build(mine)
        dispatch.run(category="marketing")
        connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]

    assert set(received(world).values()) == {1}
    assert len(received(world)) == PEOPLE
