"""The providers' door, from the first byte to the suppression."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from accounts.models import Bucket, User
from addressbook import consent
from addressbook.erasure import erase
from addressbook.models import ConsentEvent, Suppression
from campaigns import audience, dispatch
from messaging.addresses import Address
from messaging.gateways import ADAPTERS, Adapter, Block, Outcome, Verdict, references
from messaging.gateways.twilio import sign
from messaging.models import Batch, Gateway, HookDelivery, Message, Reply
from optout.hooks import taking, views
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"
ACCOUNTS = {
    "cm": {"product_token": "t"},
    "twilio": {"account_sid": "AC1", "auth_token": "secret"},
    "vonage": {"api_key": "k", "api_secret": "s", "signature_secret": "secret"},
}


@pytest.fixture
def gateway(world):
    def make_one(kind: str, company=None) -> Gateway:
        made = Gateway.objects.create(company=company or world.acme, kind=kind, settings=ACCOUNTS[kind])
        made.door = Door(made)
        return made

    return make_one


class Door:
    """Posts as the provider does, signed."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def post(self, hook: str, fields: dict, *, url: str = "", **headers):
        url = url or self.gateway.hook_url(hook)
        body, content_type = json.dumps(fields).encode(), "application/json"
        if self.gateway.kind == "twilio":
            body, content_type = urlencode(fields).encode(), FORM
            signed = url + "".join(f"{k}{v}" for k, v in sorted(fields.items()))
            headers.setdefault("X-Twilio-Signature", sign("secret", signed))
        if self.gateway.kind == "vonage":
            headers.setdefault("Authorization", f"Bearer {jwt(body)}")
        return Client().post(url, body, content_type=content_type, headers=headers)

    def says(self, text: str, *, sender: str = PHONE, id: str = "1", **more):
        fields = {
            "cm": {"from": {"number": sender}, "to": {"number": "3010"}, "message": {"text": text},
                   "timeUtc": timezone.now().strftime("%Y-%m-%dT%H:%M:%S"), "channel": "SMS"},
            "twilio": {"MessageSid": f"SM{id}", "From": sender, "To": "3010", "Body": text},
            "vonage": {"message_uuid": f"u{id}", "from": sender.lstrip("+"), "to": "3010", "channel": "sms",
                       "text": text, "timestamp": timezone.now().isoformat()},
        }[self.gateway.kind]  # fmt: skip
        return self.post("inbound", {**fields, **more})

    def reports(self, message: Message, status: str, **more):
        words = {
            "cm": {"sent": "0", "delivered": "2", "failed": "3"},
            "twilio": {"sent": "sent", "delivered": "delivered", "failed": "undelivered"},
            "vonage": {"sent": "submitted", "delivered": "delivered", "failed": "rejected"},
        }[self.gateway.kind]  # fmt: skip
        word, to = words.get(status, status), message.address.lstrip("+")
        fields = {
            "cm": {"messages": {"msg": {"to": f"00{to}", "reference": references.write(message.pk),
                                        "status": {"code": word, **more}}}},
            "twilio": {"MessageSid": f"SM{message.pk}", "MessageStatus": word, "To": f"+{to}", **more},
            "vonage": {"message_uuid": f"u{message.pk}", "to": to, "status": word,
                       "client_ref": references.write(message.pk), **more},
        }[self.gateway.kind]  # fmt: skip
        return self.post("status", fields)


def jwt(body: bytes) -> str:
    def packed(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"iat": int(time.time()), "api_key": "k", "payload_hash": hashlib.sha256(body).hexdigest()}
    signed = f"{packed(json.dumps({'alg': 'HS256'}).encode())}.{packed(json.dumps(claims).encode())}"
    return f"{signed}.{packed(hmac.digest(b'secret', signed.encode(), 'sha256'))}"


