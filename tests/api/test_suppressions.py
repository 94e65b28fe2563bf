from __future__ import annotations

import pytest

from accounts.models import Company
from addressbook.models import ConsentEvent, Contact, Suppression
from tests import make
from tests.api.conftest import program_of
from tests.api.program import codes, fields, problem
from tests.world import PHONE

EVIDENCE = {"method": "web form", "text": "Yes, send me offers", "occurred_at": "2026-03-01T09:00:00+01:00"}


def statuses(program, *addresses, **more):
    response = program.post("/suppressions/check", {"addresses": list(addresses), **more})
    return [result["status"] for result in response.json()["results"]]


def test_an_opt_out_is_in_force_when_it_is_answered(acme):
    assert statuses(acme, PHONE) == ["reachable"]

    response = acme.post("/suppressions", {"address": PHONE, "reason": "too_many", "comment": "Please stop"})

    assert response.status_code == 201
    assert response.json()["address"] == PHONE
    assert statuses(acme, PHONE) == ["suppressed"]


def test_opting_out_twice_is_answered_with_200_and_the_first_one(acme):
    first = acme.post("/suppressions", {"address": PHONE})
    second = acme.post("/suppressions", {"address": PHONE})

    assert second.status_code == 200
    assert second.json() == first.json()


def test_an_opt_out_covers_the_contacts_other_address(acme):
    acme.post("/suppressions", {"address": PHONE})

    assert statuses(acme, "sanne@devries.example") == ["suppressed"]


def test_channels_narrow_an_opt_out(acme):
    acme.post("/suppressions", {"address": PHONE, "channels": ["sms"]})

    assert statuses(acme, PHONE, "sanne@devries.example") == ["suppressed", "reachable"]


def test_when_it_happened_is_kept(acme):
    response = acme.post("/suppressions", {"address": PHONE, "occurred_at": "2026-01-02T03:04:05Z"})

    assert response.json()["since"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2999-01-01T00:00:00Z", "not_a_time"),
        ("2100-01-01T00:00:00Z", "in_the_future"),
        ("2026-01-01T00:00:00", "no_time_zone"),
        ("yesterday", "not_a_time"),
        (1700000000, "not_a_time"),
        ("0001-01-01T00:00:00+14:00", "not_a_time"),
    ],
)
def test_an_impossible_time_is_refused(acme, value, code):
    assert codes(acme.post("/suppressions", {"address": PHONE, "occurred_at": value})) == {"occurred_at": code}


def test_an_address_that_is_none_is_refused_with_the_remedy(acme):
    response = acme.post("/suppressions", {"address": "nobody"})

    assert codes(response) == {"address": "not_a_number"}
    assert "+31" in problem(response, 422)["detail"]


def test_the_list_is_newest_first_and_can_be_filtered(acme):
    acme.post("/suppressions", {"address": "+33612345678", "occurred_at": "2026-01-01T00:00:00Z"})
    acme.post("/suppressions", {"address": PHONE, "channels": ["sms"]})
    acme.post("/suppressions", {"address": "a@b.example"})

    def listed(**query):
        return [s["address"] for s in acme.get("/suppressions", **query).json()["items"]]

    assert listed() == ["a@b.example", PHONE, "+33612345678"]
    assert listed(channel="sms") == [PHONE, "+33612345678"]
    assert listed(address="0033 6 12 34 56 78") == ["+33612345678"]


def test_pages_of_the_list_fit_together(acme):
    for n in range(7):
        acme.post("/suppressions", {"address": f"a{n}@b.example", "occurred_at": "2026-01-01T00:00:00Z"})
    whole = [s["id"] for s in acme.get("/suppressions").json()["items"]]

    pages, cursor = [], ""
    while cursor is not None:
        answer = acme.get("/suppressions", limit=3, **({"cursor": cursor} if cursor else {})).json()
        pages.append([s["id"] for s in answer["items"]])
        cursor = answer["next"]

    assert pages == [whole[:3], whole[3:6], whole[6:]]


def test_a_check_answers_in_the_order_given_with_doubles_and_every_writing(acme):
    acme.post("/suppressions", {"address": PHONE})
    asked = ["06 12345678", "nobody", PHONE, "new@example.org", PHONE, "+316 12 34 56 78", "+31", ""]

    results = acme.post("/suppressions/check", {"addresses": asked, "default_country": "nl"}).json()["results"]

    assert [result["input"] for result in results] == asked
    assert [result["status"] for result in results] == [
        "suppressed",
        "invalid",
        "suppressed",
        "reachable",
        "suppressed",
        "suppressed",
        "invalid",
        "invalid",
    ]
    assert results[0]["address"] == PHONE
    assert results[0]["since"]
    assert results[3] == {
        "input": "new@example.org",
        "address": "new@example.org",
        "channel": "email",
        "status": "reachable",
        "since": None,
        "detail": None,
    }


