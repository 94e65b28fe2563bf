from __future__ import annotations

from tests.api.program import codes
from tests.world import PHONE

EVIDENCE = {"method": "phone call", "text": "Yes please", "occurred_at": "2026-03-01T09:00:00Z"}


def test_the_ledger_is_listed_newest_first_with_its_evidence(acme):
    out = {"address": PHONE, "channels": ["sms"], "reason": "too_many", "comment": "Enough"}
    acme.post("/suppressions", {**out, "occurred_at": "2026-01-02T03:04:05Z"})
    acme.post("/opt-ins", {"address": PHONE, "channels": ["sms"], "evidence": EVIDENCE})

    back, out = acme.get("/events").json()["items"]

    assert (back["type"], out["type"]) == ("opt_in", "opt_out")
    assert (out["reason"], out["comment"], out["source"], out["address"]) == ("too_many", "Enough", "api", PHONE)
    assert back["evidence"]["method"] == "phone call"
    assert back["occurred_at"] == "2026-03-01T09:00:00Z"
    assert back["recorded_at"] > back["occurred_at"]


def test_the_ledger_is_filtered(acme):
    first = acme.post("/suppressions", {"address": PHONE, "channels": ["sms"]}).json()
    acme.post("/suppressions", {"address": "a@b.example"})

    def found(**query):
        return [event["address"] for event in acme.get("/events", **query).json()["items"]]

    assert found(type="opt_out", source="api") == ["a@b.example", PHONE]
    assert found(type="opt_in") == []
    assert found(address="+31 6 12345678") == [PHONE]
    assert found(channel="email") == ["a@b.example"]
    assert found(after=first["event"]) == ["a@b.example"]
    assert found(campaign=1) == []
    assert codes(acme.get("/events", type="everything")) == {"type": "not_a_choice"}
