"""A pause and a left topic keep marketing away: at the launch, at the last look and at the gate."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from addressbook import consent, preferences
from addressbook.models import Group
from api import suppressions
from api.models import ApiKey
from campaigns import audience, dispatch, elsewhere, gate
from campaigns.insights import figures
from campaigns.models import Campaign
from lib.keys import digest_key
from messaging.addresses import parse
from messaging.models import HandsetMessage, Message
from tests import make
from tests.world import PHONE


def launched(world, *groups):
    campaign = make.campaign(world.acme, *(groups or [world.customers]))
    campaign.launch()
    audience.build(campaign)
    return campaign


def act(company, **facts):
    return preferences.Act(company=company, address=parse(PHONE), source="landing", **facts)


def pause(world):
    return preferences.pause(act(world.acme), days=30)


@pytest.fixture
def topic(world):
    Group.objects.of(world.acme).filter(pk=world.customers.pk).update(topic="News")
    return world.customers


def counts(campaign):
    return Campaign.objects.of(campaign.company_id).get(pk=campaign.pk).counts()


def received(company):
    return HandsetMessage.objects.of(company).count()


def message(world):
    return Message.objects.of(world.acme).values_list("status", "error").get()


# A pause -----------------------------------------------------------------------


def test_who_has_paused_is_left_out_of_an_audience_and_counted(world):
    pause(world)
    campaign = launched(world)
    dispatch.run(category="marketing")

    assert received(world.acme) == 0
    assert (campaign.in_groups, campaign.left_out_paused, counts(campaign)["audience"]) == (1, 1, 0)


def test_the_preview_says_so_before(world):
    make.contact(world.acme, "+31687654321", group=world.customers)
    pause(world)
    reach = audience.reach(make.campaign(world.acme, world.customers))

    assert (reach.all, reach.left_out["paused"], reach.reached) == (2, 1, 1)
    assert [row["recipients"] for row in reach.countries] == [1]


def test_who_pauses_between_claim_and_last_look_is_not_written_to(world):
    campaign = launched(world)
    worker = uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="marketing")

    pause(world)
    dispatch.hand_over(batch, worker=worker)

    assert received(world.acme) == 0
    assert message(world) == ("suppressed", "paused")
    assert (counts(campaign)["audience"], counts(campaign)["suppressed"]) == (1, 1)


def test_who_undoes_the_pause_in_time_is_written_to(world):
    launched(world)
    pause(world)
    preferences.end_pause(act(world.acme))
    dispatch.run(category="marketing")

    assert received(world.acme) == 1


def test_after_the_pause_marketing_comes_again(world):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT consent_event('pause', %s, 'landing', 'sms', %s, '',"
            " NULL, jsonb_build_object('reason', 'pause:30', 'occurred_at', %s::timestamptz), '{}')",
            [world.acme.pk, parse(PHONE).digest(digest_key()), timezone.now() - timedelta(days=31)],
        )
    launched(world)
    dispatch.run(category="marketing")

    assert received(world.acme) == 1


def test_an_opt_out_during_a_pause_is_what_is_shown(world):
    launched(world)
    pause(world)
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")

    assert message(world) == ("suppressed", "")


def test_a_pause_at_acme_changes_nothing_at_rival(world):
    pause(world)
    campaign = make.campaign(world.rival, world.rivals_customers)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")

    assert received(world.rival) == 1


def test_transactional_messages_pass(world):
    pause(world)
    gate.send(company=world.acme, to=parse(PHONE), body="Your code is 123", category="transactional")
    dispatch.run(category="transactional")

    assert received(world.acme) == 1


def test_a_single_marketing_message_is_refused(world):
    pause(world)

    with pytest.raises(gate.Paused):
        gate.send(company=world.acme, to=parse(PHONE), body="Sale", category="marketing")


def test_the_gate_for_other_systems_says_why_not(world):
    pause(world)
    campaign = elsewhere.campaign_named("June", company=world.acme, channel="sms")
    (answer,) = elsewhere.hand_out(company=world.acme, to=[parse(PHONE)], text="Sale", channel="sms", campaign=campaign)

    assert (answer.allowed, answer.why) == (False, "paused")
    assert counts(campaign)["audience"] == 0


def test_a_check_of_addresses_says_that_nothing_may_go_there_and_until_when(world):
    assert suppressions.check([PHONE], company=world.acme, default_country="")[0]["status"] == "reachable"
    pause(world)
    one, other = suppressions.check([PHONE, "+31687654321"], company=world.acme, default_country="")

    assert (one["status"], other["status"]) == ("suppressed", "reachable")
    assert one["detail"].startswith("Paused by the person until 20")


def test_the_api_refuses_a_single_message_as_to_a_suppressed_address(world, client):
    pause(world)
    _key, text = ApiKey.issue(company=world.acme, name="k", scopes=["send"])
    answer = client.post(
        "/api/v1/messages",
        {"to": PHONE, "body": "Sale", "category": "marketing"},
        content_type="application/json",
        headers={"authorization": f"Bearer {text}"},
    )

    assert answer.status_code == 409
    assert answer.json()["type"].endswith("/suppressed")
    assert "paused" in answer.json()["detail"]


# Topics --------------------------------------------------------------------------


def test_who_left_a_topic_is_not_in_its_audience(world, topic):
    preferences.leave(act(world.acme), topics=[topic])
    campaign = launched(world)

    assert counts(campaign)["audience"] == 0


def test_who_leaves_a_topic_while_queued_is_not_written_to(world, topic):
    campaign = launched(world)
    preferences.leave(act(world.acme), topics=[topic])
    dispatch.run(category="marketing")

    assert received(world.acme) == 0
    assert message(world) == ("suppressed", "topic left")
    assert (counts(campaign)["audience"], counts(campaign)["suppressed"]) == (1, 1)


def test_who_is_meant_by_another_group_too_is_written_to(world, topic):
    other = make.group(world.acme, "Everybody")
    world.contact.memberships.model.objects.create(company=world.acme, group=other, contact=world.contact)
    launched(world, topic, other)
    preferences.leave(act(world.acme), topics=[topic])
    dispatch.run(category="marketing")

    assert received(world.acme) == 1


def test_a_left_topic_leaves_campaigns_to_other_groups_alone(world, topic):
    other = make.group(world.acme, "Everybody")
    world.contact.memberships.model.objects.create(company=world.acme, group=other, contact=world.contact)
    preferences.leave(act(world.acme), topics=[topic])
    launched(world, other)
    dispatch.run(category="marketing")

    assert received(world.acme) == 1


# What the pages say --------------------------------------------------------------


def test_a_campaign_counts_who_paused_instead_of_leaving(world, topic):
    campaign = launched(world)
    preferences.pause(act(world.acme, campaign_id=campaign.pk), days=30)
    preferences.leave(act(world.acme, campaign_id=campaign.pk), topics=[topic])
    found = figures.campaign_figures(campaign)
    assert (found["paused"], found["topics_left"], found["opt_outs"]) == (1, 1, 0)

    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    assert figures.campaign_figures(campaign)["paused"] == 0


def test_the_contacts_page_says_until_when_and_what_was_left(client, world, topic):
    launched(world)
    pause(world)
    preferences.leave(act(world.acme), topics=[topic])
    dispatch.run(category="marketing")
    client.force_login(world.viewer.user)
    said = client.get(reverse("addressbook:contact", args=[world.contact.pk])).content.decode()

    until = timezone.now() + timedelta(days=30)
    assert f"SMS paused until {until.day} " in said
    assert "Topics left" in said
    assert "Paused SMS for 30 days by the opt-out link" in said
    assert "held back: paused" in said


def test_the_pauses_have_a_list_of_their_own(client, world):
    pause(world)
    client.force_login(world.viewer.user)
    said = client.get(reverse("addressbook:pauses")).content.decode()

    assert "+31 6 12345678" in said
    assert client.get(reverse("addressbook:pauses") + "?after=99999999999999999999").status_code == 404
    client.force_login(world.stranger.user)
    assert "12345678" not in client.get(reverse("addressbook:pauses")).content.decode()


def test_the_owner_decides_whether_pauses_and_topics_are_offered(client, world):
    client.force_login(world.owner.user)
    page = reverse("accounts:settings")
    form = client.get(page).context["form"]
    filled = {name: form[name].value() or "" for name in form.fields} | {"offers_pause": "on", "offers_topics": "on"}
    client.post(page, filled)
    world.acme.refresh_from_db()

    assert (world.acme.offers_pause, world.acme.offers_topics) == (True, True)


def test_a_group_gets_its_name_on_the_opt_out_page(client, world):
    client.force_login(world.marketer.user)
    page = reverse("addressbook:group-rename", args=[world.customers.pk])
    refused = client.post(page, {"name": "Customers", "topic": "News", "topic_texts": "Nieuws"})
    client.post(page, {"name": "Customers", "topic": "News", "topic_texts": "nl: Nieuws\n\nde: Neues"})

    assert refused.status_code == 422
    group = Group.objects.of(world.acme).get(pk=world.customers.pk)
    assert (group.topic, group.topic_texts) == ("News", {"nl": "Nieuws", "de": "Neues"})