def message(
    gateway: Gateway, status: str = "sent", batch_status: str = "done", *, to: str = PHONE, **fields
) -> Message:
    batch = Batch.objects.create(
        company=gateway.company, gateway=gateway, category="transactional", due_at=timezone.now(), status=batch_status
    )
    address = Address("sms", to)
    made = Message.objects.create(
        company=gateway.company, batch=batch, category="transactional", channel="sms", address=to,
        digest=address.digest(consent.digest_key()), status=status, created_at=timezone.now(), text="Hello", **fields,
    )  # fmt: skip
    if status != "unknown" and "provider_id" not in fields:
        made.provider_id = {"twilio": f"SM{made.pk}", "vonage": f"u{made.pk}"}.get(gateway.kind, "")
        made.save()
    return made


def is_out(company, address: str = PHONE) -> bool:
    return Suppression.objects.of(company).filter(channel="sms", address=address).exists()


def status_of(found: Message) -> str:
    return Message.objects.of(found.company_id).get(pk=found.pk).status


KINDS = pytest.mark.parametrize("kind", ACCOUNTS)


# Replies


@KINDS
def test_a_stop_is_in_force_when_it_is_answered(world, gateway, kind):
    answer = gateway(kind).door.says("STOP")

    assert answer.status_code == 200
    assert is_out(world.acme)
    assert not is_out(world.rival)


def test_each_provider_is_answered_in_its_way(gateway):
    assert gateway("cm").door.says("hello").content == b""
    answer = gateway("twilio").door.says("hello")
    assert (answer["Content-Type"], answer.content) == ("text/xml", b"<Response/>")


@KINDS
def test_the_same_delivery_has_no_second_effect(world, gateway, kind):
    door = gateway(kind).door
    now = timezone.now().strftime("%Y-%m-%dT%H:%M:%S")
    times = {"cm": {"timeUtc": now}, "vonage": {"timestamp": now}}.get(kind, {})
    for _n in range(3):
        assert door.says("STOP", **times).status_code == 200

    assert Reply.objects.of(world.acme).count() == 1
    assert ConsentEvent.objects.of(world.acme).filter(type="opt_out", cause_id=None).count() == 1


def test_an_old_start_never_lifts_a_newer_opt_out(world, gateway):
    door = gateway("twilio").door
    door.says("STOP", id="1")
    door.says("START", id="2")
    door.says("STOP", id="3")
    out = is_out(world.acme)
    for _n in range(3):
        door.says("START", id="2")

    assert out
    assert is_out(world.acme)


def test_a_reply_without_id_and_time_that_says_stop_again_on_another_day_counts(world, gateway, monkeypatch):
    cm = gateway("cm")
    older_form = {"reference": "x", "from": PHONE, "to": "3010", "body": "STOP"}
    cm.door.post("inbound", older_form)
    Reply.objects.of(world.acme).update(received_at=timezone.now() - timedelta(days=2))
    consent.opt_in(company=world.acme, address=Address("sms", PHONE), source="api", evidence={"text": "yes"})
    assert not is_out(world.acme)

    cm.door.post("inbound", older_form)

    assert is_out(world.acme)


@pytest.mark.parametrize("text", ["ARRETEZ TOUT", "no thanks", ""])
def test_what_the_provider_takes_for_a_stop_is_one(world, gateway, text):
    gateway("twilio").door.says(text, OptOutType="STOP")

    assert is_out(world.acme)


def test_a_word_that_only_the_provider_understands_is_its_suppression(world, gateway):
    gateway("twilio").door.says("blah", OptOutType="STOP")

    assert Suppression.objects.of(world.acme).get(address=PHONE).source == "provider"


def test_what_the_provider_has_answered_is_not_answered_twice(world, gateway):
    twilio = gateway("twilio")
    twilio.door.says("STOP", id="1", OptOutType="STOP")
    twilio.door.says("HELP", id="2", OptOutType="HELP")
    assert not Message.objects.of(world.acme).exists()

    twilio.door.says("HELP", id="3", sender="+31687654321")
    assert Message.objects.of(world.acme).exists()


# Who may come in


