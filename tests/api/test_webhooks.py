from __future__ import annotations

import pytest
from standardwebhooks.webhooks import Webhook

from api.models import IdempotencyKey
from lib.keys import unseal
from tests.api.conftest import program_of
from tests.api.program import codes, fields, problem
from tests.webhooks.receiver import deliver
from webhooks import posting
from webhooks.models import EVENTS, MOST_ENDPOINTS, Delivery, Endpoint

URL = "https://8.8.8.8/hook"
BODY = {"url": URL, "events": list(EVENTS)}


def test_a_webhook_is_made_with_a_secret_that_the_official_package_takes(acme, world):
    made = acme.post("/webhooks", BODY)

    assert made.status_code == 201
    webhook = made.json()
    assert {"id", "url", "events", "secret", "created_at", "disabled_at"} <= set(webhook)
    assert (webhook["url"], webhook["events"]) == (URL, list(EVENTS))
    signature = posting.sign(webhook["secret"], webhook_id="evt_1", at=2_000_000_000, body=b"{}")
    assert Webhook(webhook["secret"]).sign("evt_1", _time(2_000_000_000), "{}") == signature


def _time(seconds):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC)


def test_the_secret_is_kept_encrypted_and_shown_nowhere_else(acme, world):
    webhook = acme.post("/webhooks", BODY, key="one").json()
    endpoint = Endpoint.objects.of(world.acme).get()

    assert unseal(endpoint.sealed_secret) == webhook["secret"]
    assert webhook["secret"].encode() not in bytes(endpoint.sealed_secret)
    assert "secret" not in acme.get(f"/webhooks/{webhook['id']}").json()
    assert "secret" not in acme.get("/webhooks").json()["items"][0]
    assert webhook["secret"] not in str(IdempotencyKey.objects.of(world.acme).get().body)


@pytest.mark.parametrize("call", ["/webhooks", "/webhooks/{}/rotate"])
def test_a_replayed_answer_is_without_the_secret(acme, world, call):
    endpoint, _secret = Endpoint.issue(company=world.acme, url=URL, events=["reply.received"])
    path, body = call.format(endpoint.pk), BODY if call == "/webhooks" else None
    first, again = (acme.post(path, body, key="one") for _ in range(2))

    told = first.json()
    assert told.pop("secret").startswith("whsec_")
    assert (again.status_code, again["Idempotency-Replayed"]) == (first.status_code, "true")
    assert again.json() == told


def test_rotating_makes_another_secret(acme):
    webhook = acme.post("/webhooks", BODY).json()
    rotated = acme.post(f"/webhooks/{webhook['id']}/rotate").json()

    assert rotated["id"] == webhook["id"]
    assert rotated["secret"] != webhook["secret"]


@pytest.mark.parametrize("by_query", [True, False])
def test_a_deleted_webhook_is_gone(acme, by_query):
    webhook = acme.post("/webhooks", BODY).json()["id"]
    path = f"/webhooks?id={webhook}" if by_query else f"/webhooks/{webhook}"

    assert acme.delete(path).status_code == 204
    assert acme.get("/webhooks").json() == {"items": [], "next": None}
    problem(acme.get(f"/webhooks/{webhook}"), 404, "not-found")
    problem(acme.delete(path), 404, "not-found")


def test_deleting_names_what_is_deleted(acme):
    acme.post("/webhooks", BODY)

    assert fields(acme.delete("/webhooks")) == ["id"]
    assert len(acme.get("/webhooks").json()["items"]) == 1


def test_webhooks_come_in_pages(acme):
    for n in range(3):
        acme.post("/webhooks", {**BODY, "url": f"{URL}/{n}"})
    first = acme.get("/webhooks", limit=2).json()
    rest = acme.get("/webhooks", limit=2, cursor=first["next"]).json()

    assert [w["url"][-1] for w in first["items"] + rest["items"]] == ["2", "1", "0"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://8.8.8.8/hook", "not_https"),
        ("https://127.0.0.1/hook", "private"),
        ("https://localhost/hook", "private"),
        ("https://user:secret@8.8.8.8/", "not_a_url"),
        ("nonsense", "not_a_url"),
        ("", "too_short"),
        ("https://8.8.8.8/" + "a" * 500, "too_long"),
    ],
)
def test_an_address_that_is_not_allowed_is_refused(acme, url, code):
    assert codes(acme.post("/webhooks", {**BODY, "url": url})) == {"url": code}


@pytest.mark.parametrize(("events", "field"), [([], "events"), (["x"], "events[0]"), ("x", "events"), (None, "events")])
def test_events_are_of_a_closed_list(acme, events, field):
    assert fields(acme.post("/webhooks", {**BODY, "events": events})) == [field]


def test_an_event_that_is_named_twice_is_told_once(acme):
    assert acme.post("/webhooks", {**BODY, "events": ["reply.received"] * 2}).json()["events"] == ["reply.received"]


def test_a_company_has_not_more_webhooks_than_it_can_look_after(acme, world):
    for _ in range(MOST_ENDPOINTS):
        Endpoint.issue(company=world.acme, url=URL, events=["reply.received"])

    problem(acme.post("/webhooks", BODY), 409, "wrong-state")


def test_webhooks_need_the_scope_admin(world):
    program = program_of(world.acme, "read", "write", "send", "lift")

    problem(program.get("/webhooks"), 403, "missing-scope")
    problem(program.post("/webhooks", BODY), 403, "missing-scope")


def test_a_test_event_is_delivered(acme, world, monkeypatch):
    posted = []
    monkeypatch.setattr(
        "webhooks.deliveries.post", lambda url, webhook_id, **rest: posted.append(webhook_id) or posting.Answer(200)
    )
    webhook = acme.post("/webhooks", BODY).json()["id"]
    told = acme.post(f"/webhooks/{webhook}/test")
    deliver()

    assert told.status_code == 202
    assert posted == [told.json()["id"]]


def test_what_is_switched_off_is_switched_on_again(acme, world):
    webhook = acme.post("/webhooks", BODY).json()["id"]
    Endpoint.objects.of(world.acme).update(disabled_at="2026-01-01T00:00:00Z", disabled_why="gone")

    assert acme.get(f"/webhooks/{webhook}").json()["disabled_why"] == "gone"
    problem(acme.post(f"/webhooks/{webhook}/test"), 409, "wrong-state")
    assert acme.post(f"/webhooks/{webhook}/enable").json()["disabled_at"] is None


def test_an_opt_out_over_the_api_is_told(acme, world):
    acme.post("/webhooks", BODY)
    acme.post("/suppressions", {"address": "+31612345678", "channels": ["sms"]})

    assert Delivery.objects.of(world.acme).get().type == "suppression.created"
