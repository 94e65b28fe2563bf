from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import dispatch
from campaigns.models import Campaign
from messaging.models import Gateway, HandsetMessage
from tests import make
from tests.api.conftest import program_of
from tests.api.program import codes, problem
from tests.world import PHONE

DRAFT = {"name": "Sale", "channel": "sms", "body": "Sale today", "groups": ["Customers"]}
STATUSES = ("suppressed", "queued", "deferred", "sent", "delivered", "failed", "unknown", "cancelled")


def send_all() -> None:
    """What the worker does."""
    dispatch.sweep()
    dispatch.send_due(category="marketing")


def adds_up(counts) -> bool:
    return counts["audience"] == sum(counts[status] for status in STATUSES)


@pytest.fixture
def draft(acme) -> dict:
    return acme.post("/campaigns", DRAFT).json()


def test_a_campaign_begins_as_a_draft(acme):
    response = acme.post("/campaigns", {**DRAFT, "sender": "Acme", "exclude_groups": []})

    assert response.status_code == 201
    campaign = response.json()
    assert campaign["status"] == "draft"
    assert campaign["groups"] == ["Customers"]
    assert campaign["counts"] == dict.fromkeys(("audience", *STATUSES, "opt_outs"), 0)
    assert not HandsetMessage.objects.across_companies().exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"groups": ["Nobody"]}, {"groups[0]": "unknown_group"}),
        ({"groups": []}, {"groups": "too_few"}),
        ({"exclude_groups": ["Nobody"]}, {"exclude_groups[0]": "unknown_group"}),
        ({"body": "Hi {nickname}"}, {"body": "unknown_merge_field"}),
        ({"body": "   "}, {"body": "required"}),
        ({"channel": "email"}, {"subject": "required"}),
        ({"channel": "fax"}, {"channel": "not_a_choice"}),
        ({"opt_out_text": "Bye"}, {"opt_out_text": "missing_placeholder"}),
        ({"scheduled_at": "2020-01-01T00:00:00Z"}, {"scheduled_at": "in_the_past"}),
        ({"sender": "Much too long a name"}, {"sender": "not_a_sender"}),
        ({"sender": "Ac\nme"}, {"sender": "control_character"}),
        ({"status": "sent"}, {"status": "unknown_field"}),
    ],
)
def test_what_could_not_be_sent_is_refused_when_it_is_written(acme, world, change, expected):
    assert codes(acme.post("/campaigns", {**DRAFT, **change})) == expected
    assert not Campaign.objects.of(world.acme).exists()


def test_a_draft_can_be_changed(acme, draft, world):
    make.group(world.acme, "Others")

    changed = acme.patch(f"/campaigns/{draft['id']}", {"body": "Sale!", "groups": ["Others"], "sender": "Acme"}).json()

    assert (changed["body"], changed["groups"], changed["sender"]) == ("Sale!", ["Others"], "Acme")
    assert changed["name"] == "Sale"


def test_a_draft_cannot_lose_what_it_needs(acme, draft):
    path = f"/campaigns/{draft['id']}"

    assert codes(acme.patch(path, {"body": None})) == {"body": "required"}
    assert codes(acme.patch(path, {"groups": []})) == {"groups": "required"}
    assert acme.get(path).json()["body"] == "Sale today"


def test_a_launched_campaign_cannot_be_changed(acme, draft):
    path = f"/campaigns/{draft['id']}"
    acme.post(f"{path}/launch")

    problem(acme.patch(path, {"body": "Other"}), 409, "wrong-state")


def test_the_preview_shows_each_destinations_text_and_who_is_left_out(acme, draft, world):
    make.contact(world.acme, "+33612345678", group=world.customers)
    make.contact(world.acme, "+33612345679", group=world.customers)
    make.contact(world.acme, email="only@mail.example", group=world.customers)
    acme.post("/suppressions", {"address": PHONE})

    shown = acme.post(f"/campaigns/{draft['id']}/preview").json()

    (france,) = shown["items"]
    assert (france["country"], france["recipients"], france["method"]) == ("FR", 2, "link")
    assert france["text"].startswith("Sale today\n")
    assert (france["encoding"], france["segments"]) == ("GSM-7", 1)
    assert france["characters"] == len(france["text"])
    assert (shown["audience"], shown["suppressed"], shown["no_address"]) == (3, 1, 1)


