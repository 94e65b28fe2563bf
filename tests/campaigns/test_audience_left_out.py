"""Everybody in the groups is reached, or left out for one reason that is counted."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations_with_replacement, product

import pytest
from django.db import transaction
from django.utils import timezone

from addressbook import consent
from addressbook.models import Contact, GroupContact
from campaigns import audience, gate, trial
from campaigns.audit import NOBODY
from campaigns.choice import Choice
from campaigns.models import Campaign
from messaging.addresses import Address
from messaging.models import Message
from optout import destinations
from optout.models import DestinationRule
from tests import make

pytestmark = pytest.mark.django_db
LANDLINE = "+31201234567"


@pytest.fixture(autouse=True)
def _fresh_rules(monkeypatch):
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))


def built(campaign: Campaign) -> Campaign:
    campaign.launch()
    audience.build(campaign)
    campaign.refresh_from_db()
    return campaign


def to(campaign: Campaign) -> set[str]:
    return set(Message.objects.of(campaign.company_id).filter(campaign=campaign).values_list("address", flat=True))


def received(company, contact: Contact, *, days_ago: float = 0, **fields) -> Campaign:
    """A campaign that this contact alone has had."""
    group = make.group(company, f"Only {contact.pk} {Campaign.objects.of(company).count()}")
    GroupContact.objects.create(company=company, group=group, contact=contact)
    campaign = built(make.campaign(company, group))
    at = timezone.now() - timedelta(days=days_ago)
    Message.objects.of(company).filter(campaign=campaign).update(**{
        "status": "sent", "created_at": at, "sent_at": at, **fields
    })  # fmt: skip
    Campaign.objects.of(company).filter(pk=campaign.pk).update(status="sent", launched_at=at, finished_at=at)
    return campaign


def cap(company, most: int, *, days: int = 7) -> None:
    company.frequency_cap, company.frequency_days = most, days
    company.save()


# --- landlines


def test_a_landline_gets_no_sms_and_is_counted(world):
    make.contact(world.acme, LANDLINE, group=world.customers)

    campaign = built(make.campaign(world.acme, world.customers))

    assert to(campaign) == {world.contact.phone}
    assert (campaign.audience, campaign.left_out_landline, campaign.in_groups) == (1, 1, 2)


def test_a_landline_s_owner_still_gets_an_email(world):
    make.contact(world.acme, LANDLINE, email="lena@mail.example", group=world.customers)

    assert "lena@mail.example" in to(built(make.campaign(world.acme, world.customers, channel="email", subject="S")))


# --- campaigns that somebody has had


def test_who_had_a_chosen_campaign_is_left_out(world):
    other = make.contact(world.acme, group=world.customers)
    earlier = received(world.acme, other)
    campaign = make.campaign(world.acme, world.customers)
    campaign.exclude_campaigns.set([earlier, received(world.acme, world.contact, status="failed")])

    built(campaign)

    assert to(campaign) == {world.contact.phone}
    assert campaign.left_out_received == 1


@pytest.mark.parametrize("status", ["failed", "suppressed", "cancelled"])
def test_what_did_not_arrive_was_not_received(world, status):
    earlier = received(world.acme, world.contact, status=status)
    campaign = make.campaign(world.acme, world.customers, not_messaged_days=30)
    campaign.exclude_campaigns.set([earlier])

    assert audience.reach(campaign).reached == 1


# --- days without marketing


@pytest.mark.parametrize(("days_ago", "reached"), [(1, 0), (6.9, 0), (7.1, 1)])
def test_who_had_marketing_in_the_last_days_is_left_out(world, days_ago, reached):
    received(world.acme, world.contact, days_ago=days_ago)

    campaign = built(make.campaign(world.acme, world.customers, not_messaged_days=7))

    assert len(to(campaign)) == reached
    assert campaign.left_out_lately == 1 - reached


def test_what_left_late_counts_from_then(world):
    """Built long ago and paused: it is the sending that people notice."""
    campaign = received(world.acme, world.contact, days_ago=30)
    yesterday = timezone.now() - timedelta(days=1)
    Message.objects.of(world.acme).filter(campaign=campaign).update(sent_at=yesterday)
    Campaign.objects.of(world.acme).filter(pk=campaign.pk).update(finished_at=yesterday)

    assert audience.reach(make.campaign(world.acme, world.customers, not_messaged_days=7)).left_out["lately"] == 1


def test_a_single_text_counts_and_a_one_time_code_does_not(world):
    other = make.contact(world.acme, group=world.customers)
    for contact, category in ((world.contact, "marketing"), (other, "transactional")):
        gate.send(company=world.acme, to=Address("sms", contact.phone), body="Hello", category=category)

    campaign = built(make.campaign(world.acme, world.customers, not_messaged_days=7))

    assert to(campaign) == {other.phone}


def test_a_single_text_of_an_old_campaign_counts(world):
    old = received(world.acme, make.contact(world.acme), days_ago=90)
    gate.send(
        company=world.acme,
        to=Address("sms", world.contact.phone),
        body="Hello",
        category="marketing",
        campaign=old,
    )

    assert audience.reach(make.campaign(world.acme, world.customers, not_messaged_days=7)).left_out["lately"] == 1


def test_a_test_of_a_draft_does_not_count(world):
    campaign = make.campaign(world.acme, world.customers, not_messaged_days=7)
    trial.send(campaign, to=[Address("sms", world.contact.phone)], by=NOBODY)

    assert audience.reach(campaign).reached == 1


def test_an_sms_keeps_an_email_away_too(world):
    received(world.acme, world.contact)

    campaign = make.campaign(world.acme, world.customers, channel="email", subject="Sale", not_messaged_days=7)

    assert audience.reach(campaign).left_out["lately"] == 1


def test_rival_s_messages_keep_nobody_away(world):
    same = make.contact(world.rival, world.contact.phone + "1")
    received(world.rival, same)

    assert audience.reach(make.campaign(world.acme, world.customers, not_messaged_days=7)).reached == 1


# --- the company's cap


@pytest.mark.parametrize(("most", "reached"), [(1, 0), (2, 0), (3, 1)])
def test_who_has_had_as_many_as_the_company_allows_is_left_out(world, most, reached):
    for days_ago in (1, 3, 20):
        received(world.acme, world.contact, days_ago=days_ago)
    cap(world.acme, most)

    campaign = built(make.campaign(world.acme, world.customers))

    assert len(to(campaign)) == reached
    assert campaign.left_out_capped == 1 - reached


def test_what_waits_counts_already(world):
    cap(world.acme, 1)

    built(make.campaign(world.acme, world.customers))
    second = built(make.campaign(world.acme, world.customers))

    assert to(second) == set()
    assert second.left_out_capped == 1


def test_without_cap_and_exclusions_no_message_is_looked_at(world):
    campaign = make.campaign(world.acme, world.customers)
    sql = audience.conditions(campaign, Choice.of(campaign))["why"]

    assert "messaging_message" not in sql


# --- everything adds up

KINDS = ("plain", "suppressed", "mail only", "landline", "french", "received", "lately", "often", "staff")


def _person(world, kinds: frozenset[str], earlier: dict[str, list[Contact]], n: int) -> None:
    phone = {True: f"+3120123{4000 + n}", False: None}["landline" in kinds]
    phone = phone or (f"+336123{45000 + n}" if "french" in kinds else f"+316123{45000 + n}")
    by_mail = "mail only" in kinds
    person = make.contact(world.acme, None if by_mail else phone, f"p{n}@mail.example", group=world.customers)
    if "staff" in kinds:
        GroupContact.objects.create(company=world.acme, group=make.group(world.acme, "Staff"), contact=person)
    if "suppressed" in kinds:
        consent.opt_out(company=world.acme, address=person.addresses()[0], source="api")
    for kind in {"received", "lately", "often"} & kinds:
        earlier[kind].append(person)


def test_reached_and_left_out_are_together_everybody(world):
    """For everybody of whom any two things are true, in every way that a campaign can be set up."""
    DestinationRule.objects.filter(country="FR").update(methods=["reply"], link_allowed=False)
    earlier: dict[str, list[Contact]] = {"received": [], "lately": [], "often": []}
    people = list(combinations_with_replacement(KINDS, 2))
    for n, kinds in enumerate(people):
        _person(world, frozenset(kinds), earlier, n)
    had = {kind: _campaign_of(world, kind, members) for kind, members in earlier.items()}
    everybody = 1 + sum("staff" not in kinds for kinds in people)
    ways = [*product(["sms"], [None, 7], [None, 1], [False, True]), ("email", None, None, False), ("email", 7, 1, True)]
    for channel, days, most, by_campaign in ways:
        with transaction.atomic():
            cap(world.acme, most, days=40)
            draft = make.campaign(world.acme, world.customers, channel=channel, subject="Sale", not_messaged_days=days)
            draft.exclude_groups.set([make.group(world.acme, "Staff")])
            draft.exclude_campaigns.set([had["received"]] if by_campaign else [])

            promised = audience.reach(draft)
            built(draft)

            assert promised.all == everybody == draft.in_groups
            assert promised.left_out == draft.left_out_by_reason()
            assert promised.reached == len(to(draft)) == draft.counts()["queued"] > 0
            counts = draft.counts()
            assert counts.pop("audience") == promised.audience == sum(counts.values())
            asked_for = {
                "lately": bool(days),
                "capped": bool(most),
                "received": by_campaign,
                "landline": channel == "sms",
            }
            assert {reason: promised.left_out[reason] > 0 for reason in asked_for} == asked_for
            transaction.set_rollback(True)


def _campaign_of(world, kind: str, members: list[Contact]) -> Campaign:
    group = make.group(world.acme, f"Had {kind}")
    for person in members:
        GroupContact.objects.create(company=world.acme, group=group, contact=person)
    days = {"received": 100, "lately": 2, "often": 30}[kind]
    at = timezone.now() - timedelta(days=days)
    campaign = built(make.campaign(world.acme, group, channel="email", subject="Earlier"))
    Message.objects.of(world.acme).filter(campaign=campaign).update(status="sent", sent_at=at, created_at=at)
    Campaign.objects.of(world.acme).filter(pk=campaign.pk).update(status="sent", launched_at=at, finished_at=at)
    return campaign
