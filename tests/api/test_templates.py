"""Transactional messages from templates."""

from __future__ import annotations

import pytest

from addressbook.models import Suppression
from campaigns.models import TransactionalTemplate
from campaigns.transactional import MOST_TEMPLATES
from messaging.models import Message
from tests.api.program import codes, problem
from tests.world import PHONE

PARCEL = {"to": PHONE, "category": "transactional", "template": "parcel", "values": {"order": 17, "link": "acme.nl/17"}}
FILLED = "Hi there, order 17 is on its way: acme.nl/17"


def written(body: str, **fields) -> dict:
    return {"to": PHONE, "category": "transactional", "body": body, **fields}


@pytest.fixture
def parcel(world) -> TransactionalTemplate:
    return TransactionalTemplate.objects.create(
        company=world.acme,
        name="parcel",
        subject="Order {order}",
        body="Hi {name|there}, order {order} is on its way: {link}",
        linking=["link"],
    )


@pytest.fixture
def required(world, parcel):
    world.acme.templates_required = True
    world.acme.save()


def test_a_template_is_filled_and_sent(acme, parcel):
    answer = acme.post("/messages", PARCEL)
    assert answer.status_code == 202, answer.content
    assert (answer.json()["text"], answer.json()["method"], answer.json()["warning"]) == (FILLED, "", None)


def test_by_email_the_subject_is_the_template_s(acme, parcel):
    message = acme.post("/messages", {**PARCEL, "to": "sanne@devries.example"}).json()
    assert (message["subject"], message["text"]) == ("Order 17", FILLED)


def test_values_that_are_missing_or_unknown_are_named(acme, parcel):
    assert codes(acme.post("/messages", {**PARCEL, "values": {"order": 17}})) == {"values.link": "required"}
    assert codes(acme.post("/messages", {**PARCEL, "values": {}})) == {
        "values.order": "required",
        "values.link": "required",
    }
    wrong = acme.post("/messages", {**PARCEL, "values": {**PARCEL["values"], "code": "1"}})
    assert codes(wrong) == {"values.code": "unknown_placeholder"}
    assert "name, link" in wrong.json()["detail"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x" * 201, "too_long"),
        ("1\n2", "control_character"),
        ("https://sale.example", "link"),
        (" ", "required"),
        (1.5, "wrong_type"),
        (True, "wrong_type"),
        (None, "wrong_type"),
        ({"a": 1}, "wrong_type"),
        ("\u0000", "not_text"),
        ("\ud800", "not_text"),
    ],
)
def test_a_value_that_cannot_be_is_refused(acme, parcel, value, code):
    body = {**PARCEL, "values": {**PARCEL["values"], "order": value}}
    assert codes(acme.post("/messages", body)) == {"values.order": code}


def test_a_template_comes_without_a_text_of_one_s_own(acme, parcel):
    both = acme.post("/messages", {**PARCEL, "body": "Hi", "subject": "Hi"})
    assert codes(both) == {"body": "comes_from_template", "subject": "comes_from_template"}
    assert codes(acme.post("/messages", written("Hi", values={}))) == {"values": "no_template"}
    assert codes(acme.post("/messages", {"to": PHONE, "category": "transactional"})) == {"body": "required"}


def test_a_template_is_not_for_marketing(acme, parcel):
    assert codes(acme.post("/messages", {**PARCEL, "category": "marketing"})) == {"template": "not_for_marketing"}


def test_a_template_of_the_other_channel_is_refused(acme, parcel):
    TransactionalTemplate.objects.of(parcel.company).update(channel="email")
    assert codes(acme.post("/messages", PARCEL)) == {"template": "other_channel"}


def test_by_email_a_template_without_a_subject_is_refused(acme, parcel):
    TransactionalTemplate.objects.of(parcel.company).update(subject="")
    mail = {**PARCEL, "to": "a@b.example"}
    assert codes(acme.post("/messages", mail)) == {"template": "no_subject"}


def test_another_company_s_template_is_not_there(acme, rival, parcel):
    assert codes(rival.post("/messages", PARCEL)) == {"template": "unknown_template"}


def test_a_repeated_request_sends_once_though_the_template_changed(acme, parcel):
    first = acme.post("/messages", PARCEL, key="k")
    parcel.delete()
    assert acme.post("/messages", PARCEL, key="k").json() == first.json()
    assert Message.objects.of(parcel.company).count() == 1


def test_the_warning_is_about_the_filled_text(acme, parcel):
    answer = acme.post("/messages", {**PARCEL, "values": {"order": "sale today", "link": "x"}})
    assert "“sale”" in answer.json()["warning"]


def test_without_the_switch_any_text_passes(acme, parcel):
    assert acme.post("/messages", written("Your code is 1234")).status_code == 202


def test_with_the_switch_a_text_of_one_s_own_is_refused_with_what_to_do(acme, required, world):
    found = problem(acme.post("/messages", written("Your code is 1234")), 422, "template-required")
    assert "`template`" in found["detail"]
    assert found["errors"][0]["field"] == "body"
    assert not Message.objects.of(world.acme).exists()


def test_what_was_refused_is_sent_with_the_same_key_once_there_is_a_template(acme, required, world):
    problem(acme.post("/messages", written("Your code is 1234"), key="k"), 422, "template-required")
    TransactionalTemplate.objects.create(company=world.acme, name="code", body="Your code is {code}")
    assert acme.post("/messages", written("Your code is 1234"), key="k").status_code == 202


def test_with_the_switch_a_named_template_and_a_text_that_equals_one_pass(acme, required):
    assert acme.post("/messages", PARCEL).status_code == 202
    assert acme.post("/messages", written(FILLED)).status_code == 202


def test_with_the_switch_by_email_the_subject_must_fit_too(acme, required):
    mail = written(FILLED, to="sanne@devries.example")
    assert acme.post("/messages", {**mail, "subject": "Order 17"}).status_code == 202
    problem(acme.post("/messages", {**mail, "subject": "Sale!"}), 422, "template-required")


def test_with_the_switch_a_link_in_another_place_is_refused(acme, required):
    problem(
        acme.post("/messages", written("Hi sale.example, order 17 is on its way: acme.nl/17")), 422, "template-required"
    )


def test_with_the_switch_another_company_s_templates_do_not_count(acme, required, world):
    TransactionalTemplate.objects.create(company=world.rival, name="code", body="Your code is {code}")
    problem(acme.post("/messages", written("Your code is 1234")), 422, "template-required")


def test_the_switch_is_one_company_s(rival, required):
    assert rival.post("/messages", written("Your code is 1234")).status_code == 202


def test_the_switch_does_not_touch_marketing(acme, required):
    assert acme.post("/messages", written("Half price today", category="marketing")).status_code == 202


def test_with_the_switch_who_has_opted_out_still_gets_it(acme, required, world):
    acme.post("/suppressions", {"address": PHONE})
    assert Suppression.objects.of(world.acme).exists()
    assert acme.post("/messages", PARCEL).status_code == 202


def test_as_many_templates_as_possible_are_looked_through(acme, required, world):
    TransactionalTemplate.objects.bulk_create(
        TransactionalTemplate(company=world.acme, name=f"t{n}", body=f"Your code {n} is {{a}} and {{b}}")
        for n in range(MOST_TEMPLATES)
    )
    assert acme.post("/messages", written(f"Your code {MOST_TEMPLATES - 1} is 12 and 34")).status_code == 202
