"""Fewer messages instead of none: what a pause and a left topic do, and what they never do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import Company
from addressbook import consent, erasure, grouping, preferences, reasons, seals
from addressbook.models import ConsentEvent, Contact, Group, GroupContact, Pause, Suppression, TopicLeft
from addressbook.upsert import upsert
from lib.keys import digest_key
from messaging.addresses import parse
from tests import make
from tests.world import PHONE

EMAIL = "sanne@devries.example"


@pytest.fixture
def topic(world):
    Group.objects.of(world.acme).filter(pk=world.customers.pk).update(topic="News")
    return Group.objects.of(world.acme).get(pk=world.customers.pk)


def act(company, address=PHONE, **facts):
    return preferences.Act(company=company, address=parse(address), source="landing", **facts)


def kinds(company):
    return list(ConsentEvent.objects.of(company).order_by("pk").values_list("type", "channel", "reason"))


def is_paused(company, address=PHONE):
    to = parse(address)
    return bool(preferences.paused(company, channel=to.channel, digests=[to.digest(digest_key())]))


def settle():
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def is_member(topic):
    return GroupContact.objects.of(topic.company).filter(group=topic).exists()


# A pause ---------------------------------------------------------------------


@pytest.mark.parametrize("days", preferences.DAYS)
def test_a_pause_lasts_the_days_that_were_chosen(world, days):
    assert preferences.pause(act(world.acme), days=days)

    until = Pause.objects.of(world.acme).values_list("until", flat=True)
    said = ConsentEvent.objects.of(world.acme).values_list("occurred_at", flat=True)
    assert [u - s for u, s in zip(until, said, strict=False)] == [timedelta(days=days)] * 2
    assert is_paused(world.acme)


def test_a_pause_covers_what_an_opt_out_would(world):
    preferences.pause(act(world.acme), days=30)

    assert kinds(world.acme) == [("pause", "sms", "pause:30"), ("pause", "email", "pause:30")]
    assert is_paused(world.acme, EMAIL)


def test_where_opt_outs_keep_to_their_channel_pauses_do_too(world):
    Company.objects.filter(pk=world.acme.pk).update(opt_out_scope="channel")
    world.acme.refresh_from_db()
    preferences.pause(act(world.acme), days=30)

    assert not is_paused(world.acme, EMAIL)


def test_a_pause_is_of_one_company(world):
    preferences.pause(act(world.acme), days=30)

    assert not is_paused(world.rival)
    assert not Pause.objects.of(world.rival).exists()


def test_pressed_twice_it_is_one_pause(world):
    for _time in range(2):
        assert preferences.pause(act(world.acme), days=30)

    assert len(kinds(world.acme)) == 2


def test_the_latest_choice_counts(world):
    preferences.pause(act(world.acme), days=90)
    preferences.pause(act(world.acme), days=30)

    assert Pause.objects.of(world.acme).filter(until__lt=timezone.now() + timedelta(days=31)).count() == 2
    assert seals.verify(world.acme) == []


def test_other_lengths_are_refused(world):
    with pytest.raises(ValueError):
        preferences.pause(act(world.acme), days=36500)


def test_a_pause_neither_lifts_nor_shortens_a_suppression(world):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="landing")

    assert not preferences.pause(act(world.acme), days=30)
    assert not preferences.end_pause(act(world.acme))
    assert Suppression.objects.of(world.acme).count() == 2
    assert not Pause.objects.of(world.acme).exists()
    assert seals.verify(world.acme) == []


def test_the_database_refuses_a_pause_beside_an_opt_out(world):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="landing")

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT consent_event('pause', %s, 'landing', 'sms', %s, '', NULL, '{\"reason\": \"pause:30\"}', '{}')",
            [world.acme.pk, parse(PHONE).digest(digest_key())],
        )


def test_an_opt_out_takes_the_place_of_a_pause(world):
    preferences.pause(act(world.acme), days=30)
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")

    assert not Pause.objects.of(world.acme).exists()
    assert Suppression.objects.of(world.acme).count() == 2
    assert seals.verify(world.acme) == []


def test_an_opt_in_ends_a_pause(world):
    preferences.pause(act(world.acme), days=30)
    consent.opt_in(company=world.acme, address=parse(PHONE), source="reply", evidence={"text": "START"})

    assert not Pause.objects.of(world.acme).exists()
    assert seals.verify(world.acme) == []


def test_a_consent_from_before_the_pause_does_not_end_it(world):
    preferences.pause(act(world.acme), days=30)
    earlier = timezone.now() - timedelta(hours=1)
    consent.opt_in(
        company=world.acme, address=parse(PHONE), source="api", evidence={"text": "Form"}, occurred_at=earlier
    )

    assert is_paused(world.acme)
    assert seals.verify(world.acme) == []


def test_a_pause_can_be_taken_back(world):
    preferences.pause(act(world.acme), days=30)
    preferences.end_pause(act(world.acme))

    assert not is_paused(world.acme)
    assert [kind for kind, *_ in kinds(world.acme)] == ["pause", "pause", "pause_end", "pause_end"]
    assert seals.verify(world.acme) == []


def test_a_pause_outlives_erasure_and_covers_who_comes_back(world):
    preferences.pause(act(world.acme), days=90)
    erasure.erase(world.contact, by=world.owner.user)
    upsert(company=world.acme, rows=[{"phone": parse(PHONE)}])

    assert is_paused(world.acme)
    assert seals.verify(world.acme) == []


def test_nothing_but_the_ledger_writes_pauses_and_topics(world, topic):
    preferences.pause(act(world.acme), days=30)
    preferences.leave(act(world.acme), topics=[topic])

    settle()
    for statement in (
        "UPDATE addressbook_pause SET until = until + interval '1 year'",
        "DELETE FROM addressbook_pause",
        "DELETE FROM addressbook_topicleft",
        "TRUNCATE addressbook_pause",
        "TRUNCATE addressbook_topicleft",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("table", "forged", "said"),
    [
        ("pause", "UPDATE addressbook_pause SET until = until + interval '1 day'", "pause"),
        ("pause", "DELETE FROM addressbook_pause", "the pause in line"),
        ("topicleft", "UPDATE addressbook_topicleft SET event_id = 1", "left topic"),
        ("topicleft", "DELETE FROM addressbook_topicleft", "the topic left in line"),
    ],
)
def test_what_does_not_follow_from_the_ledger_is_found(world, topic, table, forged, said):
    preferences.pause(act(world.acme), days=30)
    preferences.leave(act(world.acme), topics=[topic])
    assert seals.verify(world.acme) == []

    settle()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE addressbook_{table} DISABLE TRIGGER USER")
        cursor.execute(forged)
        cursor.execute(f"ALTER TABLE addressbook_{table} ENABLE TRIGGER USER")

    assert len(seals.verify(world.acme)) == 2
    assert said in seals.verify(world.acme)[0]


def test_what_people_choose_is_no_reason_for_leaving(world, topic):
    preferences.pause(act(world.acme), days=30)
    preferences.leave(act(world.acme), topics=[topic])

    assert reasons.given(world.acme.pk) == []


# Topics ----------------------------------------------------------------------


def test_who_leaves_a_topic_leaves_the_group(world, topic):
    assert preferences.leave(act(world.acme), topics=[topic])

    assert not is_member(topic)
    assert Contact.objects.of(world.acme).count() == 1
    assert seals.verify(world.acme) == []


def test_nobody_is_put_back_into_a_topic_that_they_left(world, topic):
    preferences.leave(act(world.acme), topics=[topic])
    other = make.contact(world.acme, "+31687654321")

    rows = [{"phone": parse(PHONE), "groups": [topic.name]}, {"email": parse(EMAIL)}]
    upsert(company=world.acme, rows=rows, groups=[topic])
    grouping.put([world.contact, other], into=topic)

    assert list(grouping.members(topic).values_list("contact_id", flat=True)) == [other.pk]


def test_nor_under_the_other_address_nor_after_erasure(world, topic):
    preferences.leave(act(world.acme), topics=[topic])
    erasure.erase(world.contact, by=world.owner.user)

    upsert(company=world.acme, rows=[{"email": parse(EMAIL)}], groups=[topic])

    assert Contact.objects.of(world.acme).count() == 1
    assert not is_member(topic)
    assert seals.verify(world.acme) == []


def test_a_dynamic_group_leaves_them_out(world):
    topic = Group.objects.create(company=world.acme, name="Dutch", topic="Dutch", conditions={"q": "Sanne"})
    grouping.refresh(world.acme, [topic.pk])
    assert is_member(topic)

    preferences.leave(act(world.acme), topics=[topic])
    grouping.refresh(world.acme, [topic.pk])

    assert not is_member(topic)


def test_a_left_topic_can_be_joined_again_by_who_was_in_it(world, topic):
    preferences.leave(act(world.acme), topics=[topic])
    preferences.come_back(act(world.acme))

    assert is_member(topic)
    assert not TopicLeft.objects.of(world.acme).exists()
    assert seals.verify(world.acme) == []


def test_who_was_not_in_the_group_does_not_get_in_by_coming_back(world):
    topic = make.group(world.acme, "Offers")
    preferences.leave(act(world.acme), topics=[topic])
    preferences.come_back(act(world.acme))

    assert not is_member(topic)


def test_a_deleted_group_takes_its_left_topics_along(world, topic):
    preferences.leave(act(world.acme), topics=[topic])
    topic.delete()

    assert not TopicLeft.objects.of(world.acme).exists()
    assert seals.verify(world.acme) == []


def test_a_topic_of_another_company_cannot_be_left(world):
    with pytest.raises(IntegrityError), transaction.atomic():
        preferences.leave(act(world.acme), topics=[world.rivals_customers])

    assert is_member(world.rivals_customers)