def test_launching_sends_to_who_is_not_suppressed_and_counts_add_up(acme, draft, world):
    make.contact(world.acme, "+33612345678", group=world.customers)
    acme.post("/suppressions", {"address": PHONE})

    response = acme.post(f"/campaigns/{draft['id']}/launch")
    assert response.status_code == 202
    assert response.json()["status"] == "sending"
    send_all()

    campaign = acme.get(f"/campaigns/{draft['id']}").json()
    assert campaign["status"] == "sent"
    assert campaign["counts"]["audience"] == 2
    assert (campaign["counts"]["delivered"], campaign["counts"]["suppressed"]) == (1, 1)
    assert adds_up(campaign["counts"])
    assert [m["to"] for m in acme.get("/simulator/messages").json()["items"]] == ["+33612345678"]


def test_launching_twice_is_no_error_and_sends_once(acme, draft):
    path = f"/campaigns/{draft['id']}/launch"

    assert [acme.post(path).status_code for _ in range(2)] == [202, 202]
    send_all()
    assert acme.post(path).json()["status"] == "sent"
    send_all()

    assert len(acme.get("/simulator/messages").json()["items"]) == 1


def test_a_scheduled_campaign_waits(acme):
    at = (timezone.now() + timedelta(days=1)).isoformat()
    campaign = acme.post("/campaigns", {**DRAFT, "scheduled_at": at}).json()

    assert acme.post(f"/campaigns/{campaign['id']}/launch").json()["status"] == "scheduled"
    send_all()

    assert acme.get("/simulator/messages").json()["items"] == []


def test_pause_resume_and_cancel(acme, draft):
    path = f"/campaigns/{draft['id']}"
    problem(acme.post(f"{path}/pause"), 409, "wrong-state")
    acme.post(f"{path}/launch")
    dispatch.build_due()

    assert acme.post(f"{path}/pause").json()["status"] == "paused"
    assert acme.post(f"{path}/resume").json()["status"] == "sending"
    cancelled = acme.post(f"{path}/cancel")

    assert cancelled.status_code == 202
    assert cancelled.json()["status"] == "cancelled"
    assert cancelled.json()["counts"]["cancelled"] == 1
    assert adds_up(cancelled.json()["counts"])
    problem(acme.post(f"{path}/launch"), 409, "wrong-state")


def test_launching_without_a_gateway_is_refused(acme, draft, world):
    Gateway.objects.of(world.acme).delete()

    problem(acme.post(f"/campaigns/{draft['id']}/launch"), 409, "no-gateway")
    assert acme.get(f"/campaigns/{draft['id']}").json()["status"] == "draft"


def test_the_messages_of_a_campaign_have_their_text_and_link(acme, draft):
    acme.post(f"/campaigns/{draft['id']}/launch")
    send_all()

    (message,) = acme.get(f"/campaigns/{draft['id']}/messages").json()["items"]

    assert (message["to"], message["category"], message["status"]) == (PHONE, "marketing", "delivered")
    assert (message["encoding"], message["segments"], message["method"]) == ("GSM-7", 1, "link")
    assert message["link"].rpartition("/")[2] in message["text"]
    assert message["sent_at"]
    assert acme.get(f"/messages/{message['id']}").json() == message


def test_messages_are_filtered_by_status_and_address(acme, draft, world):
    make.contact(world.acme, "+33612345678", group=world.customers)
    acme.post(f"/campaigns/{draft['id']}/launch")
    send_all()
    path = f"/campaigns/{draft['id']}/messages"

    assert [m["to"] for m in acme.get(path, to="+33 612345678").json()["items"]] == ["+33612345678"]
    assert acme.get(path, status="queued").json()["items"] == []
    assert codes(acme.get(path, status="lost")) == {"status": "not_a_choice"}


