"""Nothing of Rival's, by any id, filter or cursor."""

from __future__ import annotations

import pytest

from addressbook.models import Contact, Group
from campaigns import dispatch
from campaigns.models import Campaign
from messaging.models import Message
from tests import make
from tests.api.calls import BODIES, CALLS
from tests.api.program import Program, fields, problem
from tests.world import CANARY, PHONE, World
from webhooks.models import Endpoint


@pytest.fixture
def rivals_ids(world: World, rival: Program) -> dict[str, int]:
    """Rival has one of everything, with the canary in it."""
    campaign = rival.post(
        "/campaigns", {"name": CANARY, "channel": "sms", "body": CANARY, "groups": [CANARY], "sender": "Rival"}
    ).json()
    rival.post(f"/campaigns/{campaign['id']}/launch")
    dispatch.sweep()
    dispatch.send_due(category="marketing")
    rival.post("/contacts", {"email": f"{CANARY}@rival.example", "last_name": CANARY})
    rival.post("/suppressions", {"address": PHONE, "reason": CANARY, "comment": CANARY})
    rival.post("/gate", {"text": CANARY, "recipients": ["+33612345678"], "campaign": f"{CANARY} elsewhere"})
    webhook = rival.post("/webhooks", {"url": f"https://8.8.8.8/{CANARY}", "events": ["reply.received"]}).json()
    message = Message.objects.of(world.rival).first()
    assert message is not None
    return {
        "contacts": world.rivals_contact.pk,
        "campaigns": campaign["id"],
        "messages": message.pk,
        "webhooks": webhook["id"],
    }


WITH_ID = [(method, path) for method, path, _ in CALLS if "/7" in path]


@pytest.mark.parametrize(("method", "path"), WITH_ID)
def test_an_id_of_rivals_is_as_if_it_had_never_been(acme, rivals_ids, method, path):
    body = BODIES.get((method, path))
    foreign = path.replace("/7", f"/{rivals_ids[path.split('/')[1]]}")

    answers = [
        problem(acme.send(method, one, body), 404, "not-found")
        for one in (foreign, path.replace("/7", "/987654321"), path.replace("/7", "/99999999999999999999"))
    ]

    assert answers[0] == answers[1] == answers[2]


def test_an_id_of_rivals_in_a_body_is_a_404(acme, rivals_ids):
    text = {"to": PHONE, "body": "Hi", "category": "marketing", "campaign": rivals_ids["campaigns"]}

    problem(acme.post("/messages", text), 404, "not-found")


def test_nothing_changed_at_rivals(acme, rivals_ids, world):
    def state():
        return (
            list(Contact.objects.of(world.rival).order_by("pk").values_list("pk", "first_name", "phone")),
            list(Campaign.objects.of(world.rival).order_by("pk").values_list("pk", "status", "body", "audience")),
            list(Group.objects.of(world.rival).order_by("pk").values_list("pk", "name")),
            Message.objects.of(world.rival).count(),
            list(Endpoint.objects.of(world.rival).values()),
        )

    before = state()
    for method, path in WITH_ID:
        acme.send(method, path.replace("/7", f"/{rivals_ids[path.split('/')[1]]}"), BODIES.get((method, path)))

    assert state() == before


def test_the_canary_appears_in_no_list_and_no_answer(acme, rivals_ids, world):
    make.campaign(world.acme, world.customers)
    answers = [acme.get(path) for method, path, _ in CALLS if method == "GET" and "/7" not in path]
    answers += [acme.get("/events", campaign=rivals_ids["campaigns"])]
    answers += [acme.get("/contacts", group=CANARY), acme.get("/groups", name=CANARY)]
    answers += [acme.get("/simulator/messages", to=PHONE), acme.get("/contacts", phone=PHONE)]
    answers += [acme.post(path, body) for (method, path), body in BODIES.items() if method == "POST"]

    assert all(answer.status_code < 500 for answer in answers)
    assert [answer.content for answer in answers if CANARY.encode() in answer.content] == []


def test_a_group_of_rivals_cannot_be_named(acme, rivals_ids):
    campaign = {"name": "Sale", "channel": "sms", "body": "Sale", "groups": [CANARY]}

    assert fields(acme.post("/campaigns", campaign)) == ["groups[0]"]


def test_a_group_of_our_own_may_have_the_name_of_rivals(acme, world):
    made = acme.post("/groups", {"name": CANARY})

    assert made.status_code == 201
    assert made.json()["contacts"] == 0


def test_rivals_suppression_neither_shows_nor_stops_ours(acme, rivals_ids):
    (checked,) = acme.post("/suppressions/check", {"addresses": [PHONE]}).json()["results"]

    assert checked["status"] == "reachable"
    assert acme.post("/messages", {"to": PHONE, "body": "Hi", "category": "marketing"}).status_code == 202


def test_a_cursor_of_rivals_is_none_of_ours(acme, rival):
    for program in (acme, rival):
        for n in range(3):
            program.post("/groups", {"name": f"Group {n}"})
    theirs = rival.get("/groups", limit=1).json()["next"]
    ours = acme.get("/groups", limit=1).json()["next"]

    assert acme.get("/groups", limit=1, cursor=ours).status_code == 200
    assert fields(acme.get("/groups", limit=1, cursor=theirs)) == ["cursor"]
