"""A campaign's life: whatever is clicked in whatever order, everybody is accounted for, nobody is written to twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone

from accounts.scoping import company_scope
from addressbook import consent
from campaigns import audience, dispatch
from campaigns.audit import Who
from campaigns.models import Campaign, WrongState
from messaging.addresses import Address
from messaging.gateways import ADAPTERS, Simulator
from messaging.models import Batch, HandsetMessage, Message
from tests import make
from tests.world import World

PEOPLE = 12


@pytest.fixture
def crowd(world):
    group = make.group(world.acme, "Crowd")
    for n in range(PEOPLE):
        make.contact(world.acme, f"+3161234{n:04d}", group=group)
    return group


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(Simulator, "batch_size", 3)


def status(campaign) -> str:
    campaign.refresh_from_db()
    return campaign.status


def received(company) -> Counter[str]:
    return Counter(HandsetMessage.objects.of(company).values_list("to", flat=True))


def adds_up(campaign) -> dict[str, int]:
    campaign.refresh_from_db()
    counts = campaign.counts()
    assert counts["audience"] == sum(n for name, n in counts.items() if name != "audience")
    assert all(n >= 0 for n in counts.values())
    return counts


# Random walks


def hand_over_one(campaign) -> None:
    worker = dispatch.uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="marketing")
    if batch:
        dispatch.hand_over(batch, worker=worker)


def leave(campaign) -> None:
    left = Message.objects.of(campaign.company_id).order_by("?").values_list("address", flat=True).first()
    if left:
        consent.opt_out(company=campaign.company, address=Address("sms", left), source="api")


def worker_dies(campaign) -> None:
    dispatch.claim(worker=dispatch.uuid.uuid4(), category="marketing")
    dispatch._run("abandoned", {"lease": timedelta(0)})


STEPS = {
    "launch": Campaign.launch,
    "pause": Campaign.pause,
    "resume": Campaign.resume,
    "cancel": Campaign.cancel,
    "build": audience.build,
    "hand over": hand_over_one,
    "opt out": leave,
    "worker dies": worker_dies,
    "sweep": lambda campaign: dispatch.sweep(),
}
#: Who may follow whom; what is done already may be said again.
MAY_FOLLOW = {
    "draft": {"draft", "sending", "cancelled"},
    "sending": {"sending", "paused", "sent", "cancelled"},
    "paused": {"paused", "sending", "cancelled"},
    "sent": {"sent"},
    "cancelled": {"cancelled"},
}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_in_whatever_order_the_counts_add_up(world, crowd, small_batches, seed):
    chance = random.Random(seed)
    campaign = make.campaign(world.acme, crowd)
    before = "draft"
    weights = {"cancel": 0.3}
    for _ in range(25):
        step = chance.choices(list(STEPS), [weights.get(s, 1) for s in STEPS])[0]
        try:
            STEPS[step](campaign)
        except WrongState:
            assert step in {"launch", "pause", "resume", "cancel"}
            assert status(campaign) == before
        assert status(campaign) in MAY_FOLLOW[before], step
        before = campaign.status
        counts = adds_up(campaign)
        assert counts["audience"] in ({0} if campaign.built_at is None else {PEOPLE})
        assert set(received(world.acme).values()) <= {1}
        if before in {"sent", "cancelled"}:
            assert counts["queued"] == counts["deferred"] == 0 or before == "cancelled" and handing(campaign)
        if before in {"paused", "cancelled"}:
            heard = received(world.acme)
            hand_over_one(campaign)
            assert received(world.acme) == heard


def handing(campaign) -> bool:
    return campaign.batches().filter(status="handing").exists()


@pytest.mark.parametrize("seed", range(10))
def test_every_launched_campaign_comes_to_its_end(world, crowd, small_batches, seed):
    chance = random.Random(1000 + seed)
    campaign = make.campaign(world.acme, crowd)
    campaign.launch()
    for _ in range(10):
        step = chance.choice([s for s in STEPS if s != "cancel"])
        try:
            STEPS[step](campaign)
        except WrongState:
            continue
    if status(campaign) == "paused":
        campaign.resume()

    dispatch.sweep()
    dispatch.send_due(category="marketing")

    assert status(campaign) == "sent"
    counts = adds_up(campaign)
    assert counts["delivered"] == len(received(world.acme))
    assert counts["delivered"] + counts["suppressed"] + counts["unknown"] == PEOPLE


# One by one


def test_launching_twice_is_no_error_and_sends_once(world, crowd):
    campaign = make.campaign(world.acme, crowd)

    assert campaign.launch() is True
    audience.build(campaign)
    assert campaign.launch() is False
    audience.build(campaign)
    dispatch.run(category="marketing")

    assert received(world.acme) == Counter({f"+3161234{n:04d}": 1 for n in range(PEOPLE)})


@pytest.mark.parametrize("end", ["sent", "paused"])
def test_launching_what_was_launched_changes_nothing(world, crowd, end):
    campaign = make.campaign(world.acme, crowd, status=end, launched_at=timezone.now())

    assert campaign.launch() is False
    assert status(campaign) == end


def test_a_cancelled_campaign_cannot_be_launched(world, crowd):
    campaign = make.campaign(world.acme, crowd)
    campaign.cancel()

    with pytest.raises(WrongState):
        campaign.launch()


def test_a_campaign_known_from_before_its_cancelling_cannot_be_launched(world, crowd):
    campaign = make.campaign(world.acme, crowd)
    stale = Campaign.objects.of(world.acme).get(pk=campaign.pk)
    campaign.cancel()

    with pytest.raises(WrongState):
        stale.launch()


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_draft_can_neither_be_paused_nor_resumed(world, crowd, verb):
    with pytest.raises(WrongState):
        getattr(make.campaign(world.acme, crowd), verb)()


def test_a_paused_campaign_stands_still_and_goes_on(world, crowd, small_batches):
    campaign = make.campaign(world.acme, crowd)
    campaign.launch()
    audience.build(campaign)
    hand_over_one(campaign)

    campaign.pause()
    dispatch.run(category="marketing")
    assert len(received(world.acme)) == 3
    assert adds_up(campaign)["queued"] == PEOPLE - 3

    campaign.resume()
    dispatch.run(category="marketing")
    assert len(received(world.acme)) == PEOPLE
    assert status(campaign) == "sent"


def test_paused_before_its_messages_are_written_it_goes_on_when_resumed(world, crowd):
    campaign = make.campaign(world.acme, crowd)
    campaign.launch()
    campaign.pause()
    assert audience.build(campaign) == 0

    campaign.resume()
    dispatch.send_due(category="marketing")

    assert len(received(world.acme)) == PEOPLE


def test_cancelled_while_sending_nothing_more_leaves(world, crowd, small_batches):
    campaign = make.campaign(world.acme, crowd)
    campaign.launch()
    audience.build(campaign)
    hand_over_one(campaign)

    campaign.cancel()
    dispatch.send_due(category="marketing")

    assert len(received(world.acme)) == 3
    assert adds_up(campaign)["cancelled"] == PEOPLE - 3
    assert not Batch.objects.of(world.acme).exclude(status="done").exists()


def test_an_opt_out_after_the_cancelling_changes_no_count(world, crowd):
    campaign = make.campaign(world.acme, crowd)
    campaign.launch()
    audience.build(campaign)
    campaign.cancel()

    leave(campaign)

    assert adds_up(campaign)["cancelled"] == PEOPLE


def test_a_duplicate_is_a_new_draft_with_the_same_text_and_audience(world, crowd):
    campaign = make.campaign(world.acme, crowd, name="x" * 200, opt_out_text="Bye: {link}", sender="ACME")
    campaign.exclude_groups.set([world.customers])
    campaign.launch()

    copy = campaign.duplicate(by=Who.person(world.owner.user))

    assert (copy.status, copy.launched_at, copy.scheduled_at, copy.audience) == ("draft", None, None, 0)
    assert (copy.body, copy.opt_out_text, copy.sender) == (campaign.body, campaign.opt_out_text, campaign.sender)
    assert len(copy.name) <= 200
    with company_scope(world.acme):
        assert list(copy.groups.all()) == [crowd]
        assert list(copy.exclude_groups.all()) == [world.customers]


# Nobody there


@pytest.mark.parametrize("why", ["empty group", "no group", "all suppressed", "all excluded"])
def test_a_campaign_that_reaches_nobody_ends_as_sent(world, why):
    group = make.group(world.acme, "Few")
    if why in {"all suppressed", "all excluded"}:
        contact = make.contact(world.acme, group=group)
    campaign = make.campaign(world.acme, *([] if why == "no group" else [group]))
    if why == "all suppressed":
        consent.opt_out(company=world.acme, address=Address("sms", contact.phone), source="api")
    if why == "all excluded":
        campaign.exclude_groups.set([group])

    campaign.launch()
    dispatch.send_due(category="marketing")

    assert status(campaign) == "sent"
    counts = adds_up(campaign)
    assert counts["audience"] == counts["suppressed"] == (1 if why == "all suppressed" else 0)
    assert not received(world.acme)


# Later


def test_a_scheduled_campaign_waits_for_its_time(world, crowd):
    campaign = make.campaign(world.acme, crowd, scheduled_at=timezone.now() + timedelta(hours=1))
    campaign.launch()

    dispatch.sweep()
    dispatch.send_due(category="marketing")

    assert status(campaign) == "scheduled"
    assert not received(world.acme)


def test_a_scheduled_campaign_is_sent_when_its_time_has_come(world, crowd):
    campaign = make.campaign(world.acme, crowd, scheduled_at=timezone.now() + timedelta(hours=1))
    campaign.launch()
    Campaign.objects.of(world.acme).filter(pk=campaign.pk).update(scheduled_at=make.long_ago(timedelta(seconds=1)))

    dispatch.sweep()
    dispatch.send_due(category="marketing")

    assert status(campaign) == "sent"
    assert len(received(world.acme)) == PEOPLE


def test_a_scheduled_campaign_can_be_cancelled(world, crowd):
    campaign = make.campaign(world.acme, crowd, scheduled_at=timezone.now() + timedelta(hours=1))
    campaign.launch()
    campaign.cancel()
    Campaign.objects.of(world.acme).filter(pk=campaign.pk).update(scheduled_at=make.long_ago(timedelta(seconds=1)))

    dispatch.sweep()

    assert status(campaign) == "cancelled"
    assert not Message.objects.of(world.acme).exists()


def test_scheduling_twice_is_no_error(world, crowd):
    campaign = make.campaign(world.acme, crowd, scheduled_at=timezone.now() + timedelta(hours=1))

    assert campaign.launch() is True
    assert campaign.launch() is False
    assert status(campaign) == "scheduled"


def test_one_scheduled_campaign_that_fails_does_not_hold_up_the_others(world, crowd, monkeypatch):
    yesterday = make.long_ago(timedelta(days=1))
    cancelled, good = (make.campaign(world.acme, crowd, status="scheduled", scheduled_at=yesterday) for _ in range(2))
    launch = Campaign.launch

    def cancelled_meanwhile(self):
        if self.pk == cancelled.pk:
            Campaign.objects.of(world.acme).get(pk=self.pk).cancel()
        return launch(self)

    monkeypatch.setattr(Campaign, "launch", cancelled_meanwhile)

    dispatch.sweep()
    dispatch.send_due(category="marketing")

    assert (status(cancelled), status(good)) == ("cancelled", "sent")


# At the same moment


@pytest.mark.django_db(transaction=True)
class TestAtTheSameMoment:
    @pytest.fixture
    def world(self, transactional_db) -> World:
        return World.make()

    def race(self, *acts) -> None:
        barrier = threading.Barrier(len(acts))
        failed = []

        def run(act) -> None:
            barrier.wait()
            try:
                act()
            except WrongState:
                pass
            except BaseException as problem:
                failed.append(problem)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=[act]) for act in acts]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert failed == []

    def test_two_launches_send_once(self, world, crowd):
        campaign = make.campaign(world.acme, crowd)
        again = Campaign.objects.of(world.acme).get(pk=campaign.pk)

        def go(mine):
            mine.launch()
            dispatch.send_due(category="marketing")

        self.race(lambda: go(campaign), lambda: go(again))
        dispatch.send_due(category="marketing")

        assert status(campaign) == "sent"
        assert set(received(world.acme).values()) == {1}
        assert len(received(world.acme)) == PEOPLE

    @pytest.mark.parametrize("verb", ["pause", "cancel"])
    def test_a_stop_while_the_audience_is_written_leaves_nothing_running(self, world, crowd, small_batches, verb):
        campaign = make.campaign(world.acme, crowd)
        campaign.launch()
        again = Campaign.objects.of(world.acme).get(pk=campaign.pk)

        self.race(lambda: audience.build(campaign), getattr(again, verb))
        dispatch.run(category="marketing")

        assert not received(world.acme)
        assert not Batch.objects.of(world.acme).filter(status="queued").exists()
        adds_up(campaign)

    def test_pause_and_resume_end_in_one_state(self, world, crowd, small_batches):
        for _ in range(5):
            campaign = make.campaign(world.acme, crowd)
            campaign.launch()
            audience.build(campaign)
            again = Campaign.objects.of(world.acme).get(pk=campaign.pk)
            again.pause()

            self.race(campaign.resume, again.pause)

            wanted = {"sending": "queued", "paused": "held"}[status(campaign)]
            assert set(campaign.batches().values_list("status", flat=True)) == {wanted}
            campaign.cancel()

    def test_opt_outs_while_cancelling_are_counted_once(self, world, crowd, small_batches):
        campaign = make.campaign(world.acme, crowd)
        campaign.launch()
        audience.build(campaign)

        def everybody_leaves():
            for n in range(PEOPLE):
                consent.opt_out(company=world.acme, address=Address("sms", f"+3161234{n:04d}"), source="api")

        self.race(everybody_leaves, campaign.cancel)

        counts = adds_up(campaign)
        assert counts["cancelled"] + counts["suppressed"] == PEOPLE


def test_every_gateway_says_how_much_one_request_carries():
    assert all(adapter.batch_size > 0 for adapter in ADAPTERS.values())
