from __future__ import annotations

from campaigns import dispatch
from messaging.models import Message
from tests import make
from tests.api.program import codes, problem
from tests.world import PHONE

TEXT = {"to": PHONE, "body": "Your parcel is on its way", "category": "transactional"}


def test_a_message_is_taken_and_sent(acme):
    response = acme.post("/messages", {**TEXT, "sender": "Acme"})

    assert response.status_code == 202
    message = response.json()
    assert (message["status"], message["to"], message["channel"]) == ("queued", PHONE, "sms")
    dispatch.send_due(category="transactional")
    assert acme.get(f"/messages/{message['id']}").json()["status"] == "delivered"
    (handset,) = acme.get("/simulator/messages", to=PHONE).json()["items"]
    assert (handset["text"], handset["sender"]) == (TEXT["body"], "Acme")


def test_marketing_gets_its_way_out(acme):
    message = acme.post("/messages", {**TEXT, "category": "marketing"}).json()

    assert message["method"] == "link"
    assert message["link"].rpartition("/")[2] in message["text"]
    assert message["text"].startswith(TEXT["body"])


def test_a_transactional_message_carries_no_line(acme):
    message = acme.post("/messages", TEXT).json()

    assert (message["text"], message["method"], message["link"]) == (TEXT["body"], "", None)


def test_marketing_to_a_suppressed_address_is_refused_and_nothing_is_sent(acme, world):
    acme.post("/suppressions", {"address": PHONE})

    problem(acme.post("/messages", {**TEXT, "category": "marketing"}), 409, "suppressed")

    assert not Message.objects.of(world.acme).exists()


def test_a_transactional_message_passes_to_a_suppressed_address(acme):
    acme.post("/suppressions", {"address": PHONE})

    assert acme.post("/messages", TEXT).status_code == 202
    dispatch.send_due(category="transactional")

    assert len(acme.get("/simulator/messages", to=PHONE).json()["items"]) == 1


def test_the_category_is_required(acme):
    assert codes(acme.post("/messages", {"to": PHONE, "body": "Hi"})) == {"category": "required"}
    assert codes(acme.post("/messages", {**TEXT, "category": "sale"})) == {"category": "not_a_choice"}


def test_the_channel_must_fit_the_address(acme):
    assert codes(acme.post("/messages", {**TEXT, "channel": "email"})) == {"to": "not_an_email"}
    assert codes(acme.post("/messages", {**TEXT, "to": "a@b.example", "channel": "sms"})) == {"to": "not_a_number"}


def test_an_email_needs_a_subject(acme):
    mail = {**TEXT, "to": "a@b.example"}

    assert codes(acme.post("/messages", mail)) == {"subject": "required"}
    assert acme.post("/messages", {**mail, "subject": "Your parcel"}).json()["channel"] == "email"


def test_an_empty_text_is_refused(acme):
    assert codes(acme.post("/messages", {**TEXT, "body": ""})) == {"body": "too_short"}
    assert codes(acme.post("/messages", {**TEXT, "body": " \n "})) == {"body": "not_sendable"}


def test_an_opt_out_from_a_text_is_counted_for_the_campaign_it_named(acme):
    marketing = {**TEXT, "category": "marketing", "campaign": "Autumn"}
    message = acme.post("/messages", marketing).json()
    dispatch.send_due(category="marketing")

    acme.client.post("/" + message["link"].rpartition("/")[2], {"phone": PHONE})

    (campaign,) = acme.get("/campaigns", name="Autumn").json()["items"]
    assert campaign["id"] == message["campaign"]
    counts = acme.get(f"/campaigns/{campaign['id']}").json()["counts"]
    assert (counts["audience"], counts["delivered"], counts["opt_outs"]) == (1, 1, 1)


def test_a_campaign_sends_nobody_a_second_text(acme):
    marketing = {**TEXT, "category": "marketing", "campaign": "Autumn"}
    first = acme.post("/messages", marketing).json()

    problem(acme.post("/messages", marketing), 409, "already-sent")
    problem(acme.post("/messages", {**marketing, "campaign": first["campaign"]}), 409, "already-sent")
    assert acme.get(f"/campaigns/{first['campaign']}").json()["counts"]["audience"] == 1


def test_texts_are_not_counted_for_a_draft(acme, world):
    draft = make.campaign(world.acme, world.customers)

    problem(acme.post("/messages", {**TEXT, "campaign": draft.pk}), 409, "wrong-state")
