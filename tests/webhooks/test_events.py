"""What is told: in the transaction of its cause, to the company's own endpoints, and to nobody when nobody listens."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.utils import timezone

from addressbook import consent, erasure
from campaigns import audience, dispatch, gate
from lib.keys import digest_key
from messaging.addresses import Address, parse
from messaging.models import Gateway, Message, Reply, Sender
from optout import replies
from tests import make
from tests.webhooks.receiver import deliver, receiver, told
from tests.world import CANARY, PHONE
from webhooks.models import EVENTS, Delivery, Endpoint

pytestmark = pytest.mark.usefixtures("loopback")
SANNE = parse(PHONE)
EVIDENCE = {"method": "form", "text": "Yes"}


@pytest.fixture
def endpoint(world) -> Endpoint:
    return Endpoint.issue(company=world.acme, url="https://acme.example/hook", events=list(EVENTS))[0]


def _campaign(company, group, **fields):
    campaign = make.campaign(company, group, **fields)
    campaign.launch()
    audience.build(campaign)
    return campaign


def test_an_opt_out_and_the_way_back_are_told(world):
    with receiver(world.acme) as acme:
        out = consent.opt_out(
            company=world.acme, address=SANNE, source="api", channels=["sms"], reason="too_many", comment="Enough"
        )
        back = consent.opt_in(company=world.acme, address=SANNE, source="api", channels=["sms"], evidence=EVIDENCE)
        deliver()

    told = {event["type"]: event["data"] for event in acme.events}
    created, lifted = told["suppression.created"], told["suppression.lifted"]
    assert (created["event"], created["address"], created["channel"]) == (out.event_id, PHONE, "sms")
    assert (created["reason"], created["comment"], created["source"]) == ("too_many", "Enough", "api")
    assert (lifted["event"], lifted["address"]) == (back, PHONE)


def test_an_opt_out_that_covers_two_addresses_is_told_of_both(world, endpoint):
    consent.opt_out(company=world.acme, address=SANNE, source="api")

    assert told(world.acme) == [("suppression.created", "")] * 2


def test_who_is_out_already_is_not_told_again(world, endpoint):
    for _ in range(2):
        consent.opt_out(company=world.acme, address=SANNE, source="api", channels=["sms"])

    assert told(world.acme) == [("suppression.created", "")]


def test_an_opt_in_that_lifts_nothing_is_no_event(world, endpoint):
    consent.opt_in(company=world.acme, address=SANNE, source="api", evidence=EVIDENCE)

    assert told(world.acme) == []


def test_what_becomes_of_a_campaign_s_message_is_told(world):
    with receiver(world.acme, events=["message.updated"]) as acme:
        campaign = _campaign(world.acme, world.customers)
        dispatch.run(category="marketing")
        message = Message.objects.of(world.acme).get()
        deliver()

    (event,) = acme.events
    assert event["type"] == "message.updated"
    assert event["data"] == {
        "id": message.pk,
        "status": message.status,
        "to": PHONE,
        "channel": "sms",
        "category": "marketing",
        "campaign": campaign.pk,
        "error": "",
    }


def test_every_change_of_a_message_is_told_with_the_status_of_its_time(world, endpoint):
    _campaign(world.acme, world.customers)
    for status in ("sent", "delivered"):
        Message.objects.of(world.acme).update(status=status)
    Message.objects.of(world.acme).update(error="no change of status")

    assert told(world.acme) == [("message.updated", "sent"), ("message.updated", "delivered")]


def test_a_cancelled_campaign_s_messages_are_told(world, endpoint):
    campaign = _campaign(world.acme, world.customers)
    campaign.cancel()

    assert told(world.acme) == [("message.updated", "cancelled")]


def test_many_listening_companies_are_told_each_of_its_own(world, endpoint):
    others = [make.company(f"Other {n}") for n in range(101)]
    for other in others:
        Endpoint.issue(company=other, url="https://other.example", events=["message.updated"])
    _campaign(world.acme, world.customers)
    _campaign(world.rival, world.rivals_customers)
    Message.objects.of(world.acme).update(status="sent")
    Message.objects.of(world.rival).update(status="sent")

    assert [d.company_id for d in Delivery.objects.across_companies()] == [world.acme.pk]


def test_a_reply_is_told_once_it_is_read(world):
    campaign = _campaign(world.acme, world.customers)
    dispatch.run(category="marketing")
    message = Message.objects.of(world.acme).get()
    gateway = Gateway.objects.of(world.acme).get()
    with receiver(world.acme, events=["reply.received"]) as acme:
        for _ in range(2):
            replies.receive(gateway=gateway, provider_id="a", sender=PHONE, to=message.sender, text="STOP")
        deliver()

    (event,) = acme.events
    assert event["data"] | {"received_at": ""} == {
        "id": Reply.objects.of(world.acme).get().pk,
        "from": PHONE,
        "to": message.sender,
        "text": "STOP",
        "meaning": "opt_out",
        "message": message.pk,
        "campaign": campaign.pk,
        "received_at": "",
    }


def test_a_reply_to_a_shared_code_is_told_to_the_company_that_it_answers(world, endpoint):
    Sender.objects.create(company=None, value="36179", kind="short_code")
    _campaign(world.rival, world.rivals_customers, sender="36179")
    Message.objects.of(world.rival).update(status="sent", sender="36179", sent_at=timezone.now())
    Endpoint.issue(company=world.rival, url="https://rival.example", events=list(EVENTS))
    gateway = Gateway.objects.of(world.acme).get()
    replies.receive(gateway=gateway, provider_id="a", sender=PHONE, to="36179", text="what is this?")

    assert ("reply.received", "") not in told(world.acme)
    assert ("reply.received", "") in told(world.rival)


def test_nothing_is_told_of_what_did_not_happen(world, endpoint):
    with transaction.atomic():
        consent.opt_out(company=world.acme, address=SANNE, source="api")
        assert told(world.acme)
        transaction.set_rollback(True)

    assert told(world.acme) == []


def test_nothing_of_a_company_is_told_to_another(world):
    with receiver(world.acme) as acme, receiver(world.rival) as rival:
        consent.opt_out(company=world.rival, address=SANNE, source="api", comment=CANARY)
        deliver()

    assert [event["data"]["comment"] for event in rival.events] == [CANARY]
    assert acme.events == []


def test_who_listens_for_one_event_is_told_of_no_other(world):
    Endpoint.issue(company=world.acme, url="https://acme.example", events=["reply.received"])
    consent.opt_out(company=world.acme, address=SANNE, source="api")

    assert told(world.acme) == []


def test_who_is_switched_off_is_told_nothing(world, endpoint):
    Endpoint.objects.of(world.acme).update(disabled_at=timezone.now(), disabled_why="gone")
    consent.opt_out(company=world.acme, address=SANNE, source="api")

    assert told(world.acme) == []


def test_an_outbox_holds_nobody_s_data(world, endpoint):
    consent.opt_out(company=world.acme, address=SANNE, source="api", comment="Enough")

    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(string_agg(d::text, ''), '') FROM webhooks_delivery d")
        (kept,) = cursor.fetchone()
    assert kept
    assert PHONE[1:] not in kept
    assert "Enough" not in kept


def test_what_waits_names_no_erased_person(world):
    gate.send(company=world.acme, to=SANNE, body="Your parcel", category="transactional")
    dispatch.run(category="transactional")
    gateway = Gateway.objects.of(world.acme).get()
    with receiver(world.acme) as acme:
        Message.objects.of(world.acme).update(status="delivered")
        consent.opt_out(company=world.acme, address=SANNE, source="api", comment="Enough")
        replies.receive(gateway=gateway, provider_id="a", sender=PHONE, to="1", text="I am Sanne")
        erasure.erase(world.contact, by=world.owner.user)
        deliver()

    bodies = b"".join(request.body for request in acme.stub.requests)
    assert acme.events
    for secret in (PHONE, "sanne@devries.example", "Enough", "Sanne"):
        assert secret.encode() not in bodies


def test_a_reply_that_another_company_keeps_is_not_told_after_an_erasure(world, endpoint):
    """On a shared code the owner of the account keeps the row, also of who is erased here."""
    reply = Reply.objects.create(
        company=world.rival, gateway=Gateway.objects.of(world.rival).get(), provider_id="a", sender=PHONE,
        digest=Address("sms", PHONE).digest(digest_key()), to="36179", text="x", received_at=timezone.now(),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT webhook_event_v1(%s, 'reply.received', %s)", [world.acme.pk, reply.pk])
    erasure.erase(world.contact, by=world.owner.user)

    delivery = Delivery.objects.of(world.acme).get(type="reply.received")
    assert (delivery.due_at, delivery.error) == (None, "erased")


def test_a_reply_that_was_told_before_an_erasure_is_not_told_again_after_it(world):
    with receiver(world.acme) as acme:
        reply = Reply.objects.create(
            company=world.rival, gateway=Gateway.objects.of(world.rival).get(), provider_id="a", sender=PHONE,
            digest=Address("sms", PHONE).digest(digest_key()), to="36179", text="x", received_at=timezone.now(),
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("SELECT webhook_event_v1(%s, 'reply.received', %s)", [world.acme.pk, reply.pk])
        deliver()
        erasure.erase(world.contact, by=world.owner.user)
        assert Delivery.objects.of(world.acme).filter(type="reply.received").try_again() == 0
        deliver()

    assert [event["type"] for event in acme.events].count("reply.received") == 1