@pytest.mark.parametrize("kind", ["twilio", "vonage"])
@pytest.mark.parametrize("hook", ["inbound", "status"])
def test_without_its_signature_there_is_403_and_no_effect(world, gateway, kind, hook):
    made = gateway(kind)
    wrong = {"twilio": {"X-Twilio-Signature": "x"}, "vonage": {"Authorization": "Bearer a.b.c"}}[kind]

    answer = made.door.post(hook, {"MessageSid": "1", "From": PHONE, "To": "1", "Body": "STOP"}, **wrong)

    assert answer.status_code == 403
    assert not Reply.objects.of(world.acme).exists()
    assert not HookDelivery.objects.of(world.acme).exists()
    assert not is_out(world.acme)


def test_another_gateway_s_signature_is_refused(world, gateway):
    mine, other = gateway("twilio"), gateway("twilio", company=world.rival)
    other.settings = {**ACCOUNTS["twilio"], "auth_token": "another"}
    other.save()

    assert other.door.says("STOP").status_code == 403
    assert mine.door.says("STOP").status_code == 200


def test_the_host_header_changes_nothing(world, gateway, settings):
    settings.ALLOWED_HOSTS = ["*"]

    assert gateway("twilio").door.says("STOP").status_code == 200
    made = gateway("twilio")
    fields = {"MessageSid": "SM9", "From": PHONE, "To": "3010", "Body": "STOP"}
    signed = made.hook_url("inbound").replace("localhost", "evil.example")
    signature = sign("secret", signed + "".join(f"{k}{v}" for k, v in sorted(fields.items())))
    answer = made.door.post("inbound", fields, **{"X-Twilio-Signature": signature, "Host": "evil.example"})
    assert answer.status_code == 403


@KINDS
def test_the_address_must_be_the_gateway_s_own(gateway, kind):
    made = gateway(kind)
    others = {"cm": "twilio", "twilio": "vonage", "vonage": "cm"}
    for wrong in (
        made.hook_url("inbound").replace(str(made.token), "00000000-0000-4000-8000-000000000000"),
        made.hook_url("inbound").replace(str(made.token), str(made.pk)),
        made.hook_url("inbound").replace(f"/{kind}/", f"/{others[kind]}/"),
        made.hook_url("inbound") + "/x",
    ):
        assert made.door.post("inbound", {"x": "y"}, url=wrong).status_code == 404, wrong


@pytest.mark.parametrize("kind", ["simulator", "smtp", "nothing"])
def test_who_has_no_webhooks_sends_none(world, kind):
    made = Gateway.objects.create(company=world.acme, kind=kind)

    assert Client().post(made.hook_url("inbound"), b"{}", content_type="application/json").status_code == 403


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "patch"])
def test_nothing_but_post_has_an_effect(world, gateway, method):
    made = gateway("cm")

    assert getattr(Client(), method)(made.hook_url("inbound")).status_code == 405
    assert not HookDelivery.objects.of(world.acme).exists()


def test_wrong_signatures_are_counted_and_right_ones_still_let_in(gateway, monkeypatch):
    monkeypatch.setattr(views, "REFUSALS", 3)
    made = gateway("twilio")
    codes = [made.door.says("STOP", id=str(n)).status_code for n in range(2)]
    codes += [made.door.post("inbound", {"a": "b"}, **{"X-Twilio-Signature": "x"}).status_code for _n in range(5)]

    assert codes == [200, 200, 403, 403, 403, 429, 429]
    assert made.door.says("STOP", id="9").status_code == 200
    assert Bucket.objects.filter(key__startswith="hook-refused").count() == 1


# What nobody understands


@pytest.mark.parametrize("hook", ["inbound", "status"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b"1" * 9000,
        b'{"from": "\x00", "body": {"a": 1}}',
        b'{"x": "\\ud800"}',
        b'{"from": {"number": "\\ud800\\u0000"}, "message": {"text": "\\ud800\\u0000STOP"}}',
        b'{"from": {"number": "+31612345678"}, "message": {"text": "x"}, "timeUtc": "0001-01-01T00:00:00"}',
        b'{"messages": {"msg": {"reference": "\\ud800", "status": {"code": "2"}, "to": "\\u0000"}}}',
        b'{"messages": {"msg": [[], 3, null]}}',
        b"<MESSAGES><MSG/></MESSAGES>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
    ],
)
def test_bad_input_is_kept_and_never_an_error_of_ours(world, gateway, hook, body):
    answer = Client().post(gateway("cm").hook_url(hook), body, content_type="application/json")

    assert answer.status_code == 200
    assert HookDelivery.objects.of(world.acme).exists() or Reply.objects.of(world.acme).exists()


