"""Promises 1, 2 and 5 at 20,000 recipients: people opt out all the while, and workers are killed at random moments.

KILLS=1000 in the environment kills so many, over as many campaigns as that takes.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import connection, connections

from accounts.scoping import company_scope
from addressbook import consent
from addressbook.models import Suppression
from campaigns import dispatch
from campaigns.models import Campaign
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.models import Batch, HandsetMessage, Message
from tests import make, processes
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = int(os.environ.get("KILLS", "50"))
#: Kills during one campaign; more of them, and little of it would be left to send.
KILLS_EACH = 50
PEOPLE = 20_000
WORKERS = 2


def numbers() -> list[str]:
    return [f"+3161{n:07d}" for n in range(1_000_000, 1_000_000 + PEOPLE)]


@pytest.fixture
def crowd(transactional_db):
    world = World.make()
    group = make.group(world.acme, "Crowd")
    key = digest_key()
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH made AS (
                 INSERT INTO addressbook_contact (company_id, phone, phone_digest, first_name, last_name, language,
                   country, attributes, created_at, updated_at)
                 SELECT %s, phone, digest, 'Jo', '', '', 'NL', '{}', now(), now()
                 FROM unnest(%s::text[], %s::bytea[]) AS p(phone, digest) RETURNING company_id, id)
               INSERT INTO addressbook_groupcontact (company_id, group_id, contact_id)
               SELECT company_id, %s, id FROM made""",
            [world.acme.pk, numbers(), [Address("sms", phone).digest(key) for phone in numbers()], group.pk],
        )
        cursor.execute("ANALYZE addressbook_contact, addressbook_groupcontact")
    return group


class Leaving(threading.Thread):
    """People opt out one after the other, until it is enough; when each was told that it is done."""

    def __init__(self, company, chance: random.Random) -> None:
        super().__init__()
        self.company, self.chance = company, chance
        self.enough = threading.Event()
        self.acknowledged: dict[str, datetime] = {}

    def run(self) -> None:
        phones = numbers()
        self.chance.shuffle(phones)
        try:
            with company_scope(self.company), connection.cursor() as cursor:
                for phone in phones:
                    consent.opt_out(company=self.company, address=Address("sms", phone), source="api")
                    cursor.execute("SELECT clock_timestamp()")
                    (self.acknowledged[phone],) = cursor.fetchone()
                    if self.enough.wait(self.chance.uniform(0, 0.01)):
                        break
        finally:
            connections.close_all()


def is_handed_over(campaign) -> bool:
    campaign.refresh_from_db()
    waiting = Batch.objects.of(campaign.company_id).filter(campaign_id=campaign.pk, status="queued")
    return campaign.built_at is not None and not waiting.exists()


def assert_accounted_for(campaign, handsets: list[HandsetMessage]) -> None:
    """Everybody has one fate, and what the fates say is what the handsets got."""
    campaign.refresh_from_db()
    assert campaign.status == "sent"
    counts = campaign.counts()
    assert counts.pop("audience") == sum(counts.values()) == PEOPLE
    status = dict(Message.objects.of(campaign.company_id).filter(campaign=campaign).values_list("pk", "status"))
    got = Counter(h.message_id for h in handsets if h.message_id in status)
    assert set(got.values()) == {1}, "twice"
    assert len({h.to for h in handsets if h.message_id in status}) == len(got), "one number twice"
    assert set(status.values()) <= {"delivered", "unknown", "suppressed"}
    delivered = {pk for pk, what in status.items() if what == "delivered"}
    assert delivered <= got.keys(), "lost"
    assert {status[pk] for pk in got.keys() - delivered} <= {"unknown"}, "sent, and told otherwise"


def test_killed_workers_send_nothing_twice_nor_after_an_opt_out_and_lose_nothing(crowd):
    chance = random.Random(13)
    company = crowd.company
    left = KILLS
    campaigns: list[Campaign] = []
    leaving = Leaving(company, random.Random(14))
    workers = processes.Workers()
    leaving.start()
    try:
        for _ in range(WORKERS):
            workers.start()
        while left or not is_handed_over(campaigns[-1]):
            if not campaigns or left and is_handed_over(campaigns[-1]):
                campaigns.append(make.campaign(company, crowd, body="Hi {first_name}, sale"))
                campaigns[-1].launch()
            # Moments, not conditions: when a worker dies shall have nothing to do with what it is doing.
            time.sleep(chance.uniform(0.005, 0.08))
            if left > 0 and left > KILLS - KILLS_EACH * len(campaigns):
                workers.kill(chance.randrange(WORKERS))
                workers.start()
                left -= 1
    finally:
        leaving.enough.set()
        leaving.join()
        workers.close()
    processes.until(workers.are_gone)

    claims = dict(Batch.objects.of(company).values_list("pk", "claimed_at"))
    abandoned = Batch.objects.of(company).filter(status="handing")
    assert abandoned.update(claimed_at=make.long_ago(timedelta(minutes=5)))
    dispatch.sweep()

    handsets = list(HandsetMessage.objects.of(company))
    for campaign in campaigns:
        assert_accounted_for(campaign, handsets)
    assert_nobody_was_written_to_who_had_left(company, leaving.acknowledged, handsets, claims)
    assert_every_gap_is_known(company)


def assert_nobody_was_written_to_who_had_left(company, acknowledged, handsets, claims) -> None:
    """Whose opt-out was acknowledged before the last look began, or (of a worker that died) before the claim."""
    assert len(acknowledged) == Suppression.objects.of(company).count() > KILLS
    gaps = dict(Batch.objects.of(company).values_list("pk", "look_to_send_ms"))
    late = 0
    for message in Message.objects.of(company).filter(pk__in=[h.message_id for h in handsets if h.to in acknowledged]):
        gap = gaps[message.batch_id]
        known = claims[message.batch_id] if gap is None else message.sent_at - timedelta(milliseconds=gap)
        late += known > acknowledged[message.address]
    assert late == 0


def assert_every_gap_is_known(company) -> None:
    """From the last look to the first byte, of every batch that was handed over."""
    handed = Message.objects.of(company).filter(status="delivered").values("batch")
    gaps = sorted(Batch.objects.of(company).filter(pk__in=handed).values_list("look_to_send_ms", flat=True))
    assert all(gap is not None for gap in gaps)
    print(f"last look to first byte: 99 % within {gaps[len(gaps) * 99 // 100]:.0f} ms, at most {gaps[-1]:.0f} ms")
