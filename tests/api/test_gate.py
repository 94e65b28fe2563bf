from __future__ import annotations

import pytest

from messaging.models import HandsetMessage, Message
from tests.api.program import codes
from tests.world import PHONE

OTHER = "+33612345678"


@pytest.fixture
def asked(acme):
    """What the gate answers for a text."""

    def ask(*recipients: str, **more):
        response = acme.post("/gate", {"text": "Sale today", "recipients": list(recipients), **more})
        assert response.status_code == 200, response.content
        return response.json()

    return ask


def test_who_may_be_sent_marketing_gets_the_text_with_its_own_link(asked):
    results = asked(PHONE, OTHER)["results"]

    assert [result["allowed"] for result in results] == [True, True]
    for result in results:
        assert result["text"].startswith("Sale today\n")
        assert result["link"].rpartition("/")[2] in result["text"]
    assert results[0]["link"] != results[1]["link"]


def test_who_opted_out_is_not_allowed_and_gets_no_text(acme, asked):
    acme.post("/suppressions", {"address": PHONE})

    first, second = asked("06 12345678", OTHER, default_country="NL")["results"]

    assert (first["input"], first["address"]) == ("06 12345678", PHONE)
    assert (first["allowed"], first["why"], first["text"], first["message"]) == (False, "suppressed", None, None)
    assert second["allowed"]


def test_invalid_and_double_recipients_are_told(asked):
    results = asked("nobody", PHONE, "+31 6 12345678")["results"]

    assert [result["why"] for result in results] == ["invalid", None, "duplicate"]
    assert results[0]["detail"]


def test_the_gate_itself_sends_nothing(asked):
    asked(PHONE)

    assert not HandsetMessage.objects.across_companies().exists()


def test_the_link_of_a_text_sent_elsewhere_opts_out_and_counts_for_its_campaign(acme, asked):
    answer = asked(PHONE, OTHER, campaign="Elsewhere")

    acme.client.post("/" + answer["results"][0]["link"].rpartition("/")[2], {"phone": PHONE})

    figures = acme.get(f"/campaigns/{answer['campaign']}/insights").json()
    assert (figures["audience"], figures["sent"], figures["opt_outs"]) == (2, 2, 1)
    (result,) = asked(PHONE)["results"]
    assert result["why"] == "suppressed"


def test_a_campaign_is_one_whatever_the_number_of_calls_and_its_counts_add_up(acme, asked):
    acme.post("/suppressions", {"address": "+33612345679"})
    first = asked(PHONE, "+33612345679", campaign="Elsewhere")
    second = asked(PHONE, OTHER, campaign="Elsewhere")

    assert first["campaign"] == second["campaign"]
    assert [r["why"] for r in second["results"]] == ["already_sent", None]
    assert second["results"][0]["text"] == first["results"][0]["text"]
    counts = acme.get(f"/campaigns/{first['campaign']}").json()["counts"]
    assert (counts["audience"], counts["sent"], counts["suppressed"]) == (3, 2, 1)


def test_a_mail_gets_a_link_that_opts_out_by_itself(asked):
    (result,) = asked("sanne@devries.example", channel="email")["results"]

    assert "/e/" in result["link"]
    assert result["link"] in result["text"]


def test_a_thousand_recipients_take_few_queries(asked, world, django_assert_max_num_queries):
    recipients = [f"+316{10000000 + n}" for n in range(1000)]

    with django_assert_max_num_queries(30):
        results = asked(*recipients)["results"]

    assert all(result["allowed"] for result in results)
    assert Message.objects.of(world.acme).count() == 1000


def test_more_than_a_thousand_are_refused(acme):
    response = acme.post("/gate", {"text": "Hi", "recipients": [PHONE] * 1001})

    assert codes(response) == {"recipients": "too_many"}
