from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from addressbook.models import Contact
from api import idempotency
from api.models import IdempotencyKey
from messaging.models import Message
from tests import make
from tests.api.conftest import program_of
from tests.api.program import Program, codes, problem
from tests.world import PHONE, World

TEXT = {"to": PHONE, "body": "Your parcel is on its way", "category": "transactional"}


def at_once(*calls):
    """Runs the calls in threads that start together; their results in order."""
    results, barrier = [None] * len(calls), threading.Barrier(len(calls))

    def run(n):
        barrier.wait()
        try:
            results[n] = calls[n]()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[n]) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_repeated_post_has_one_effect_and_the_same_answer(acme, world):
    first = acme.post("/messages", TEXT, key="one")
    second = acme.post("/messages", TEXT, key="one")

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Message.objects.of(world.acme).count() == 1


def test_without_a_key_two_posts_are_two(acme, world):
    acme.post("/messages", TEXT)
    acme.post("/messages", TEXT)

    assert Message.objects.of(world.acme).count() == 2


def test_the_same_json_written_in_another_way_is_the_same_body(acme):
    acme.send("POST", "/groups", '{"name":"Shoes"}', headers={"Idempotency-Key": "one"})
    again = acme.send("POST", "/groups", ' { "name" : "\\u0053hoes" } ', headers={"Idempotency-Key": "one"})

    assert again["Idempotency-Replayed"] == "true"
    assert again.status_code == 201


def test_another_body_under_the_same_key_is_refused(acme, world):
    acme.post("/messages", TEXT, key="one")

    response = acme.post("/messages", {**TEXT, "body": "Another"}, key="one")

    problem(response, 422, "idempotency-key-reused")
    assert Message.objects.of(world.acme).count() == 1


def test_another_call_under_the_same_key_is_refused(acme):
    acme.post("/groups", {"name": "Shoes"}, key="one")

    problem(acme.post("/contacts", {"name": "Shoes"}, key="one"), 422, "idempotency-key-reused")


def test_two_companies_may_have_the_same_key(acme, rival):
    assert acme.post("/groups", {"name": "Shoes"}, key="one").status_code == 201
    assert rival.post("/groups", {"name": "Boots"}, key="one").json()["name"] == "Boots"


def test_a_refused_body_may_be_mended_under_the_same_key(acme):
    assert codes(acme.post("/messages", {**TEXT, "to": "+3112"}, key="one")) == {"to": "too_short"}

    assert acme.post("/messages", TEXT, key="one").status_code == 202


def test_a_conflict_is_answered_the_same_again(acme):
    acme.post("/suppressions", {"address": PHONE})
    marketing = {**TEXT, "category": "marketing"}
    problem(acme.post("/messages", marketing, key="one"), 409, "suppressed")
    evidence = {"method": "form", "text": "Yes", "occurred_at": "2026-03-01T09:00:00Z"}
    acme.post("/opt-ins", {"address": PHONE, "evidence": evidence})

    problem(acme.post("/messages", marketing, key="one"), 409, "suppressed")


def test_a_key_cannot_be_used_by_a_program_without_the_scope(acme, world):
    acme.post("/messages", TEXT, key="one")

    problem(program_of(world.acme, "read").post("/messages", TEXT, key="one"), 403)


@pytest.mark.parametrize("key", ["a b", "é", "a" * 201, "\t"])
def test_a_key_that_is_none_is_refused(acme, key):
    response = acme.send("POST", "/groups", {"name": "Shoes"}, headers={"Idempotency-Key": key})

    assert codes(response) == {"Idempotency-Key": "not_a_key"}


def test_launching_again_with_the_key_answers_as_the_first_time(acme, world):
    draft = acme.post(
        "/campaigns", {"name": "Sale", "channel": "sms", "body": "Sale", "groups": ["Customers"]}, key="draft"
    ).json()
    first = acme.post(f"/campaigns/{draft['id']}/launch", key="launch")
    acme.post(f"/campaigns/{draft['id']}/pause")

    again = acme.post(f"/campaigns/{draft['id']}/launch", key="launch")

    assert again.json() == first.json()
    assert again.json()["status"] == "sending"


def test_answers_are_forgotten_after_a_day(acme, world):
    acme.post("/groups", {"name": "Shoes"}, key="old")
    acme.post("/groups", {"name": "Boots"}, key="new")
    IdempotencyKey.objects.of(world.acme).filter(key="old").update(created_at=make.long_ago(timedelta(hours=25)))

    idempotency.forget_old()

    assert IdempotencyKey.objects.of(world.acme).get().key == "new"


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_time_has_one_effect():
    world = World.make()
    programs = [program_of(world.acme) for _ in range(4)]

    responses = at_once(*(lambda p=p: p.post("/messages", TEXT, key="one") for p in programs))

    assert [response.status_code for response in responses] == [202] * 4
    assert len({response.json()["id"] for response in responses}) == 1
    assert Message.objects.of(world.acme).count() == 1
    assert IdempotencyKey.objects.of(world.acme).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_number_at_the_same_time_is_one_contact():
    world = World.make()
    new = "+33612345678"
    programs: list[Program] = [program_of(world.acme) for _ in range(4)]

    responses = at_once(
        *(lambda n=n, p=p: p.post("/contacts", {"phone": new, "groups": [f"G{n}"]}) for n, p in enumerate(programs))
    )

    assert sorted(response.status_code for response in responses) == [200, 200, 200, 201]
    (contact,) = programs[0].get("/contacts", phone=new).json()["items"]
    assert contact["groups"] == ["G0", "G1", "G2", "G3"]
    assert Contact.objects.of(world.acme).filter(phone=new).count() == 1
