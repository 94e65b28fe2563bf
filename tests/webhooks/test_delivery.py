"""At least once, with retries; a slow or dead receiver holds up nobody else."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import psycopg
import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from addressbook import consent
from config import sweeps
from messaging.addresses import parse
from tests import make
from tests.gateways.stub import Reply, Reset, Silence, nobody
from tests.webhooks.receiver import deliver, make_due, receiver
from tests.world import PHONE
from webhooks import deliveries, notice, posting
from webhooks.models import EVENTS, Delivery, Endpoint

pytestmark = pytest.mark.usefixtures("loopback")


@pytest.fixture
def quick(monkeypatch):
    """Receivers have no time at all."""
    monkeypatch.setattr(posting, "ALL_SECONDS", 0.3)


def _only(company) -> Delivery:
    return Delivery.objects.of(company).get()


def test_a_delivery_is_signed_as_the_standard_says(world):
    with receiver(world.acme) as acme:
        delivery = acme.endpoint.send_test()
        assert deliver() == 1

    (request,) = acme.stub.requests
    assert request.path == "/hook?a=b"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == acme.stub.base_url.removeprefix("http://")
    assert acme.ids == [delivery.webhook_id]
    assert acme.events == [
        {"type": "test", "timestamp": delivery.created_at.isoformat(), "data": {"webhook": acme.endpoint.pk}}
    ]
    with pytest.raises(WebhookVerificationError):
        Webhook(acme.secret).verify(request.body + b" ", request.headers)


def test_a_taken_delivery_is_not_posted_again(world):
    with receiver(world.acme) as acme:
        acme.endpoint.send_test()
        deliver()
        make_due(world.acme)
        deliver()

    delivery = _only(world.acme)
    assert len(acme.stub.requests) == 1
    assert (delivery.response, delivery.attempts, delivery.due_at, delivery.error) == (204, 1, None, "")
    assert delivery.delivered_at
    acme.endpoint.refresh_from_db()
    assert acme.endpoint.last_success_at


def test_with_a_new_secret_both_are_good_for_a_day(world):
    with receiver(world.acme) as acme:
        new = acme.endpoint.rotate()
        acme.endpoint.send_test()
        deliver()
        Endpoint.objects.of(world.acme).update(old_secret_until=timezone.now())
        acme.endpoint.send_test()
        deliver()

    first, second = acme.stub.requests
    assert Webhook(acme.secret).verify(first.body, first.headers)
    assert Webhook(new).verify(first.body, first.headers)
    assert Webhook(new).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(acme.secret).verify(second.body, second.headers)


FAILURES = [(Reply(s), s, "status") for s in (400, 404, 429, 500, 503)]
FAILURES += [(Reply(302, headers={"Location": "http://127.0.0.1/"}), 302, "status"), (Reset, None, "broken")]


@pytest.mark.parametrize(("behaviour", "status", "error"), FAILURES, ids=[str(s) for _, s, _ in FAILURES])
def test_what_is_not_taken_is_tried_again_under_the_same_id(world, behaviour, status, error):
    with receiver(world.acme, behaviour) as acme:
        acme.endpoint.send_test()
        deliver()
        delivery = _only(world.acme)
        assert (delivery.response, delivery.error, delivery.attempts) == (status, error, 1)
        assert timezone.now() < delivery.due_at < timezone.now() + timedelta(seconds=7)
        assert deliver() == 0
        make_due(world.acme)
        acme.stub.behaviour = Reply(200)
        deliver()

    assert len(set(acme.ids)) == 1
    assert len(acme.events) == 2
    assert _only(world.acme).delivered_at
    acme.endpoint.refresh_from_db()
    assert acme.endpoint.failing_since is None


def test_a_redirect_is_not_followed(world):
    with receiver(world.rival) as elsewhere, receiver(world.acme) as acme:
        acme.stub.behaviour = Reply(307, headers={"Location": elsewhere.endpoint.url})
        acme.endpoint.send_test()
        deliver()

    assert elsewhere.stub.requests == []


def test_a_receiver_that_says_nothing_is_cut_off(world, quick):
    with receiver(world.acme, Silence) as acme:
        acme.endpoint.send_test()
        deliver()

    assert (_only(world.acme).error, _only(world.acme).response) == ("timeout", None)


def test_a_receiver_that_is_away_is_tried_again(world):
    Endpoint.issue(company=world.acme, url=nobody(), events=list(EVENTS))[0].send_test()
    deliver()

    assert _only(world.acme).error == "no_connection"
    assert _only(world.acme).due_at


def test_the_waits_are_those_of_the_standard_and_end_after_three_days():
    waits = [deliveries.wait_after(n) for n in range(1, 11)]

    assert waits[-1] is None
    for wait, least in zip(waits[:-1], deliveries.WAITS, strict=True):
        assert least <= wait <= least * 1.2
    assert timedelta(days=3) < timedelta(seconds=sum(deliveries.WAITS)) < timedelta(days=4)


def test_after_the_last_attempt_a_delivery_is_given_up(world):
    with receiver(world.acme, Reply(500)) as acme:
        acme.endpoint.send_test()
        Delivery.objects.of(world.acme).update(attempts=len(deliveries.WAITS))
        deliver()

    assert _only(world.acme).due_at is None
    assert _only(world.acme).delivered_at is None


def test_gone_switches_the_endpoint_off_at_once_and_tells_the_owners(world):
    with receiver(world.acme, Reply(410)) as acme:
        acme.endpoint.send_test()
        acme.endpoint.send_test()
        deliver()
        notice.send(company_id=world.acme.pk, endpoint_id=acme.endpoint.pk)
        make_due(world.acme)
        assert deliver() == 0

    acme.endpoint.refresh_from_db()
    assert (acme.endpoint.disabled_why, bool(acme.endpoint.disabled_at)) == ("gone", True)
    (letter,) = mail.outbox
    assert letter.to == [world.owner.user.email]
    assert acme.endpoint.url in letter.body


@pytest.mark.parametrize(("days", "is_off"), [(2, False), (4, True)])
def test_three_days_without_any_success_switch_an_endpoint_off(world, days, is_off):
    with receiver(world.acme, Reply(500)) as acme:
        Endpoint.objects.of(world.acme).update(failing_since=make.long_ago(timedelta(days=days)))
        acme.endpoint.send_test()
        deliver()

    acme.endpoint.refresh_from_db()
    assert bool(acme.endpoint.disabled_at) == is_off


def test_switched_on_again_what_waited_is_told(world):
    with receiver(world.acme) as acme:
        acme.endpoint.send_test()
        Endpoint.objects.of(world.acme).update(disabled_at=timezone.now(), disabled_why="failing")
        assert deliver() == 0
        acme.endpoint.refresh_from_db()
        acme.endpoint.switch_on()
        assert deliver() == 1


def test_a_slow_receiver_holds_up_nobody_else(world):
    """It answers only when everything has been told to the other one."""
    others_done, waited = threading.Event(), []

    def slowly(_request):
        waited.append(others_done.wait(10))
        return Reply(204)

    def quickly(_request):
        if len(quick.stub.requests) == 30:
            others_done.set()
        return Reply(204)

    with receiver(world.acme, slowly) as slow, receiver(world.rival, quickly) as quick:
        for _ in range(30):
            slow.endpoint.send_test()
            quick.endpoint.send_test()
        deliver()

    assert waited
    assert all(waited)


def test_an_opt_out_is_not_told_after_a_million_messages(world):
    with receiver(world.acme) as acme:
        now = timezone.now() - timedelta(hours=1)
        Delivery.objects.bulk_create(
            Delivery(
                company=world.acme, endpoint=acme.endpoint, type="message.updated", subject_id=n, lane=1, due_at=now
            )
            for n in range(100)
        )
        consent.opt_out(company=world.acme, address=parse(PHONE), source="api", channels=["sms"])
        deliveries.run(seconds=0)
        deliveries.run(seconds=0.01)

    assert len(acme.stub.requests) < 100
    assert "suppression.created" in {json.loads(r.body)["type"] for r in acme.stub.requests}


def test_a_worker_that_dies_while_posting_costs_a_minute_and_no_delivery(world, monkeypatch):
    """Claimed and posted, but the outcome never came to be stored: told again under the same id."""
    with receiver(world.acme) as acme:
        acme.endpoint.send_test()
        with monkeypatch.context() as patch:
            patch.setattr(deliveries, "_store", lambda results: results and 1 / 0)
            with pytest.raises(ZeroDivisionError):
                deliver()
        delivery = _only(world.acme)
        assert (delivery.attempts, delivery.delivered_at) == (1, None)
        assert timezone.now() < delivery.due_at < timezone.now() + timedelta(seconds=61)
        make_due(world.acme)
        deliver()

    assert len(acme.ids) == 2
    assert len(set(acme.ids)) == 1
    assert _only(world.acme).delivered_at


def test_an_outcome_that_comes_after_its_lease_says_nothing_any_more(world):
    with receiver(world.acme) as acme:
        acme.endpoint.send_test()
        (first,) = [attempt for attempt, _body in deliveries._claim({})]
        make_due(world.acme)
        ((second, _body),) = deliveries._claim({})
        deliveries._store([(second, posting.Answer(200))])
        deliveries._store([(first, posting.Answer(500, "status"))])

    assert (acme.endpoint.pk, _only(world.acme).response) == (second.endpoint_id, 200)


def test_tried_again_by_hand_it_has_all_its_attempts_anew(world):
    with receiver(world.acme) as acme:
        acme.endpoint.send_test()
        deliver()
        Delivery.objects.of(world.acme).try_again()
        deliver()

    assert len(set(acme.ids)) == 1
    assert len(acme.ids) == 2


def test_nothing_is_told_to_a_deleted_endpoint(world):
    with receiver(world.acme) as acme:
        acme.endpoint.send_test()
        Endpoint.objects.of(world.acme).all().delete()
        assert not deliveries.due()
        assert deliver() == 0


def test_a_secret_that_cannot_be_read_is_a_problem_that_is_shown(world):
    with receiver(world.acme) as acme:
        Endpoint.objects.of(world.acme).update(sealed_secret=b"under another key")
        acme.endpoint.send_test()
        deliver()

    assert (acme.stub.requests, _only(world.acme).error) == ([], "secret")


def test_old_deliveries_go(world):
    with receiver(world.acme) as acme:
        old, new = acme.endpoint.send_test(), acme.endpoint.send_test()
        Delivery.objects.of(world.acme).filter(pk=old.pk).update(created_at=make.long_ago(timedelta(days=8)))
        deliveries.tidy()

    assert _only(world.acme).pk == new.pk


@pytest.mark.django_db(transaction=True)
def test_a_claim_waits_for_no_other_worker_s_outcomes(world):
    """Each holds deliveries and endpoints; whoever waited for both in another order could wait for ever."""
    endpoint, _secret = Endpoint.issue(company=world.acme, url="https://acme.example", events=list(EVENTS))
    endpoint.send_test()
    params = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    with psycopg.connect(**params) as other:
        other.execute("SELECT FROM webhooks_endpoint WHERE id = %s FOR NO KEY UPDATE", [endpoint.pk])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 100")
            assert len(deliveries._claim({})) == 1


@pytest.mark.django_db(transaction=True)
def test_the_sweep_asks_for_what_is_due(world):
    endpoint, _secret = Endpoint.issue(company=world.acme, url="https://acme.example", events=list(EVENTS))
    endpoint.send_test()
    assert sweeps.sweep()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s", [deliveries.TASK])
        assert cursor.fetchone() == (1,)