def test_campaigns_are_listed_newest_first(acme, draft):
    newer = acme.post("/campaigns", {**DRAFT, "name": "Newer"}).json()

    assert [c["id"] for c in acme.get("/campaigns").json()["items"]] == [newer["id"], draft["id"]]
    assert [c["id"] for c in acme.get("/campaigns", name="Sale").json()["items"]] == [draft["id"]]
    assert acme.get("/campaigns", status="sent").json()["items"] == []


def test_a_list_of_campaigns_takes_few_queries(acme, django_assert_max_num_queries):
    for _ in range(5):
        acme.post("/campaigns", DRAFT)

    with django_assert_max_num_queries(7):
        acme.get("/campaigns")


def test_launching_needs_the_scope_send(world, draft):
    writer = program_of(world.acme, "read", "write")

    problem(writer.post(f"/campaigns/{draft['id']}/launch"), 403, "missing-scope")
    assert Campaign.objects.of(world.acme).get().is_draft


def test_an_opt_out_by_link_is_counted_for_its_campaign(acme, draft, world):
    acme.post(f"/campaigns/{draft['id']}/launch")
    send_all()
    (message,) = acme.get(f"/campaigns/{draft['id']}/messages").json()["items"]

    path = "/" + message["link"].rpartition("/")[2]
    assert acme.client.post(path, {"phone": PHONE, "reason": "too_many"}).status_code == 303

    assert acme.get(f"/campaigns/{draft['id']}").json()["counts"]["opt_outs"] == 1
    figures = acme.get(f"/campaigns/{draft['id']}/insights").json()
    assert (figures["sent"], figures["delivered"], figures["opt_outs"]) == (1, 1, 1)
    assert figures["by_method"]["link"] == 1
    assert figures["by_country"] == {"NL": 1}
    (event,) = acme.get("/events", address=PHONE).json()["items"]
    assert (event["campaign"], event["message"], event["source"]) == (draft["id"], message["id"], "landing")


def test_a_campaign_may_speak_as_another_sender_in_a_country(acme):
    campaign = acme.post("/campaigns", {**DRAFT, "sender": "Acme", "senders": {"FR": "36179"}}).json()

    assert campaign["senders"] == {"FR": "36179"}
    assert acme.patch(f"/campaigns/{campaign['id']}", {"senders": None}).json()["senders"] == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"senders": {"fr": "Acme"}}, "senders.fr"),
        ({"senders": {"FR": "a name of more than eleven"}}, "senders.FR"),
        ({"senders": {"FR": "Acme"}, "channel": "email", "subject": "Sale"}, "senders"),
        ({"exclude_campaigns": [2**62]}, "exclude_campaigns[0]"),
        ({"not_messaged_days": 0}, "not_messaged_days"),
    ],
)
def test_an_impossible_sender_or_exclusion_is_named(acme, changes, field):
    response = acme.post("/campaigns", {**DRAFT, **changes})

    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field


def test_rival_s_campaign_is_unknown(acme, world):
    foreign = make.campaign(world.rival, world.rivals_customers)

    assert acme.post("/campaigns", {**DRAFT, "exclude_campaigns": [foreign.pk]}).status_code == 422


def test_who_is_left_out_is_told_by_reason_before_and_after(acme, world):
    make.contact(world.acme, "+31201234567", group=world.customers)
    first = acme.post("/campaigns", DRAFT).json()
    acme.post(f"/campaigns/{first['id']}/launch")
    send_all()
    second = acme.post("/campaigns", {**DRAFT, "exclude_campaigns": [first["id"]], "not_messaged_days": 7}).json()
    preview = acme.post(f"/campaigns/{second['id']}/preview").json()

    first = acme.get(f"/campaigns/{first['id']}").json()

    assert (first["in_groups"], first["audience"], first["left_out"]["landline"]) == (2, 1, 1)
    assert (preview["in_groups"], preview["reached"]) == (2, 0)
    assert (preview["left_out"]["received"], preview["left_out"]["landline"]) == (1, 1)
    assert adds_up(first)
