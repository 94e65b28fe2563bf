"""The one way out of the house: claim, last look, render, hand over, outcome."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db.models import F

from addressbook import consent
from campaigns import audience, dispatch, gate
from messaging.addresses import Address
from messaging.gateways import ADAPTERS, Adapter, Block, Outcome, Verdict
from messaging.models import Batch, Gateway, HandsetMessage, Message
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
TO = Address("sms", PHONE)


class Scripted(Adapter):
    """Answers what the test wrote down."""

    kind = "scripted"
    label = "Scripted"
    batch_size = 10
    script: list = []
    got: list = []

    def send(self, messages):
        self.got.append(list(messages))
        answer = self.script.pop(0) if self.script else Outcome(Verdict.ACCEPTED)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, list) else [answer] * len(messages)


@pytest.fixture
def scripted(world, monkeypatch):
    monkeypatch.setitem(ADAPTERS, "scripted", Scripted)
    monkeypatch.setattr(Scripted, "script", [])
    monkeypatch.setattr(Scripted, "got", [])
    Gateway.objects.of(world.acme).update(kind="scripted")
    return Scripted


@pytest.fixture
def campaign(world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    return campaign


def message(world) -> Message:
    return Message.objects.of(world.acme).get()


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("accepted", "sent"), ("delivered", "delivered"), ("rejected", "failed"), ("unknown", "unknown")],
)
def test_each_verdict_has_its_status(world, scripted, campaign, verdict, status):
    scripted.script = [Outcome(Verdict(verdict), provider_id="p-1", error="e")]

    dispatch.run(category="marketing")

    assert (message(world).status, message(world).provider_id, message(world).error) == (status, "p-1", "e")
    assert bool(message(world).sent_at) == (status != "failed")
    campaign.refresh_from_db()
    assert campaign.status == "sent"


@pytest.mark.parametrize("fault", [RuntimeError("boom"), [], [Outcome(Verdict.ACCEPTED)] * 2])
def test_what_the_gateway_hides_is_unknown_and_never_sent_again(world, scripted, campaign, fault):
    scripted.script = [fault]

    dispatch.run(category="marketing")
    dispatch.sweep()
    dispatch.run(category="marketing")

    assert message(world).status == "unknown"
    assert len(scripted.got) == 1


def test_what_certainly_never_left_is_tried_again(world, scripted, campaign):
    scripted.script = [Outcome(Verdict.RETRYABLE)]

    dispatch.run(category="marketing")
    assert message(world).status == "queued"
    campaign.refresh_from_db()
    assert campaign.status == "sending"

    dispatch.run(category="marketing")
    assert len(scripted.got) == 1, "not before its time"

    Batch.objects.of(world.acme).filter(status="queued").update(due_at=make.long_ago(timedelta(seconds=1)))
    dispatch.run(category="marketing")
    assert message(world).status == "sent"
    assert len(scripted.got) == 2


def test_who_leaves_between_two_tries_is_not_written_to(world, scripted, campaign):
    scripted.script = [Outcome(Verdict.RETRYABLE)]
    dispatch.run(category="marketing")

    consent.opt_out(company=world.acme, address=TO, source="api")
    Batch.objects.of(world.acme).filter(status="queued").update(due_at=make.long_ago(timedelta(seconds=1)))
    dispatch.run(category="marketing")

    assert len(scripted.got) == 1
    assert message(world).status == "suppressed"


def test_a_pause_or_a_cancel_holds_what_waits_for_its_second_try(world, scripted, campaign):
    scripted.script = [Outcome(Verdict.RETRYABLE)]
    dispatch.run(category="marketing")

    campaign.cancel()

    assert message(world).status == "cancelled"


def test_half_a_batch_each_by_its_own(world, scripted):
    contacts = [make.contact(world.acme, group=world.customers) for _ in range(2)]
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    scripted.script = [[Outcome(Verdict.ACCEPTED), Outcome(Verdict.REJECTED, error="no"), Outcome(Verdict.RETRYABLE)]]

    dispatch.run(category="marketing")

    by_contact = dict(Message.objects.of(world.acme).values_list("contact", "status"))
    assert by_contact == {world.contact.pk: "sent", contacts[0].pk: "failed", contacts[1].pk: "queued"}
    campaign.refresh_from_db()
    counts = campaign.counts()
    assert (counts["audience"], counts["sent"], counts["failed"], counts["queued"]) == (3, 1, 1, 1)


def test_paused_during_the_hand_over_what_is_to_be_tried_again_waits(world, scripted, campaign):
    """The gateway refuses for now while the campaign is being paused: the new batch is held as the others are."""
    worker = uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="marketing")
    campaign.pause()
    scripted.script = [Outcome(Verdict.RETRYABLE)]

    dispatch.hand_over(batch, worker=worker)
    Batch.objects.of(world.acme).update(due_at=make.long_ago(timedelta(seconds=1)))
    dispatch.run(category="marketing")

    assert len(scripted.got) == 1


def test_cancelled_during_the_hand_over_nothing_is_tried_again(world, scripted, campaign):
    worker = uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="marketing")
    campaign.cancel()
    scripted.script = [Outcome(Verdict.RETRYABLE)]

    dispatch.hand_over(batch, worker=worker)
    Batch.objects.of(world.acme).update(due_at=make.long_ago(timedelta(seconds=1)))
    dispatch.run(category="marketing")

    assert len(scripted.got) == 1
    assert message(world).status == "cancelled"


def test_two_workers_never_claim_the_same_batch(world, campaign):
    assert dispatch.claim(worker=uuid.uuid4(), category="marketing")
    assert dispatch.claim(worker=uuid.uuid4(), category="marketing") is None


def test_another_worker_cannot_hand_over_what_it_did_not_claim(world, scripted, campaign):
    batch = dispatch.claim(worker=uuid.uuid4(), category="marketing")

    dispatch.hand_over(batch, worker=uuid.uuid4())

    assert scripted.got == []


def test_a_live_worker_s_batch_is_not_taken_for_abandoned(world, campaign):
    dispatch.claim(worker=uuid.uuid4(), category="marketing")

    dispatch.sweep()

    assert message(world).status == "queued"
    assert message(world).shown_status == "handing"


def test_a_dead_worker_s_messages_become_unknown_and_the_campaign_ends(world, campaign):
    dispatch.claim(worker=uuid.uuid4(), category="marketing")
    Batch.objects.of(world.acme).update(claimed_at=make.long_ago(dispatch.LEASE + timedelta(seconds=1)))

    dispatch.sweep()

    assert message(world).status == "unknown"
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_the_lease_is_short_enough_for_what_was_promised():
    """Unknown within 120 s while another worker runs."""
    assert timedelta(seconds=110) >= dispatch.LEASE


def test_the_time_between_last_look_and_hand_over_is_kept(world, campaign):
    dispatch.run(category="marketing")

    assert Batch.objects.of(world.acme).get().look_to_send_ms >= 0


def test_after_slow_rendering_the_suppressions_are_looked_at_again(world, scripted, campaign, monkeypatch):
    looks = []
    real = dispatch._look

    def look(batch, **how):
        looks.append(1)
        return real(batch, **how)

    monkeypatch.setattr(dispatch, "_look", look)
    monkeypatch.setattr(dispatch, "MAX_GAP_SECONDS", -1)

    dispatch.run(category="marketing")

    assert len(looks) > 1


def test_a_transactional_message_does_not_wait_behind_a_campaign(world, campaign):
    gate.send(company=world.acme, to=TO, body="Your code is 1234", category="transactional")

    dispatch.run(category="transactional")

    assert HandsetMessage.objects.of(world.acme).get().text == "Your code is 1234"


def test_a_text_that_cannot_be_rendered_holds_up_no_other_campaign(world, campaign, monkeypatch):
    """Whatever is wrong with one batch, the next one leaves."""
    other = make.campaign(world.rival, world.rivals_customers)
    other.launch()
    audience.build(other)
    real = dispatch.Composer.of

    def broken(batch):
        if batch.company_id == world.acme.pk:
            raise ValueError("broken")
        return real(batch)

    monkeypatch.setattr(dispatch.Composer, "of", broken)

    for _ in range(3):
        try:
            dispatch.run(category="marketing")
        except ValueError:
            continue

    assert HandsetMessage.objects.of(world.rival).count() == 1


def test_a_block_that_cannot_be_written_takes_no_other_batch_with_it(world, scripted, campaign, monkeypatch):
    other = make.campaign(world.acme, world.customers)
    other.launch()
    audience.build(other)
    scripted.script = [Outcome(Verdict.REJECTED, block=Block.OPTED_OUT)]

    def broken(**how):
        raise RuntimeError("broken")

    monkeypatch.setattr(dispatch.blocks, "suppress", broken)
    with pytest.raises(RuntimeError):
        dispatch.run(category="marketing")

    assert sorted(Batch.objects.of(world.acme).values_list("status", flat=True)) == ["done", "queued"]


def test_days_in_which_an_account_is_slow_are_no_refusal(world, scripted, campaign):
    """A million at one a second take twelve days."""
    waits = Outcome(Verdict.RETRYABLE, retry_after=0, is_ours=True)
    scripted.script = [waits]
    dispatch.run(category="marketing", seconds=0.001)
    Batch.objects.of(world.acme).update(tried_since=F("tried_since") - dispatch.GIVE_UP_AFTER * 2)
    scripted.script = [waits, Outcome(Verdict.RETRYABLE)]

    dispatch.run(category="marketing")

    assert message(world).status == "queued"
    assert message(world).batch.tried_since > make.long_ago(timedelta(hours=1))