@KINDS
@pytest.mark.parametrize("hook", ["inbound", "status"])
def test_an_unknown_shape_is_kept_with_its_problem(world, gateway, kind, hook):
    answer = gateway(kind).door.post(hook, {"something": "new"})

    kept = HookDelivery.objects.of(world.acme).get()
    assert answer.status_code == 200
    assert kept.problem
    assert kept.read_at
    assert b"something" in bytes(kept.body)


def test_a_body_that_is_too_large_is_refused(world, gateway):
    answer = Client().post(
        gateway("cm").hook_url("inbound"), b"x" * (Adapter.largest_hook + 1), content_type="application/json"
    )

    assert answer.status_code == 413
    assert not HookDelivery.objects.of(world.acme).exists()


def test_without_a_database_nothing_is_promised(gateway, monkeypatch):
    made = gateway("cm")

    def gone(*_args, **_kwargs):
        raise OperationalError

    monkeypatch.setattr(taking.replies, "receive", gone)
    monkeypatch.setattr(taking.HookDelivery, "keep", gone)
    for hook in ("inbound", "status"):
        answer = made.door.post(hook, {"from": PHONE, "to": "1", "body": "STOP"})
        assert answer.status_code == 503
        assert answer["Retry-After"]


def test_a_fault_of_ours_keeps_what_was_said(world, gateway, monkeypatch):
    monkeypatch.setattr(taking.replies, "receive", lambda **_: 1 / 0)

    assert gateway("cm").door.says("STOP").status_code == 200
    kept = HookDelivery.objects.of(world.acme).get()
    assert b"STOP" in bytes(kept.body)
    assert "ZeroDivisionError" in kept.problem


def test_erasure_finds_the_number_in_what_nobody_understood(world, gateway):
    Client().post(gateway("cm").hook_url("inbound"), b'{"who": "00' + PHONE[1:].encode() + b'"}', content_type="x/y")

    erase(world.contact, by="test")

    assert bytes(HookDelivery.objects.of(world.acme).get().body) == b""


# Reports


@KINDS
@pytest.mark.parametrize(
    ("before", "told", "after"),
    [
        ("sent", ["delivered"], "delivered"),
        ("sent", ["failed"], "failed"),
        ("sent", ["sent"], "sent"),
        ("sent", ["delivered", "sent", "failed", "delivered"], "delivered"),
        ("sent", ["failed", "sent", "delivered"], "delivered"),
        ("unknown", ["sent"], "sent"),
        ("unknown", ["delivered"], "delivered"),
        ("unknown", ["failed"], "failed"),
        ("unknown", ["delivered", "sent"], "delivered"),
        ("suppressed", ["delivered"], "suppressed"),
        ("cancelled", ["failed"], "cancelled"),
    ],
)
def test_a_status_only_goes_forward(gateway, kind, before, told, after):
    made = gateway(kind)
    sent = message(made, before)

    for status in told:
        assert made.door.reports(sent, status).status_code == 200

    assert status_of(sent) == after


@KINDS
def test_what_was_understood_leaves_no_body_behind(world, gateway, kind):
    made = gateway(kind)
    made.door.reports(message(made), "delivered")

    assert not HookDelivery.objects.of(world.acme).exists()


def test_a_report_sets_time_and_cause(gateway):
    made = gateway("twilio")
    good, bad = message(made), message(made, to="+31687654321")
    made.door.reports(good, "delivered")
    made.door.reports(bad, "failed", ErrorCode="30005")

    rows = Message.objects.of(good.company_id)
    assert rows.get(pk=good.pk).delivered_at
    assert rows.get(pk=bad.pk).error == "the number is unknown (30005)"
    assert rows.get(pk=bad.pk).delivered_at is None


