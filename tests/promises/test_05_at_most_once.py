"""Promises 1 and 5 with real workers: killed in the middle of sending, raced by opt-outs, launched twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, connections

from accounts.scoping import company_scope
from addressbook import consent
from addressbook.models import Contact, GroupContact
from campaigns import audience, dispatch
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.models import Batch, HandsetMessage, Message
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


def test_workers_killed_in_the_middle_never_send_twice_and_lose_nothing(world, crowd):
    campaign = launched(world, crowd)
    audience.build(campaign)
    for _ in range(4):
        before = HandsetMessage.objects.of(world.acme).count()
        worker = processes.manage("worker")
        processes.until(
            lambda before=before: (
                HandsetMessage.objects.of(world.acme).count() > before
                or not Batch.objects.of(world.acme).filter(status="queued").exists()
            )
        )
        worker.kill()
        worker.wait()
    Batch.objects.of(world.acme).filter(status="handing").update(claimed_at=make.long_ago(timedelta(minutes=5)))

    drain()

    assert_counts_add_up(campaign)
    assert campaign.status == "sent"
    assert set(received(world).values()) == {1}
    taken = Message.objects.of(world.acme).filter(status__in=["delivered", "unknown"]).count()
    assert taken == PEOPLE
    unknown = Message.objects.of(world.acme).filter(status="unknown").count()
    assert PEOPLE - len(received(world)) <= unknown


def test_opt_outs_racing_with_sending_never_leak(world, crowd):
    campaign = launched(world, crowd)
    audience.build(campaign)
    leaving = random.Random(5).sample(list(Contact.objects.of(world.acme).filter(groups=crowd)), 300)
    acknowledged: dict[str, object] = {}

    def leave() -> None:
        with company_scope(world.acme):
            for contact in leaving:
                consent.opt_out(company=world.acme, address=Address("sms", contact.phone), source="api")
                with connection.cursor() as cursor:
                    cursor.execute("SELECT clock_timestamp()")
                    acknowledged[contact.phone] = cursor.fetchone()[0]
        connections.close_all()

    recipients = threading.Thread(target=leave)
    recipients.start()
    try:
        drain()
    finally:
        recipients.join()
    drain()

    assert_counts_add_up(campaign)
    assert len(acknowledged) == 300
    claims = dict(Batch.objects.of(world.acme).values_list("pk", "claimed_at"))
    late = [
        message
        for message in Message.objects.of(world.acme).filter(status="delivered", address__in=acknowledged)
        if claims[message.batch_id] > acknowledged[message.address]
    ]
    assert late == []


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
