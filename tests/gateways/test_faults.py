"""Providers that are slow, flap, are down, or take a message and fail: nobody gets it twice, nothing waits for ever.

Time passes by moving what is written in the database into the past; nobody sleeps.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from datetime import timedelta

import httpx
import pytest
from django.db.models import F

from campaigns import audience, dispatch, gate
from messaging.addresses import Address
from messaging.gateways import http
from messaging.gateways.twilio import Twilio
from messaging.models import Batch, Gateway, Message, Route
from tests import make
from tests.gateways.stub import Reply, Request, Silence, nobody, provider, said
from tests.world import PHONE

pytestmark = pytest.mark.django_db
TO = Address("sms", PHONE)


def takes(request: Request) -> Reply:
    return said(201, {"sid": "SM" + hashlib.md5(request.body).hexdigest(), "status": "queued"})


def takes_and_fails(request: Request) -> Reply:
    return Reply(500, b"oops")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    client = httpx.Client(timeout=httpx.Timeout(5, read=0.3), trust_env=False)
    monkeypatch.setattr(http, "client", lambda: client)
    yield
    client.close()


@pytest.fixture
def first(world) -> Gateway:
    Gateway.objects.of(world.acme).delete()
    return add(world, nobody(), is_default=True)


@pytest.fixture
def second(world, first) -> Gateway:
    made = add(world, nobody())
    Route.objects.create(company=world.acme, channel="sms", gateway=first, rank=1)
    Route.objects.create(company=world.acme, channel="sms", gateway=made, rank=2)
    return made


def add(world, base_url: str, **fields) -> Gateway:
    settings = {"account_sid": "AC1", "auth_token": "secret", "base_url": base_url}
    return Gateway.objects.create(company=world.acme, kind="twilio", settings=settings, **fields)


def lives_at(gateway: Gateway, url: str) -> None:
    gateway.refresh_from_db()
    gateway.settings = {**gateway.settings, "base_url": url}
    gateway.save(update_fields=["sealed_settings"])


def launch(world, *, people: int = 1, **fields):
    for _ in range(people - 1):
        make.contact(world.acme, group=world.customers)
    campaign = make.campaign(world.acme, world.customers, **fields)
    campaign.launch()
    audience.build(campaign)
    return campaign


def code(world, **fields) -> Message:
    return gate.send(company=world.acme, to=TO, body="Your code is 123456", category="transactional", **fields)


def work() -> None:
    for category in ("transactional", "marketing"):
        assert not dispatch.run(category=category, seconds=10), "there is always more to do: a loop"


def pass_time(**time) -> None:
    ago = timedelta(**time)
    Batch.objects.across_companies().update(due_at=F("due_at") - ago)
    Message.objects.across_companies().update(created_at=F("created_at") - ago)
    Gateway.objects.across_companies().update(next_try_at=F("next_try_at") - ago, down_since=F("down_since") - ago)


def statuses(world) -> Counter[str]:
    return Counter(Message.objects.of(world.acme).values_list("status", flat=True))


def recipients(*stubs) -> list[str]:
    return sorted(request.form()["To"] for stub in stubs for request in stub.requests)


# Down


def test_a_one_time_code_goes_through_the_second_gateway_at_once(world, second):
    with provider(takes) as other:
        lives_at(second, other.base_url)
        code(world)
        work()

    assert len(other.requests) == 1
    assert statuses(world) == {"sent": 1}
    assert Message.objects.of(world.acme).get().batch.gateway == second


def test_what_is_down_is_left_alone_after_three_failures(world, first, second):
    with provider(takes) as other:
        lives_at(second, other.base_url)
        for _ in range(3):
            code(world)
            work()
        first.refresh_from_db()
        assert first.down_since
        assert not first.is_up

        sent = code(world)

        assert sent.batch.gateway == second, "new messages do not even try"
        work()
    assert statuses(world) == {"sent": 4}


def test_down_for_ten_minutes_then_everything_leaves_once(world, first):
    campaign = launch(world, people=100)
    for _minute in range(10):
        work()
        pass_time(minutes=1)
        assert statuses(world) == {"queued": 100}
    first.refresh_from_db()
    assert first.down_since
    with provider(takes) as back:
        lives_at(first, back.base_url)
        for _half_minute in range(10):
            work()
            pass_time(seconds=30)
        dispatch.sweep()

    assert statuses(world) == {"sent": 100}
    assert len(set(recipients(back))) == len(recipients(back)) == 100
    first.refresh_from_db()
    assert (first.down_since, first.failures, first.problem) == (None, 0, "")
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_down_for_ten_minutes_the_second_takes_over_and_the_first_comes_back(world, first, second):
    with provider(takes) as other, provider(takes) as back:
        lives_at(second, other.base_url)
        launch(world, people=100)
        for _minute in range(10):
            work()
            pass_time(minutes=1)
        assert statuses(world) == {"sent": 100}
        assert not back.requests

        lives_at(first, back.base_url)
        pass_time(minutes=5)
        code(world)
        work()
        code(world)
        work()

    assert len(back.requests) == 2
    assert len(set(recipients(other))) == len(recipients(other)) == 100


def test_while_down_it_is_asked_ever_more_rarely_and_by_one_message(world, first):
    with provider(Reply(503, b"", {"Retry-After": "1"})) as busy:
        lives_at(first, busy.base_url)
        launch(world, people=50)
        for _minute in range(60):
            work()
            pass_time(minutes=1)

    assert statuses(world) == {"queued": 50}
    assert len(busy.requests) < 40 + 20, "one batch, then a probe now and then in an hour"


def test_two_that_are_down_do_not_throw_a_message_to_and_fro(world, first, second):
    code(world)
    work()  # a loop would not end

    assert statuses(world) == {"queued": 1}
    assert Batch.objects.of(world.acme).filter(status="queued").count() == 1


def test_nothing_is_stuck_for_ever(world, first):
    campaign = launch(world, people=100)
    for _try in range(3):
        work()
        pass_time(seconds=31)
    pass_time(days=4)
    dispatch.sweep()

    assert statuses(world) == {"failed": 100}
    dispatch.finish()
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_a_refused_account_counts_as_down_and_a_used_up_rate_does_not(world, first):
    with provider(said(429, {}, Retry_After="1")) as busy:
        lives_at(first, busy.base_url)
        for _ in range(5):
            code(world)
        work()
        first.refresh_from_db()
        assert (first.failures, first.down_since) == (0, None)
    with provider(said(401, {"code": 20003})) as refusing:
        lives_at(first, refusing.base_url)
        pass_time(seconds=61)
        work()
    first.refresh_from_db()
    assert first.down_since
    assert "20003" in first.problem


# Slow, flapping, and failing after it took the message


def test_what_may_have_been_taken_is_never_handed_over_again(world, first, second):
    with provider(takes_and_fails) as failing, provider(takes) as other:
        lives_at(first, failing.base_url)
        lives_at(second, other.base_url)
        launch(world, people=100)
        for _minute in range(60):
            work()
            pass_time(minutes=1)

    assert len(failing.requests) == Twilio.batch_size + 2, "one batch, then one message at a time, then none"
    assert statuses(world) == {"unknown": len(failing.requests), "sent": len(other.requests)}
    assert len(set(recipients(failing, other))) == len(recipients(failing, other)) == 100


def test_a_provider_that_does_not_answer_gets_no_more_than_a_few(world, first, second, monkeypatch):
    monkeypatch.setattr(Twilio, "batch_size", 4)
    with provider(Silence) as slow, provider(takes) as other:
        lives_at(first, slow.base_url)
        lives_at(second, other.base_url)
        launch(world, people=20)
        work()

    assert statuses(world) == {"unknown": 6, "sent": 14}
    assert len(set(recipients(slow, other))) == len(recipients(slow, other)) == 20


def test_a_slow_answer_is_an_answer(world, first, monkeypatch):
    """What did not begin in time waits for a new look at the suppressions, and says nothing about the gateway."""
    monkeypatch.setattr(http, "BEGIN_WITHIN_SECONDS", 0.0)
    launch(world, people=12)
    worked = iter([True])
    with provider(takes) as slow:
        lives_at(first, slow.base_url)
        for _ in worked:
            dispatch.run(category="marketing", seconds=0.2)
        first.refresh_from_db()
        assert (first.failures, first.down_since) == (0, None)
        monkeypatch.setattr(http, "BEGIN_WITHIN_SECONDS", 5.0)
        work()

    assert statuses(world) == {"sent": 12}
    assert len(set(recipients(slow))) == len(slow.requests) == 12


def test_a_flapping_provider_gets_each_message_once(world, first, second):
    turns = Counter()
    taken = []

    def flaps(request: Request) -> Reply:
        turns["asked"] += 1
        if turns["asked"] % 3:
            return Reply(503, b"", {"Retry-After": "1"})
        taken.append(request.form()["To"])
        return takes(request)

    with provider(flaps) as flapping, provider(takes) as other:
        lives_at(first, flapping.base_url)
        lives_at(second, other.base_url)
        launch(world, people=60)
        for _minute in range(20):
            work()
            pass_time(minutes=1)

    assert statuses(world) == {"sent": 60}
    reached = [*taken, *recipients(other)]
    assert len(set(reached)) == len(reached) == 60


# Who may take over


def test_a_number_of_the_first_waits_for_the_first(world, first, second):
    with provider(takes) as other:
        lives_at(second, other.base_url)
        waiting = code(world, sender="+31970102030")
        work()

    waiting.refresh_from_db()
    assert waiting.status == "queued"
    assert not other.requests


def test_a_number_that_both_have_goes_through_both(world, first, second):
    for rank, gateway in enumerate((first, second), 1):
        Route.objects.create(company=world.acme, channel="sms", sender="36179", gateway=gateway, rank=rank)
    with provider(takes) as other:
        lives_at(second, other.base_url)
        code(world, sender="36179")
        work()

    assert [request.form()["From"] for request in other.requests] == ["36179"]


def test_half_of_a_batch_goes_on_and_the_other_half_waits(world, first):
    """The second is for France only."""
    make.contact(world.acme, "+33612345678", group=world.customers)
    second = add(world, nobody())
    Route.objects.create(company=world.acme, channel="sms", country="FR", gateway=first, rank=1)
    Route.objects.create(company=world.acme, channel="sms", country="FR", gateway=second, rank=2)
    launch(world, sender="Acme")
    Gateway.objects.of(world.acme).filter(pk=first.pk).update(
        failures=3, down_since=make.long_ago(timedelta(0)), next_try_at=make.long_ago(-timedelta(minutes=1))
    )
    with provider(takes) as other:
        lives_at(second, other.base_url)
        work()
        assert recipients(other) == ["+33612345678"]
    assert statuses(world) == {"queued": 1, "sent": 1}

    with provider(takes) as back:
        lives_at(first, back.base_url)
        pass_time(minutes=2)
        work()
        assert recipients(back) == [PHONE]


def test_a_pause_holds_what_waits_for_a_gateway(world, first):
    campaign = launch(world)
    Gateway.objects.of(world.acme).update(
        failures=3, down_since=make.long_ago(timedelta(0)), next_try_at=make.long_ago(-timedelta(minutes=1))
    )
    batch = dispatch.claim(worker=(worker := uuid.uuid4()), category="marketing")
    campaign.pause()
    dispatch.hand_over(batch, worker=worker)
    assert set(Batch.objects.of(world.acme).values_list("status", flat=True)) == {"held"}

    campaign.cancel()

    assert statuses(world) == {"cancelled": 1}


def test_what_was_cancelled_meanwhile_does_not_wait_any_more(world, first):
    campaign = launch(world)
    Gateway.objects.of(world.acme).update(
        failures=3, down_since=make.long_ago(timedelta(0)), next_try_at=make.long_ago(-timedelta(minutes=1))
    )
    batch = dispatch.claim(worker=(worker := uuid.uuid4()), category="marketing")
    campaign.cancel()
    dispatch.hand_over(batch, worker=worker)

    assert statuses(world) == {"cancelled": 1}
    assert not Batch.objects.of(world.acme).exclude(status="done").exists()


def test_what_waits_for_a_gateway_that_is_switched_off_takes_another_way(world, first, second):
    launch(world, people=5)
    Gateway.objects.of(world.acme).filter(pk=first.pk).update(switched_off_at=make.long_ago(timedelta(0)))
    with provider(takes) as other:
        lives_at(second, other.base_url)
        work()

    assert len(other.requests) == 5
    assert statuses(world) == {"sent": 5}


def test_only_one_worker_tries_a_gateway_that_is_down(world, first):
    from messaging import health

    Gateway.objects.of(world.acme).update(
        failures=3, down_since=make.long_ago(timedelta(minutes=1)), next_try_at=make.long_ago(timedelta(seconds=1))
    )

    assert [health.may_probe(first) for _worker in range(3)] == [True, False, False]


def test_a_campaign_is_written_for_each_country_s_gateway(world, first, second, monkeypatch):
    monkeypatch.setattr(Twilio, "batch_size", 10)
    for number in range(25):
        make.contact(world.acme, f"+3361234{number:04d}", group=world.customers)
        make.contact(world.acme, group=world.customers)
    Route.objects.create(company=world.acme, channel="sms", country="FR", gateway=second, rank=1)

    launch(world, sender="Acme")

    rows = Message.objects.of(world.acme).values_list("country", "batch__gateway", "batch")
    assert {(country, gateway) for country, gateway, _batch in rows} == {("NL", first.pk), ("FR", second.pk)}
    assert max(Counter(batch for *_rest, batch in rows).values()) <= 10
    for batch in Batch.objects.of(world.acme):
        ids = Message.objects.of(world.acme).filter(batch=batch).values_list("pk", flat=True)
        assert (batch.first_id, batch.last_id) == (min(ids), max(ids))
        assert batch.last_id - batch.first_id < 10, "a batch's messages lie together"