def test_an_unknown_message_is_settled_though_its_id_never_came(gateway):
    made = gateway("twilio")
    lost = message(made, "unknown")

    made.door.reports(lost, "delivered")

    settled = Message.objects.of(lost.company_id).get(pk=lost.pk)
    assert (settled.status, settled.provider_id) == ("delivered", f"SM{lost.pk}")


def test_of_two_unknown_messages_to_one_address_nobody_can_tell(gateway):
    made = gateway("twilio")
    one, two = message(made, "unknown"), message(made, "unknown")

    made.door.reports(one, "delivered")

    assert (status_of(one), status_of(two)) == ("unknown", "unknown")


def test_a_report_that_is_faster_than_the_hand_over_waits_for_it(gateway):
    made = gateway("vonage")
    early = message(made, "queued", "handing")
    made.door.reports(early, "delivered")
    assert status_of(early) == "queued"

    Message.objects.of(made.company).filter(pk=early.pk).update(status="sent")
    HookDelivery.objects.of(made.company).update(due_at=timezone.now())
    assert taking.due()
    taking.sweep_waiting()

    assert status_of(early) == "delivered"
    assert not HookDelivery.objects.of(made.company).exists()


def test_what_a_report_shows_to_be_taken_is_not_sent_a_second_time(gateway):
    made = gateway("vonage")
    waiting = message(made, "queued", "queued")

    made.door.reports(waiting, "delivered")

    assert status_of(waiting) == "delivered"


def test_a_report_about_nothing_of_ours_is_given_up_after_a_while(gateway):
    made = gateway("twilio")
    fields = {"MessageSid": "SMx", "MessageStatus": "delivered", "To": "+31687654321"}
    made.door.post("status", fields)
    waiting = HookDelivery.objects.of(made.company).get()
    assert waiting.read_at is None

    HookDelivery.objects.of(made.company).update(received_at=timezone.now() - timedelta(hours=1), due_at=timezone.now())
    taking.sweep_waiting()

    assert HookDelivery.objects.of(made.company).get().problem == "no message of ours"
    assert not taking.due()


def test_another_gateway_s_report_is_not_believed(world, gateway):
    mine, rivals = gateway("cm"), gateway("cm", company=world.rival)
    second = gateway("cm")
    sent = message(mine)

    rivals.door.reports(sent, "failed")
    second.door.reports(sent, "failed")

    assert status_of(sent) == "sent"


# Blocks


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("cm", {"errorCode": "402"}),
        ("twilio", {"ErrorCode": "21610"}),
        ("vonage", {"error": {"type": "https://x#1050", "title": "1050", "detail": "Number barred"}}),
    ],
)
def test_a_late_block_becomes_a_suppression_of_the_provider_s(world, gateway, kind, more):
    made = gateway(kind)
    sent = message(made)

    made.door.reports(sent, "failed", **more)

    event = ConsentEvent.objects.of(world.acme).get(type="opt_out", channel="sms")
    assert (event.source, event.message_id) == ("provider", sent.pk)
    assert is_out(world.acme)
    assert not is_out(world.rival)
    assert status_of(sent) == "failed"


def test_a_repeated_block_does_not_undo_a_return(world, gateway):
    made = gateway("twilio")
    sent = message(made)
    made.door.reports(sent, "failed", ErrorCode="21610")
    consent.opt_in(company=world.acme, address=Address("sms", PHONE), source="api", evidence={"text": "yes"})

    made.door.reports(sent, "failed", ErrorCode="21610")

    assert not is_out(world.acme)


class Refusing(Adapter):
    kind = label = "refusing"
    outcome = Outcome(Verdict.ACCEPTED)

    def send(self, messages):
        return [type(self).outcome] * len(messages)


