"""What e-mail services tell: each event as its service words it, signed as it signs, down to the suppression."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook

from addressbook import consent
from addressbook.models import ConsentEvent, Suppression
from messaging.addresses import parse
from messaging.gateways import ADAPTERS, references
from messaging.gateways.esps import ESPS
from messaging.models import Batch, Gateway, HookDelivery, Message

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:.*[Aa]nymail")]
TO = "sanne@devries.example"
NOW = int(time.time()) - 60
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
SVIX = "whsec_" + base64.b64encode(b"a secret of the service").decode()
ESP = {"from_email": "news@acme.example"}
ACCOUNTS = {
    "mailgun": {"api_key": "k", "webhook_signing_key": "signing", **ESP},
    "sendgrid": {"api_key": "k", "tracking_webhook_verification_key": PUBLIC, **ESP},
    "postmark": {"server_token": "t", "webhook_secret": "hook:secret", **ESP},
    "brevo": {"api_key": "k", "webhook_secret": "hook:secret", **ESP},
    "mailjet": {"api_key": "k", "secret_key": "s", "webhook_secret": "hook:secret", **ESP},
    "resend": {"api_key": "k", "signing_secret": SVIX, **ESP},
    "sparkpost": {"api_key": "k", "webhook_secret": "hook:secret", **ESP},
}
KINDS = pytest.mark.parametrize("kind", ACCOUNTS)


def signed(kind: str, body: bytes) -> dict[str, str]:
    if kind == "sendgrid":
        moment = str(int(time.time()))
        signature = KEY.sign(moment.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": moment,
        }
    if kind == "resend":  # signed by the official reader of this scheme
        now = datetime.now(UTC)
        signature = Webhook(SVIX).sign("msg_1", now, body.decode())
        return {"svix-id": "msg_1", "svix-timestamp": str(int(now.timestamp())), "svix-signature": signature}
    if kind == "mailgun":
        return {}  # signs inside the body
    return {"Authorization": "Basic " + base64.b64encode(b"hook:secret").decode()}


def post(gateway: Gateway, event: Any, *, hook: str = "status", **headers: str):
    body = json.dumps(event).encode()
    return Client().post(
        gateway.hook_url(hook), body, "application/json", headers={**signed(gateway.kind, body), **headers}
    )


def words(kind: str, what: str, reference: str, *, number: str = "1", to: str = TO) -> Any:
    """One event, as the service words it."""
    return globals()[f"_{kind}"](what, reference, number, to)


def _mailgun(what: str, reference: str, number: str, to: str) -> Any:
    moment, token = str(NOW), f"token-{number}"
    signature = hmac.digest(b"signing", (moment + token).encode(), "sha256").hex()
    failed = {"event": "failed", "severity": "permanent", "delivery-status": {"code": 550, "message": "5.1.1 no such"}}
    data = {
        "delivered": {"event": "delivered"},
        "hard": {**failed, "reason": "bounce"},
        "soft": {"event": "failed", "severity": "temporary", "reason": "generic"},
        "complained": {"event": "complained"},
        "unsubscribed": {"event": "unsubscribed"},
        "listed": {**failed, "reason": "suppress-unsubscribe", "delivery-status": {"code": 606, "message": ""}},
        "new": {"event": "levitated"},
    }[what]
    more = {"id": f"id-{number}", "timestamp": NOW, "recipient": to, "user-variables": {"stopgate": reference},
            "message": {"headers": {"message-id": "1@acme.example"}}}  # fmt: skip
    return {
        "signature": {"timestamp": moment, "token": token, "signature": signature},
        "event-data": {**data, **more},
    }


def _sendgrid(what: str, reference: str, number: str, to: str) -> Any:
    data = {
        "delivered": {"event": "delivered", "response": "250 OK"},
        "hard": {"event": "bounce", "type": "bounce", "status": "5.0.0", "reason": "550 no such user"},
        "soft": {"event": "bounce", "type": "blocked", "reason": "451 try later"},
        "complained": {"event": "spamreport"},
        "unsubscribed": {"event": "group_unsubscribe", "asm_group_id": 77},
        "listed": {"event": "dropped", "reason": "Unsubscribed Address"},
        "new": {"event": "levitated"},
    }[what]
    more = {"email": to, "timestamp": NOW, "stopgate": reference, "sg_event_id": f"sg-{number}", "anymail_id": "a"}
    return [{**data, **more}]


def _postmark(what: str, reference: str, number: str, to: str) -> Any:
    change = {"RecordType": "SubscriptionChange", "ChangedAt": "2026-11-23T10:00:00Z", "Recipient": to,
              "Origin": "Recipient", "SuppressSending": True, "MessageStream": "broadcast"}  # fmt: skip
    bounce = {"RecordType": "Bounce", "ID": 4323372036854775807 + int(number), "Email": to,
              "BouncedAt": "2026-11-23T10:00:00Z", "Details": "smtp;550 5.1.1"}  # fmt: skip
    data = {
        "delivered": {"RecordType": "Delivery", "DeliveredAt": "2026-11-23T10:00:00Z", "Recipient": to},
        "hard": {**bounce, "Type": "HardBounce", "TypeCode": 1},
        "soft": {**bounce, "Type": "SoftBounce", "TypeCode": 4096},
        "complained": {**bounce, "RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 512},
        "unsubscribed": {**change, "SuppressionReason": "ManualSuppression"},
        "listed": {**change, "SuppressionReason": "HardBounce"},
        "new": {"RecordType": "Levitation"},
    }[what]
    return {**data, "MessageID": "883953f4", "Metadata": {"stopgate": reference}}


def _brevo(what: str, reference: str, number: str, to: str) -> Any:
    name = {
        "delivered": "delivered", "hard": "hard_bounce", "soft": "soft_bounce", "complained": "spam",
        "unsubscribed": "unsubscribe", "listed": "blocked", "new": "levitated",
    }[what]  # fmt: skip
    return {"event": name, "email": to, "id": 26224, "ts_epoch": NOW * 1000 + int(number), "message-id": "<1@brevo>",
            "X-Mailin-custom": json.dumps({"stopgate": reference})}  # fmt: skip


def _mailjet(what: str, reference: str, number: str, to: str) -> Any:
    data = {
        "delivered": {"event": "sent", "smtp_reply": "sent (250 2.0.0 OK)"},
        "hard": {"event": "bounce", "hard_bounce": True, "error_related_to": "recipient", "error": "user unknown"},
        "soft": {"event": "bounce", "hard_bounce": False, "error": "quota exceeded"},
        "complained": {"event": "spam", "source": "JMRPP"},
        "unsubscribed": {"event": "unsub", "mj_list_id": ""},
        "listed": {"event": "blocked", "error_related_to": "mailjet", "error": "preblocked"},
        "new": {"event": "levitated"},
    }[what]
    more = {"time": NOW + int(number), "MessageID": 288230380871887400, "email": to}
    return [{**data, **more, "Payload": json.dumps({"stopgate": reference})}]


def _resend(what: str, reference: str, number: str, to: str) -> Any:
    kind, data = {
        "delivered": ("email.delivered", {}),
        "hard": ("email.bounced", {"bounce": {"message": "hard", "type": "Permanent", "subType": "General"}}),
        "soft": ("email.bounced", {"bounce": {"message": "full", "type": "Transient", "subType": "MailboxFull"}}),
        "complained": ("email.complained", {}),
        "unsubscribed": ("email.suppressed", {}),
        "listed": ("email.bounced", {"bounce": {"message": "x", "type": "Permanent", "subType": "Suppressed"}}),
        "new": ("email.levitated", {}),
    }[what]
    headers = [{"name": "X-Metadata", "value": json.dumps({"stopgate": reference})}]
    moment = f"2026-11-23T10:00:00.{int(number):06d}Z"
    return {"type": kind, "created_at": moment, "data": {"email_id": "e", "to": [to], "headers": headers, **data}}


def _sparkpost(what: str, reference: str, number: str, to: str) -> Any:
    group, data = {
        "delivered": ("message_event", {"type": "delivery"}),
        "hard": ("message_event", {"type": "bounce", "bounce_class": "10", "raw_reason": "550 5.1.1 unknown"}),
        "soft": ("message_event", {"type": "bounce", "bounce_class": "22", "raw_reason": "552 full"}),
        "complained": ("message_event", {"type": "spam_complaint"}),
        "unsubscribed": ("unsubscribe_event", {"type": "list_unsubscribe"}),
        "listed": ("gen_event", {"type": "generation_rejection", "bounce_class": "25",
                                 "raw_reason": "554 5.7.1 recipient address suppressed due to customer policy"}),
        "new": ("message_event", {"type": "levitation"}),
    }[what]  # fmt: skip
    more = {"timestamp": str(NOW), "event_id": number, "transmission_id": "65832150", "raw_rcpt_to": to}
    return [{"msys": {group: {**data, **more, "rcpt_meta": {"stopgate": reference}}}}]


@pytest.fixture
def gateway(world) -> Callable[[str], Gateway]:
    return lambda kind: Gateway.objects.create(company=world.acme, kind=kind, settings=ACCOUNTS[kind])


def sent_through(gateway: Gateway, status: str = "sent") -> Message:
    batch = Batch.objects.create(
        company=gateway.company, gateway=gateway, category="transactional", due_at=timezone.now(), status="done"
    )
    return Message.objects.create(
        company=gateway.company, batch=batch, category="transactional", channel="email", address=TO,
        digest=parse(TO).digest(consent.digest_key()), status=status, created_at=timezone.now(), text="Hello",
    )  # fmt: skip


def out(company) -> set[tuple[str, str]]:
    return set(Suppression.objects.of(company).values_list("channel", "source"))


#: The event → status of the message, who is out, by which source. A wish covers the person, the rest this channel.
MEANT = {
    "delivered": ("delivered", set()),
    "hard": ("failed", {("email", "complaint")}),
    "soft": ("failed", set()),
    "complained": ("delivered", {("email", "complaint"), ("sms", "complaint")}),
    "unsubscribed": ("sent", {("email", "provider"), ("sms", "provider")}),
}
LISTED = {
    "mailgun": {("email", "provider"), ("sms", "provider")},
    "sendgrid": {("email", "provider"), ("sms", "provider")},
    "postmark": {("email", "complaint")},
}
DIFFERENT = {
    ("mailgun", "soft"): ("sent", set()),  # it goes on trying
    ("resend", "unsubscribed"): ("sent", {("email", "provider")}),  # it tells of its list only
}


def test_every_service_is_tried_here():
    assert set(ACCOUNTS) == {esp.kind for esp in ESPS}


@KINDS
@pytest.mark.parametrize("what", MEANT)
def test_each_event_has_its_effect(world, gateway, kind, what):
    made = gateway(kind)
    message = sent_through(made)

    assert post(made, words(kind, what, references.write(message.pk))).status_code == 200

    message.refresh_from_db()
    status, left = DIFFERENT.get((kind, what), MEANT[what])
    assert (message.status, out(world.acme)) == (status, left)
    assert out(world.rival) == set()
    for event in ConsentEvent.objects.of(world.acme).filter(cause_id=None):
        assert event.message_id == message.pk


@KINDS
def test_who_stands_on_the_service_s_list_is_out_here(world, gateway, kind):
    made = gateway(kind)
    message = sent_through(made)

    post(made, words(kind, "listed", references.write(message.pk)))

    assert out(world.acme) == LISTED.get(kind, {("email", "provider")})


@KINDS
def test_without_its_proof_there_is_403_and_no_effect(world, gateway, kind):
    made = gateway(kind)
    event = words(kind, "complained", references.write(sent_through(made).pk))
    body = json.dumps(event).encode()
    if kind == "mailgun":
        event["signature"]["signature"] = "0" * 64
        body = json.dumps(event).encode()
    for headers in ({}, {"Authorization": "Basic " + base64.b64encode(b"hook:other").decode()}):
        answer = Client().post(made.hook_url("status"), body, "application/json", headers=headers)
        assert answer.status_code == 403

    assert out(world.acme) == set()
    assert not HookDelivery.objects.of(world.acme).exists()


@pytest.mark.parametrize("kind", ["sendgrid", "resend"])
def test_another_body_breaks_the_signature(world, gateway, kind):
    made = gateway(kind)
    proof = signed(kind, b"[]")
    body = json.dumps(words(kind, "complained", "x")).encode()

    assert Client().post(made.hook_url("status"), body, "application/json", headers=proof).status_code == 403
    assert out(world.acme) == set()


@pytest.mark.parametrize("age", [-600, 600])
def test_an_old_signature_of_resend_s_is_none(gateway, age):
    made, body = gateway("resend"), b"{}"
    moment = datetime.fromtimestamp(time.time() - age, UTC)
    proof = {"svix-id": "m", "svix-timestamp": str(int(moment.timestamp())),
             "svix-signature": Webhook(SVIX).sign("m", moment, body.decode())}  # fmt: skip

    assert Client().post(made.hook_url("status"), body, "application/json", headers=proof).status_code == 403


@KINDS
def test_an_account_without_its_secret_lets_nobody_in(gateway, kind):
    made = gateway(kind)
    secrets = {"webhook_signing_key", "tracking_webhook_verification_key", "webhook_secret", "signing_secret"}
    made.settings = {name: value for name, value in made.settings.items() if name not in secrets}
    made.save()

    assert post(made, words(kind, "complained", "x")).status_code == 403


@KINDS
def test_told_again_it_does_not_undo_a_return(world, gateway, kind):
    made = gateway(kind)
    event = words(kind, "complained", references.write(sent_through(made).pk))
    post(made, event)
    consent.opt_in(company=world.acme, address=parse(TO), source="api", evidence={"text": "yes"})

    for _n in range(2):
        assert post(made, event).status_code == 200

    assert out(world.acme) == set()


@pytest.mark.parametrize("kind", ["sendgrid", "mailjet", "sparkpost"])
def test_told_again_among_other_events_it_does_not_undo_a_return_either(world, gateway, kind):
    made = gateway(kind)
    reference = references.write(sent_through(made).pk)
    post(made, words(kind, "complained", reference))
    consent.opt_in(company=world.acme, address=parse(TO), source="api", evidence={"text": "yes"})

    again = words(kind, "delivered", reference, number="7") + words(kind, "complained", reference)
    assert post(made, again).status_code == 200
    assert out(world.acme) == set()

    assert post(made, words(kind, "complained", reference, number="8")).status_code == 200
    assert out(world.acme), "a new complaint is one"


@KINDS
def test_events_in_any_order_end_alike(world, gateway, kind):
    made = gateway(kind)
    message = sent_through(made, "unknown")
    for what in ("complained", "delivered", "delivered", "soft"):
        post(made, words(kind, what, references.write(message.pk)))

    message.refresh_from_db()
    assert message.status == "delivered"
    assert out(world.acme) == MEANT["complained"][1]


@KINDS
def test_a_block_that_names_no_message_of_ours_counts_by_its_address(world, gateway, kind):
    made = gateway(kind)

    post(made, words(kind, "hard", "something-else"))

    assert out(world.acme) == {("email", "complaint")}


def test_another_gateway_s_message_is_not_changed(world, gateway):
    theirs = Gateway.objects.create(company=world.rival, kind="postmark", settings=ACCOUNTS["postmark"])
    message = sent_through(gateway("postmark"))

    post(theirs, words("postmark", "soft", references.write(message.pk)))

    message.refresh_from_db()
    assert message.status == "sent"


@KINDS
@pytest.mark.parametrize("event", [{"something": "new"}, [1], None], ids=str)
def test_an_unknown_shape_is_kept(world, gateway, kind, event):
    made = gateway(kind)
    if kind == "mailgun":
        event = {"signature": words(kind, "new", "x")["signature"], "what": event}

    assert post(made, event).status_code == 200

    kept = HookDelivery.objects.of(world.acme).get()
    assert kept.problem
    assert bytes(kept.body) == json.dumps(event).encode()


@KINDS
def test_an_event_of_an_unknown_kind_is_kept_and_shown_to_an_administrator(world, gateway, kind, client):
    post(gateway(kind), words(kind, "new", "x"))

    kept = HookDelivery.objects.of(world.acme).get()
    client.force_login(get_user_model().objects.create_superuser("root@stopgate.example", "pw"))
    listed = client.get(reverse("admin:messaging_hookdelivery_changelist")).content.decode()
    shown = client.get(reverse("admin:messaging_hookdelivery_change", args=[kept.pk])).content.decode()

    assert kept.problem
    assert kept.problem in listed
    assert "evitat" in shown, "its own words are there"


@pytest.mark.parametrize("kind", ["sendgrid", "mailjet", "sparkpost"])
def test_beside_an_unknown_event_the_known_ones_count(world, gateway, kind):
    made = gateway(kind)
    reference = references.write(sent_through(made).pk)

    post(made, words(kind, "new", reference, number="2") + words(kind, "unsubscribed", reference))

    assert out(world.acme) == MEANT["unsubscribed"][1]
    assert HookDelivery.objects.of(world.acme).get(problem="an event of an unknown kind in it").body


def test_a_thousand_events_fit_in_one_delivery(world, gateway):
    made = gateway("sendgrid")
    reference = references.write(sent_through(made).pk)
    many = [e | {"x": "y" * 600} for n in range(900) for e in words("sendgrid", "delivered", reference, number=str(n))]

    adapter = ADAPTERS["sendgrid"](made)
    assert 600_000 < len(json.dumps(many)) < adapter.largest_hook
    assert post(made, many[:20] + words("sendgrid", "hard", reference)).status_code == 200
    assert out(world.acme) == {("email", "complaint")}


def test_the_hour_of_an_event_is_its_own(world, gateway):
    made = gateway("mailgun")
    post(made, words("mailgun", "complained", references.write(sent_through(made).pk)))

    found = ConsentEvent.objects.of(world.acme).get(channel="email")
    assert int(found.occurred_at.timestamp()) == NOW


def test_an_event_from_the_future_is_from_now(world, gateway):
    made = gateway("sendgrid")
    (event,) = words("sendgrid", "complained", references.write(sent_through(made).pk))

    post(made, [event | {"timestamp": NOW + 90_000}])

    assert ConsentEvent.objects.of(world.acme).get(channel="email").occurred_at <= timezone.now()


def test_replies_by_e_mail_are_not_taken_here_and_kept(world, gateway):
    assert post(gateway("postmark"), {"FromFull": {}}, hook="inbound").status_code == 200
    assert HookDelivery.objects.of(world.acme).get().problem


def test_mailgun_s_own_example_of_a_signature_is_over_time_and_token(gateway):
    event = words("mailgun", "delivered", "x")["signature"]
    expected = hmac.new(b"signing", (event["timestamp"] + event["token"]).encode(), hashlib.sha256).hexdigest()

    assert event["signature"] == expected
