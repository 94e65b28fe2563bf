"""The figures, against counts made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from addressbook import consent
from addressbook.models import Contact
from campaigns import audience, dispatch
from campaigns.insights import charts, figures, significance
from campaigns.models import Campaign
from campaigns.templatetags import figures as written
from messaging.addresses import Address
from messaging.models import Message
from tests import make

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def people(world):
    return [world.contact, *(make.contact(world.acme, group=world.customers) for _ in range(9))]


def sent(company, *groups, **kwargs):
    campaign = make.campaign(company, *groups, **kwargs)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)
    campaign.refresh_from_db()
    return campaign


def leave(contact, campaign=None, source="landing", **facts):
    if campaign:
        facts |= {"campaign_id": campaign.pk, "campaign_name": campaign.name}
        facts["message_id"] = Message.objects.of(campaign.company_id).get(campaign=campaign, contact=contact).pk
    return consent.opt_out(company=contact.company, address=Address("sms", contact.phone), source=source, **facts)


def month(company, **kwargs):
    now = timezone.now()
    return figures.company_figures(company, since=now - timedelta(days=30), until=now + timedelta(seconds=1), **kwargs)


# --- one campaign


def test_ten_sent_and_three_gone_is_thirty_per_cent(world, people):
    campaign = sent(world.acme, world.customers)
    for contact in people[:3]:
        leave(contact, campaign)
    found = figures.campaign_figures(campaign)
    assert (found["audience"], found["sent"], found["delivered"], found["opt_outs"]) == (10, 10, 10, 3)
    assert found["opt_out_rate"] == pytest.approx(0.3)
    # Wilson by hand: centre (3 + 1.9207) / (10 + 3.8415) = 0.3555, half 0.2478
    assert found["opt_out_rate_low"] == pytest.approx(0.1078, abs=1e-4)
    assert found["opt_out_rate_high"] == pytest.approx(0.6032, abs=1e-4)


def test_an_opt_out_belongs_to_the_campaign_of_its_event(world, people):
    first, second = sent(world.acme, world.customers), sent(world.acme, world.customers)
    leave(people[0], first)
    leave(people[1], second)
    leave(people[2], second)
    leave(people[3], source="api")
    assert figures.campaign_figures(first)["opt_outs"] == 1
    assert figures.campaign_figures(second)["opt_outs"] == 2
    assert month(world.acme)["opt_outs"] == 4


def test_a_person_with_two_addresses_leaves_once(world):
    campaign = sent(world.acme, world.customers)
    leave(world.contact, campaign, reason="too_many")
    found = figures.campaign_figures(campaign)
    assert found["opt_outs"] == 1
    assert sum(found["by_method"].values()) == sum(found["by_country"].values()) == 1
    assert found["by_reason"] == {"too_many": 1}


def test_saying_it_twice_counts_once(world, people):
    campaign = sent(world.acme, world.customers)
    leave(people[1], campaign)
    leave(people[1], campaign, source="reply")
    assert figures.campaign_figures(campaign)["by_method"]["link"] == 1
    assert figures.campaign_figures(campaign)["opt_outs"] == 1


def test_methods_are_told_apart(world, people):
    campaign = sent(world.acme, world.customers)
    for contact, source in zip(
        people, ["landing", "landing", "reply", "one_click", "portal", "api", "import", "complaint"], strict=False
    ):
        leave(contact, campaign, source=source)
    found = figures.campaign_figures(campaign)["by_method"]
    assert {k: v for k, v in found.items() if v} == {
        "link": 2, "reply": 1, "one_click": 1, "portal": 1, "api": 1, "import": 1, "complaint": 1,
    }  # fmt: skip


def test_a_reason_told_afterwards_counts_with_its_opt_out(world, people):
    campaign = sent(world.acme, world.customers)
    event = leave(people[1], campaign)
    leave(people[2], campaign, reason="other")
    consent.give_reason(
        company=world.acme,
        address=Address("sms", people[1].phone),
        event_id=event.event_id,
        source="landing",
        reason="too_many",
        comment="Too loud",
    )
    found = figures.campaign_figures(campaign)
    assert found["by_reason"] == {"too_many": 1, "other": 1}
    assert [(c["comment"], c["reason"]) for c in found["comments"]] == [("Too loud", "too_many")]


def test_comments_of_another_campaign_stay_there(world, people):
    first, second = sent(world.acme, world.customers), sent(world.acme, world.customers)
    leave(people[0], first, comment="about the first")
    assert figures.campaign_figures(second)["comments"] == []


def test_nothing_of_another_company_is_counted(world):
    theirs = sent(world.rival, world.rivals_customers)
    leave(world.rivals_contact, theirs, comment="theirs", reason="other")
    found = month(world.acme)
    assert (found["sent"], found["opt_outs"], found["comments"], found["by_reason"]) == (0, 0, [], {})


def test_somebody_who_came_back_and_left_again_does_not_make_more_than_all(world):
    campaign = sent(world.acme, world.customers)
    for _ in range(2):
        leave(world.contact, campaign)
        address = Address("sms", world.contact.phone)
        consent.opt_in(company=world.acme, address=address, source="marketer", evidence={"text": "yes"})
    found = figures.campaign_figures(campaign)
    assert found["opt_outs"] == 2
    assert found["opt_out_rate"] == 1.0
    assert found["opt_out_rate_high"] <= 1.0


def test_a_campaign_of_which_nothing_was_sent_has_a_rate_of_zero(world):
    campaign = make.campaign(world.acme, world.customers)
    found = figures.campaign_figures(campaign)
    assert (found["sent"], found["opt_out_rate"], found["opt_out_rate_low"], found["opt_out_rate_high"]) == (0, 0, 0, 0)
    assert found["over_time"] == []
    (line,) = figures.summaries([campaign])
    assert line["opt_out_rate"] is line["delivered_rate"] is None


def test_half_left_within_the_median_time(world, people):
    campaign = sent(world.acme, world.customers)
    at = Message.objects.of(world.acme).filter(campaign=campaign).first().sent_at
    for contact, minutes in zip(people[:3], (1, 5, 600), strict=True):
        leave(contact, campaign, occurred_at=at + timedelta(minutes=minutes))
    assert figures.time_to_opt_out(campaign) == timedelta(minutes=5)


# --- over time


def test_hours_between_two_opt_outs_are_filled(world, people):
    campaign = sent(world.acme, world.customers)
    leave(people[0], campaign, occurred_at=NOON)
    leave(people[1], campaign, source="reply", occurred_at=NOON + timedelta(hours=3, minutes=20))
    points = figures.campaign_figures(campaign)["over_time"]
    assert [(p["at"].hour, p["link"], p["reply"]) for p in points] == [(12, 1, 0), (13, 0, 0), (14, 0, 0), (15, 0, 1)]


def test_days_between_two_opt_outs_are_filled(world, people):
    campaign = sent(world.acme, world.customers)
    leave(people[0], campaign, occurred_at=NOON)
    leave(people[1], campaign, occurred_at=NOON + timedelta(days=4))
    points = figures.campaign_figures(campaign)["over_time"]
    assert [p["at"].day for p in points] == [10, 11, 12, 13, 14]
    assert [p["link"] for p in points] == [1, 0, 0, 0, 1]


def test_years_between_two_opt_outs_become_months_and_nothing_is_lost(world, people):
    campaign = sent(world.acme, world.customers)
    leave(people[0], campaign, occurred_at=NOON - timedelta(days=900))
    leave(people[1], campaign, occurred_at=NOON)
    points = figures.campaign_figures(campaign)["over_time"]
    assert all(p["at"].day == 1 for p in points)
    assert len(points) == 31  # September 2023 to March 2026
    assert sum(p["link"] for p in points) == 2


def test_a_companys_points_span_the_period_and_end_before_its_end(world, people):
    leave(people[0], occurred_at=NOON)
    since, until = datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 12, tzinfo=UTC)
    points = figures.company_figures(world.acme, since=since, until=until)["over_time"]
    assert [p["at"].day for p in points] == [8, 9, 10, 11]


def test_the_end_of_a_period_belongs_to_the_next(world, people):
    leave(people[0], occurred_at=NOON)
    assert figures.company_figures(world.acme, since=NOON - timedelta(days=1), until=NOON)["opt_outs"] == 0
    assert figures.company_figures(world.acme, since=NOON, until=NOON + timedelta(days=1))["opt_outs"] == 1


def test_points_add_up_to_the_opt_outs(world, people):
    for contact, source in zip(people, ("landing", "reply", "api", "import", "marketer"), strict=False):
        leave(contact, source=source)
    found = month(world.acme)
    drawn = charts.over_time(found["over_time"])
    assert sum(sum(series["data"]) for series in drawn["drawn"]["series"]) == found["opt_outs"] == 5
    assert sum(row["total"] for row in drawn["rows"]) == 5


# --- a company


def test_a_companys_rate_is_of_those_who_were_written_to(world, people):
    campaign = sent(world.acme, world.customers)
    leave(people[0], campaign)
    for number in range(50):
        consent.opt_out(company=world.acme, address=Address("sms", f"+3168000{number:04}"), source="import")
    found = month(world.acme)
    assert (found["sent"], found["opt_outs"], found["campaign_opt_outs"]) == (10, 51, 1)
    assert found["opt_out_rate"] == pytest.approx(0.1)


def test_opt_outs_without_any_message_give_no_rate(world, people):
    leave(people[0], source="api")
    found = month(world.acme)
    assert (found["opt_outs"], found["opt_out_rate"]) == (1, 0.0)


def test_who_was_left_out_counts_in_the_companys_audience(world, people):
    leave(people[0], source="marketer")
    sent(world.acme, world.customers)
    found = month(world.acme)
    assert (found["audience"], found["suppressed"], found["sent"]) == (10, 1, 9)


@pytest.mark.parametrize(
    ("phone", "email", "left_by", "reachable"),
    [
        ("+31611111111", None, [], 1),
        ("+31611111111", None, ["sms"], 0),
        (None, "a@b.example", ["email"], 0),
        ("+31611111111", "a@b.example", ["sms"], 1),
        ("+31611111111", "a@b.example", ["email"], 1),
        ("+31611111111", "a@b.example", ["sms", "email"], 0),
    ],
)
def test_reachable_means_by_at_least_one_channel(world, phone, email, left_by, reachable):
    company = make.company("Third")
    contact = make.contact(company, phone, email)
    for address in contact.addresses():
        if address.channel in left_by:
            consent.opt_out(company=company, address=address, source="marketer", channels=[address.channel])
    consent.opt_out(company=company, address=Address("sms", "+31622222222"), source="import")  # in no address book
    assert figures.reachable_share(company) == (reachable, 1)
    assert Contact.objects.of(company).reachable().count() == reachable


def test_the_usual_rate_needs_three_campaigns_and_is_their_median(world, people):
    rates = []
    for gone in (1, 2, 3):
        campaign = sent(world.acme, world.customers)
        here = Message.objects.of(world.acme).filter(campaign=campaign, status="delivered").select_related("contact")
        rates.append(gone / here.count())
        for message in here[:gone]:
            leave(message.contact, campaign)
        if gone < 3:
            assert figures.usual_rate(world.acme.pk) is None
    assert figures.usual_rate(world.acme.pk) == pytest.approx(sorted(rates)[1])


def test_a_draft_is_not_usual(world):
    Campaign.objects.bulk_create([Campaign(company=world.acme, name=str(n), body="x") for n in range(3)])
    assert figures.usual_rate(world.acme.pk) is None


def test_a_small_curve_shows_the_first_three_days(world, people):
    campaign = sent(world.acme, world.customers)
    for contact, hours in zip(people[:4], (1, 2, 13, 24 * 5), strict=True):
        leave(contact, campaign, occurred_at=campaign.launched_at + timedelta(hours=hours))
    assert figures.sparks(world.acme.pk, [campaign]) == {campaign.pk: [2, 0, 1, *[0] * 9]}


# --- for people


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.04582, 1, "4.6\u00a0%"),
        (0.04582, 2, "4.58\u00a0%"),
        (0.0, 2, "0.00\u00a0%"),
        (None, 2, "–"),
        (1.0, 0, "100\u00a0%"),
    ],
)
def test_shares_are_rounded_not_cut(value, digits, text):
    assert written.percent(value, digits) == text


@pytest.mark.parametrize(
    ("value", "digits", "text", "direction"),
    [(12.4, 0, "+12", "up"), (-0.024, 2, "−0.02", ""), (0.3, 0, "±0", "same"), (1234.6, 0, "+1,235", "up")],
)
def test_changes_have_a_sign(value, digits, text, direction):
    assert written.signed(value, digits) == text
    assert written.direction(value, digits) == direction


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 second"), (10, "10 seconds"), (120, "2 minutes"), (7200, "2 hours"), (3 * 86400, "3 days")],
)
def test_a_length_of_time_is_told_in_its_largest_unit(seconds, text):
    assert written.span(timedelta(seconds=seconds)) == text


# --- arithmetic


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 0, 0.0, 0.0),
        (0, 100, 0.0, 0.0370),  # Wilson, Newcombe 1998 table: upper limit for 0 of 100
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, method 3
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
        (100, 100, 0.9630, 1.0),
        (7, 5, 0.5655, 1.0),
    ],
)
def test_the_interval_is_wilsons(hits, trials, low, high):
    assert significance.interval(hits, trials) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("usual", "hits", "trials", "says"),
    [
        (None, 5, 1000, "few"),
        (0.006, 2, 212, "few"),
        (0.006, 236, 12408, "higher"),
        (0.006, 108, 17655, "usual"),
        (0.006, 11, 3904, "lower"),
        (0.006, 0, 0, "few"),
    ],
)
def test_a_rate_is_compared_only_when_there_is_enough_to_tell(usual, hits, trials, says):
    assert significance.against(usual, hits=hits, trials=trials) == says


def test_bars_beyond_the_eighth_are_one_and_shares_add_up():
    bars = charts.bars({f"r{n:02}": 20 - n for n in range(12)})
    assert len(bars) == 9
    assert sum(bar["share"] for bar in bars) == pytest.approx(100)
    assert max(bar["of_most"] for bar in bars) == 100


def test_no_bars_and_no_share_of_nothing():
    assert charts.bars({}) == []
    assert charts.share(0, 0) == 0


def test_a_change_from_nothing_is_not_told():
    nothing = {"sent": 0, "opt_outs": 0, "opt_out_rate": 0.0}
    something = {"sent": 10, "opt_outs": 1, "opt_out_rate": 0.1}
    assert charts.changes(something, nothing) == {"sent": None, "opt_outs": None, "rate": None}
    assert charts.changes(something, {"sent": 5, "opt_outs": 2, "opt_out_rate": 0.4}) == {
        "sent": 100.0,
        "opt_outs": -50.0,
        "rate": pytest.approx(-30),
    }