@pytest.fixture
def sends(world, monkeypatch):
    """A campaign to Acme's contact through a gateway with this outcome."""

    def run(outcome: Outcome) -> Message:
        monkeypatch.setitem(ADAPTERS, "refusing", Refusing)
        monkeypatch.setattr(Refusing, "outcome", outcome)
        Gateway.objects.of(world.acme).update(kind="refusing")
        campaign = make.campaign(world.acme, world.customers, status="draft")
        campaign.launch()
        audience.build(campaign)
        dispatch.run(category="marketing", seconds=1)
        return Message.objects.of(world.acme).get(campaign=campaign)

    return run


def test_a_wish_told_at_the_hand_over_covers_the_person(world, sends):
    sent = sends(Outcome(Verdict.REJECTED, error="opted out (21610)", block=Block.OPTED_OUT))

    assert sent.status == "failed"
    found = Suppression.objects.of(world.acme).values_list("channel", "source")
    assert set(found) == {("sms", "provider"), ("email", "provider")}


def test_a_bounce_ends_its_channel_only(world, sends):
    sends(Outcome(Verdict.REJECTED, error="550 5.1.1", block=Block.BOUNCED))

    assert set(Suppression.objects.of(world.acme).values_list("channel", "source")) == {("sms", "complaint")}


def test_who_asks_to_wait_is_waited_for(world, sends):
    sent = sends(Outcome(Verdict.RETRYABLE, error="the provider asks to wait", retry_after=600))

    batch = Batch.objects.of(world.acme).get(pk=sent.batch_id)
    assert sent.status == "queued"
    assert timedelta(seconds=500) < batch.due_at - timezone.now() <= timedelta(seconds=600)
    assert Gateway.objects.of(world.acme).get().problem == "the provider asks to wait"


def test_a_gateway_s_problem_ends_with_the_first_message_it_takes(world, sends):
    Gateway.objects.of(world.acme).update(problem="x", problem_since=timezone.now())

    sends(Outcome(Verdict.ACCEPTED))

    assert Gateway.objects.of(world.acme).get().problem == ""
    assert Gateway.objects.of(world.acme).get().problem_since is None


def test_what_is_refused_for_days_is_given_up(world, sends):
    sent = sends(Outcome(Verdict.RETRYABLE, retry_after=0))
    assert sent.status == "queued"
    Batch.objects.of(world.acme).update(tried_since=timezone.now() - timedelta(days=4))

    dispatch.run(category="marketing", seconds=1)

    assert status_of(sent) == "failed"


# Routes


def test_each_channel_goes_through_a_gateway_that_carries_it(world):
    Gateway.objects.of(world.acme).update(is_default=False)
    simulator = Gateway.objects.of(world.acme).get()
    sms = Gateway.objects.create(company=world.acme, kind="twilio")
    assert Gateway.carrying("sms", company=world.acme) == sms
    assert Gateway.carrying("email", company=world.acme) == simulator

    mail = Gateway.objects.create(company=world.acme, kind="smtp", is_default=True)
    assert Gateway.carrying("sms", company=world.acme) == sms
    assert Gateway.carrying("email", company=world.acme) == mail
    assert Gateway.carrying("email", company=world.rival).company == world.rival


# Accounts


def test_an_account_without_its_settings_sends_nothing_and_loses_nothing(world):
    Gateway.objects.of(world.acme).update(kind="cm")
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=1)

    assert Message.objects.of(world.acme).get().status == "queued"
    assert "settings" in Gateway.objects.of(world.acme).get().problem


def test_secrets_are_in_no_page_of_the_administrators(client, world):
    settings = {"account_sid": "AC1", "auth_token": "very-secret-token"}
    made = Gateway.objects.create(company=world.acme, kind="twilio", settings=settings)
    client.force_login(User.objects.create_superuser("admin@stopgate.example", make.PASSWORD))

    for page in (f"/admin/messaging/gateway/{made.pk}/change/", "/admin/messaging/gateway/"):
        shown = client.get(page).content.decode()
        assert "Twilio" in shown
        assert "very-secret-token" not in shown
        assert "sealed" not in shown
    assert b"very-secret-token" not in bytes(made.sealed_settings)
