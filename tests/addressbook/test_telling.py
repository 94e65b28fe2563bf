"""Providers' own lists follow ours."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from addressbook import blocks, consent, telling
from addressbook.models import Suppression, Telling
from config import sweeps
from messaging.addresses import Address, parse
from messaging.gateways import Block
from messaging.models import Gateway
from tests import make
from tests.gateways import stub
from tests.gateways.stub import Reply, Request, provider, said

pytestmark = pytest.mark.django_db
SANNE = parse("sanne@devries.example")
ESP = {"from_email": "news@acme.example"}
ACCOUNTS = {
    "mailgun": {"api_key": "key-1", "webhook_signing_key": "s", **ESP},
    "sendgrid": {"api_key": "SG.1", "tracking_webhook_verification_key": "k", "unsubscribe_group": "77", **ESP},
    "postmark": {"server_token": "t-1", "webhook_secret": "a:b", "message_stream": "offers", **ESP},
    "sparkpost": {"api_key": "k", "webhook_secret": "a:b", **ESP},
    "twilio": {"account_sid": "AC1", "auth_token": "secret", "consent_sender": "MG1"},
}


@pytest.fixture
def gateway(world):
    def make_one(kind: str, server, **more: str) -> Gateway:
        values = {**ACCOUNTS[kind], "base_url": server.base_url, **more}
        return Gateway.objects.create(company=world.acme, kind=kind, settings=values)

    return make_one


def leave(world, address: Address = SANNE, **fields) -> None:
    consent.opt_out(company=world.acme, address=address, source="api", **fields)


def come_back(world, address: Address = SANNE) -> None:
    consent.opt_in(company=world.acme, address=address, source="api", evidence={"method": "form", "text": "Yes"})


def tell() -> None:
    """What the worker does: it looks whether anything is due, and does it."""
    if telling.due():
        telling.run_due()


def well(request: Request) -> Reply:
    """As each service answers what it did."""
    if "Consents" in request.path:
        items = [json.loads(text) for name, text in request.pairs() if name == "Items"]
        done = [{"correlation_id": i["correlation_id"], "error_code": 0, "error_messages": []} for i in items]
        return said(201, {"items": done})
    if request.method == "DELETE":
        return Reply(204)
    return said(201 if "asm" in request.path else 200, {"message": "1 address has been added"})


def asked(requests: list[Request]) -> list[tuple[str, str]]:
    return [(r.method, r.path) for r in requests]


def test_mailgun_is_told_who_left_and_who_came_back(world, gateway):
    with provider(well) as server:
        gateway("mailgun", server)
        tell()
        leave(world)
        tell()
        come_back(world)
        tell()

    home = "/v3/acme.example/unsubscribes"
    assert asked(server.requests) == [("POST", home), ("DELETE", f"{home}/sanne%40devries.example")]
    assert server.requests[0].json() == [{"address": "sanne@devries.example", "tags": ["marketing"]}]
    credentials = {base64.b64decode(r.headers["authorization"].split()[1]) for r in server.requests}
    assert credentials == {b"api:key-1"}


def test_sendgrid_is_told_in_the_group_of_marketing(world, gateway):
    with provider(well) as server:
        gateway("sendgrid", server)
        leave(world)
        tell()
        come_back(world)
        tell()

    home = "/v3/asm/groups/77/suppressions"
    assert asked(server.requests) == [("POST", home), ("DELETE", f"{home}/sanne%40devries.example")]
    assert server.requests[0].json() == {"recipient_emails": ["sanne@devries.example"]}
    assert {r.headers["authorization"] for r in server.requests} == {"Bearer SG.1"}


def test_postmark_is_told_in_the_stream_of_marketing(world, gateway):
    with provider(well) as server:
        gateway("postmark", server)
        leave(world)
        tell()
        come_back(world)
        tell()

    home = "/message-streams/offers/suppressions"
    assert asked(server.requests) == [("POST", home), ("POST", f"{home}/delete")]
    assert {json.dumps(r.json()) for r in server.requests} == {
        '{"Suppressions": [{"EmailAddress": "sanne@devries.example"}]}'
    }
    assert {r.headers["x-postmark-server-token"] for r in server.requests} == {"t-1"}


def test_sparkpost_is_told_that_it_is_about_marketing(world, gateway):
    with provider(well) as server:
        gateway("sparkpost", server)
        leave(world)
        tell()
        come_back(world)
        tell()

    home = "/api/v1/suppression-list"
    assert asked(server.requests) == [("PUT", home), ("DELETE", f"{home}/sanne%40devries.example")]
    person = {"recipient": "sanne@devries.example", "type": "non_transactional"}
    assert server.requests[0].json() == {"recipients": [person]}
    assert server.requests[1].json() == {"type": "non_transactional"}


def test_twilio_is_told_about_the_sender_that_the_account_names(world, gateway):
    with provider(well) as server:
        gateway("twilio", server)
        leave(world, parse(world.contact.phone))
        tell()
        come_back(world, parse(world.contact.phone))
        tell()

    assert asked(server.requests) == [("POST", "/v1/Consents/Bulk")] * 2
    items = [json.loads(dict(r.pairs())["Items"]) for r in server.requests]
    assert [len(item.pop("correlation_id")) for item in items] == [32, 32]
    told = {"contact_id": world.contact.phone, "sender_id": "MG1", "source": "others"}
    assert items == [told | {"status": "opt-out"}, told | {"status": "opt-in"}]


@pytest.mark.parametrize(("kind", "name"), [("sendgrid", "unsubscribe_group"), ("twilio", "consent_sender")])
def test_a_list_that_stops_everything_is_written_to_only_where_it_is_asked_for(world, gateway, kind, name):
    with provider(well) as server:
        made = gateway(kind, server)
        made.settings = {key: value for key, value in made.settings.items() if key != name}
        made.save()
        leave(world)
        tell()

    assert server.requests == []


def test_what_the_provider_told_is_not_told_back_to_it(world, gateway):
    with provider(well) as one, provider(well) as other:
        theirs, _other = gateway("mailgun", one), gateway("postmark", other)
        blocks.suppress(gateway=theirs, address=SANNE, message_id=None, block=Block.COMPLAINED, error="spam")
        tell()
        assert (len(one.requests), len(other.requests)) == (0, 1)

        come_back(world)
        tell()
        assert asked(one.requests) == [("DELETE", "/v3/acme.example/unsubscribes/sanne%40devries.example")]


def test_only_the_last_word_is_told(world, gateway):
    with provider(well) as server:
        gateway("mailgun", server)
        tell()
        leave(world)
        come_back(world)
        leave(world)
        tell()

    assert [r.method for r in server.requests] == ["POST"]
    assert len(server.requests[0].json()) == 1


def test_who_left_before_the_gateway_came_is_told_and_nobody_is_let_in(world, gateway):
    leave(world)
    leave(world, parse("jan@devries.example"))
    come_back(world, parse("jan@devries.example"))
    with provider(well) as server:
        gateway("mailgun", server)
        tell()

    assert [r.method for r in server.requests] == ["POST"]
    assert [p["address"] for p in server.requests[0].json()] == ["sanne@devries.example"]


def test_other_companies_and_other_channels_are_not_told(world, gateway):
    with provider(well) as server:
        gateway("mailgun", server)
        consent.opt_out(company=world.rival, address=SANNE, source="api")
        leave(world, parse("+31612340000"), channels=["sms"])
        tell()

    assert server.requests == []


def test_an_erased_address_is_nobody_s_any_more(world, gateway):
    from addressbook.erasure import erase

    leave(world)
    erase(world.contact, by="somebody")
    with provider(well) as server:
        gateway("mailgun", server)
        tell()

    assert server.requests == []


TROUBLE = [
    said(429, {}, Retry_After="7200"), said(401, {}), said(500, {}), Reply(200 + 102, b""), stub.Reset,
]  # fmt: skip


@pytest.mark.parametrize("trouble", TROUBLE, ids=["429", "401", "500", "302", "reset"])
@pytest.mark.parametrize("kind", ["mailgun", "postmark", "twilio"])
def test_trouble_is_tried_again_later_and_loses_nobody(world, gateway, kind, trouble):
    with provider(trouble) as server:
        gateway(kind, server)
        leave(world)
        leave(world, parse(world.contact.phone))
        tell()
        assert len(server.requests) == 1
        waiting = Telling.objects.of(world.acme).get()
        assert (waiting.failures, bool(waiting.problem)) == (1, True)
        assert waiting.due_at > timezone.now() + timedelta(seconds=20)
        assert not telling.due()

        Telling.objects.of(world.acme).update(due_at=timezone.now())
        server.behaviour = well
        tell()

    done = Telling.objects.of(world.acme).get()
    assert (len(server.requests), done.failures, done.problem) == (2, 0, "")
    assert Suppression.objects.of(world.acme).filter(channel="email").exists()


def test_a_pause_grows_up_to_an_hour_and_follows_what_the_provider_asks(world, gateway):
    with provider(said(429, {}, Retry_After="3000")) as server:
        gateway("mailgun", server)
        leave(world)
        tell()
        waiting = Telling.objects.of(world.acme).get()
        assert waiting.due_at > timezone.now() + timedelta(seconds=2900)

    waiting.failures = 900
    waiting.try_later("no connection")
    assert waiting.due_at <= timezone.now() + timedelta(hours=1)


def test_an_address_that_is_refused_holds_nobody_up(world, gateway):
    def picky(request: Request) -> Reply:
        wrong = any(p["address"].startswith("jan") for p in request.json())
        return said(400, {"message": "not a valid address"}) if wrong else well(request)

    with provider(picky) as server:
        gateway("mailgun", server)
        for name in ("jan", "piet", "sanne"):
            leave(world, parse(f"{name}@devries.example"))
        tell()

    told = [[p["address"].partition("@")[0] for p in r.json()] for r in server.requests]
    assert sorted(told[0]) == ["jan", "piet", "sanne"]
    assert sorted(one for part in told[1:] for one in part) == ["jan", "piet", "sanne"]
    assert not telling.due()


def test_to_take_away_what_is_not_there_is_done(world, gateway):
    with provider(lambda request: Reply(404) if request.method == "DELETE" else well(request)) as server:
        gateway("mailgun", server)
        leave(world)
        come_back(world)
        tell()

    assert [r.method for r in server.requests] == ["DELETE"]
    assert not telling.due()


def test_two_workers_do_not_tell_at_once(world, gateway):
    with provider(well) as server:
        gateway("mailgun", server)
        leave(world)
        assert telling.due()
        number = Telling.objects.of(world.acme).get().pk
        assert telling._run("claim", telling=number, lease=telling.LEASE)
        telling.tell_some(number)

    assert server.requests == []


def test_a_gateway_that_is_switched_off_is_told_nothing(world, gateway):
    with provider(well) as server:
        made = gateway("mailgun", server)
        made.switched_off_at = timezone.now()
        made.save()
        leave(world)
        tell()

    assert server.requests == []


def test_many_are_told_in_few_requests(world, gateway):
    with provider(well) as server:
        gateway("postmark", server)
        people = [make.contact(world.acme, email=f"p{n}@devries.example") for n in range(120)]
        for person in people:
            leave(world, parse(person.email))
        tell()

    told = [p["EmailAddress"] for r in server.requests for p in r.json()["Suppressions"]]
    assert sorted(told) == sorted(person.email for person in people)
    assert len(server.requests) <= 6


def test_the_worker_s_sweep_finds_what_is_to_be_told(world, gateway, monkeypatch):
    asked_for = []
    monkeypatch.setattr(sweeps, "wake", asked_for.append)
    with provider(well) as server:
        gateway("mailgun", server)
        leave(world)
        sweeps.sweep()

    assert telling.TASK in asked_for