def test_a_check_knows_aliases_of_a_suppressed_number(acme):
    acme.post("/suppressions", {"address": "+5215512345678"})

    assert statuses(acme, "+525512345678", "+5215512345678") == ["suppressed", "suppressed"]


def test_a_number_nobody_can_have_is_invalid_although_it_looks_like_one(acme):
    assert statuses(acme, "+31612345") == ["invalid"]


def test_ten_thousand_addresses_are_checked_with_few_queries(acme, django_assert_max_num_queries):
    addresses = [f"+316{10000000 + n}" for n in range(9_990)] + [f"a{n}@b.example" for n in range(10)]

    with django_assert_max_num_queries(8):
        response = acme.post("/suppressions/check", {"addresses": addresses})

    assert len(response.json()["results"]) == 10_000
    assert codes(acme.post("/suppressions/check", {"addresses": [*addresses, PHONE]})) == {"addresses": "too_many"}


def test_a_suppression_of_rivals_is_not_ours(acme, rival):
    rival.post("/suppressions", {"address": PHONE})

    assert statuses(acme, PHONE) == ["reachable"]
    assert acme.get("/suppressions").json()["items"] == []


def test_an_opt_in_with_evidence_lifts(acme, world):
    acme.post("/suppressions", {"address": PHONE, "occurred_at": "2026-01-02T03:04:05Z"})

    response = acme.post("/opt-ins", {"address": PHONE, "evidence": {**EVIDENCE, "form": "/newsletter"}})

    assert response.status_code == 201
    event = response.json()
    assert (event["type"], event["source"], event["address"]) == ("opt_in", "api", PHONE)
    assert event["evidence"]["text"] == "Yes, send me offers"
    assert event["evidence"]["form"] == "/newsletter"
    assert statuses(acme, PHONE, "sanne@devries.example") == ["reachable", "reachable"]


def test_evidence_from_before_the_opt_out_lifts_nothing(acme):
    acme.post("/suppressions", {"address": PHONE, "occurred_at": "2026-03-01T08:01:01Z"})

    response = acme.post("/opt-ins", {"address": PHONE, "evidence": EVIDENCE})

    assert codes(response) == {"evidence.occurred_at": "older_than_opt_out"}
    assert "older than the opt-out of 2026-03-01T08:01:01Z; a newer consent is needed" in response.json()["detail"]
    assert statuses(acme, PHONE) == ["suppressed"]


@pytest.mark.parametrize("missing", ["method", "text", "occurred_at"])
def test_an_opt_in_without_its_evidence_lifts_nothing(acme, missing):
    acme.post("/suppressions", {"address": PHONE})
    evidence = {name: value for name, value in EVIDENCE.items() if name != missing}

    assert fields(acme.post("/opt-ins", {"address": PHONE, "evidence": evidence})) == [f"evidence.{missing}"]
    assert fields(acme.post("/opt-ins", {"address": PHONE, "evidence": {**evidence, missing: "  "}}))
    assert statuses(acme, PHONE) == ["suppressed"]


def test_an_opt_in_without_any_evidence_is_refused(acme):
    assert codes(acme.post("/opt-ins", {"address": PHONE})) == {"evidence": "required"}
    assert fields(acme.post("/opt-ins", {"address": PHONE, "evidence": {}})) == [
        "evidence.method",
        "evidence.text",
        "evidence.occurred_at",
    ]


def test_lifting_needs_its_own_scope(world):
    program = program_of(world.acme, "read", "write", "send", "admin")

    problem(program.post("/opt-ins", {"address": PHONE, "evidence": EVIDENCE}), 403, "missing-scope")
    assert not ConsentEvent.objects.of(world.acme).exists()


def test_a_company_may_narrow_an_opt_out_to_its_channel(db):
    company = make.company("Narrow", opt_out_scope=Company.Scope.CHANNEL)
    make.contact(company, PHONE, "a@b.example")
    program = program_of(company)

    program.post("/suppressions", {"address": PHONE})

    assert statuses(program, PHONE, "a@b.example") == ["suppressed", "reachable"]
    assert Suppression.objects.of(company).count() == 1
    assert Contact.objects.of(company).count() == 1
