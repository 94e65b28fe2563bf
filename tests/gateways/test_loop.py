"""From launch to opt-out, through a provider on loopback."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from addressbook.models import Suppression
from campaigns import audience, dispatch
from messaging.gateways.twilio import sign
from messaging.models import Batch, Message
from tests import make
from tests.gateways.stub import Request, Silence, provider, said

pytestmark = pytest.mark.django_db
FORM = "application/x-www-form-urlencoded"


def add_gateway(kind: str, *settings: str) -> dict:
    out = StringIO()
    call_command(*["add_gateway", "--company", "acme", "--kind", kind, "--default", "--set", *settings], stdout=out)
    return json.loads(out.getvalue())


def send(world, **fields) -> None:
    campaign = make.campaign(world.acme, world.customers, sender=fields.pop("sender", "Acme"), **fields)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)


def created(request: Request):
    return said(201, {"sid": "SM" + hashlib.md5(request.body).hexdigest(), "status": "queued"})


def post(url: str, fields: dict):
    signature = sign("secret", url + "".join(f"{k}{v}" for k, v in sorted(fields.items())))
    return Client().post(url, urlencode(fields).encode(), FORM, headers={"X-Twilio-Signature": signature})


def test_sent_delivered_and_stopped(world):
    with provider(created) as twilio:
        hooks = add_gateway("twilio", "account_sid=AC1", "auth_token=secret", f"base_url={twilio.base_url}")
        send(world)
        sent = Message.objects.of(world.acme).get()
        asked = twilio.requests[0].form()
        assert (sent.status, asked["To"], asked["Body"]) == ("sent", world.contact.phone, sent.text)
        assert asked["StatusCallback"] == hooks["status"]

        report = {"MessageSid": sent.provider_id, "MessageStatus": "delivered", "To": sent.address}
        assert post(hooks["status"], report).status_code == 200
        assert Message.objects.of(world.acme).get().status == "delivered"

        stop = {"MessageSid": "SMin", "From": world.contact.phone, "To": "3010", "Body": "Stop"}
        assert post(hooks["inbound"], stop).status_code == 200
        found = Suppression.objects.of(world.acme).get(channel="sms")
        assert found.source == "reply"

        send(world)
        marketing = [r for r in twilio.requests if r.form()["To"] == world.contact.phone and "Sale" in r.form()["Body"]]
        assert len(marketing) == 1


def test_what_the_provider_hid_is_settled_by_its_report_and_never_sent_again(world, monkeypatch):
    import httpx

    from messaging.gateways import http

    monkeypatch.setattr(http, "client", lambda: httpx.Client(timeout=0.2, trust_env=False))
    with provider(Silence) as twilio:
        hooks = add_gateway("twilio", "account_sid=AC1", "auth_token=secret", f"base_url={twilio.base_url}")
        send(world)
        assert Message.objects.of(world.acme).get().status == "unknown"
        dispatch.run(category="marketing", seconds=1)

        post(hooks["status"], {"MessageSid": "SM1", "MessageStatus": "delivered", "To": world.contact.phone})

    assert len(twilio.requests) == 1
    assert Message.objects.of(world.acme).get().status == "delivered"


def test_who_leaves_while_the_provider_asks_to_wait_is_not_written_to(world):
    with provider(said(429, {}, Retry_After="60")) as twilio:
        add_gateway("twilio", "account_sid=AC1", "auth_token=secret", f"base_url={twilio.base_url}")
        send(world)
        assert Message.objects.of(world.acme).get().status == "queued"
        from addressbook import consent
        from messaging.addresses import Address

        consent.opt_out(company=world.acme, address=Address("sms", world.contact.phone), source="api")
        Batch.objects.of(world.acme).update(due_at=timezone.now() - timedelta(seconds=1))
        dispatch.run(category="marketing", seconds=1)

    assert len(twilio.requests) == 1
    assert Message.objects.of(world.acme).get().status == "suppressed"
