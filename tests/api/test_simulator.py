from __future__ import annotations

from campaigns import dispatch
from messaging.models import Gateway, Sender
from tests.api.program import codes, problem
from tests.world import PHONE


def test_a_handset_answers_stop_and_is_out(acme, world):
    Sender.objects.create(company=world.acme, value="3636", kind="short_code", country="NL")
    sent = acme.post("/messages", {"to": PHONE, "body": "Sale", "category": "marketing"}).json()
    dispatch.send_due(category="marketing")
    assert sent["method"] == "reply"

    response = acme.post("/simulator/replies", {"from": PHONE, "to": "3636", "text": "Stop!"})

    assert response.status_code == 201
    assert response.json()["meaning"] == "opt_out"
    (event,) = acme.get("/events", address=PHONE).json()["items"]
    assert (event["type"], event["source"], event["message"]) == ("opt_out", "reply", sent["id"])


def test_a_company_without_the_simulator_has_no_handsets(acme, world):
    Gateway.objects.of(world.acme).update(kind="nothing")

    problem(acme.get("/simulator/messages"), 409, "no-simulator")
    problem(acme.post("/simulator/replies", {"from": PHONE, "to": "3636", "text": "STOP"}), 409, "no-simulator")


def test_a_handset_has_a_number(acme):
    response = acme.post("/simulator/replies", {"from": "Sanne", "to": "3636", "text": "STOP"})

    assert codes(response) == {"from": "not_a_number"}
