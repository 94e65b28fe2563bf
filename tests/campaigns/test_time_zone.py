"""Times are read and entered in the company's time zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.models import Campaign
from tests import make


@pytest.fixture
def marketer(client, world):
    world.acme.time_zone = "America/New_York"
    world.acme.save()
    client.force_login(world.marketer.user)
    return client


def test_a_time_is_entered_in_the_company_s_zone(marketer, world):
    fields = {"name": "Sale", "channel": "sms", "groups": [world.customers.pk], "body": "Sale"}
    marketer.post("/campaigns/new", {**fields, "scheduled_at": "2199-07-01T09:30"})
    campaign = Campaign.objects.of(world.acme).get()
    assert campaign.scheduled_at == datetime(2199, 7, 1, 13, 30, tzinfo=UTC)
    page = marketer.get(f"/campaigns/{campaign.pk}/edit").content.decode()
    assert 'value="2199-07-01T09:30"' in page
    assert "In the time of America/New York" in page


def test_a_time_is_shown_in_the_company_s_zone(marketer, world):
    at = datetime(2199, 1, 1, 14, 0, tzinfo=UTC)
    campaign = make.campaign(world.acme, world.customers, scheduled_at=at)
    assert "09:00 EST" in marketer.get(f"/campaigns/{campaign.pk}/review").content.decode()
    campaign.launch()
    assert "09:00 EST" in marketer.get(f"/campaigns/{campaign.pk}").content.decode()


@pytest.mark.parametrize("typed", ["2199-03-10T02:30", "2199-11-03T01:30"])
def test_a_time_that_the_clock_skips_or_repeats_gives_a_page(marketer, world, typed):
    fields = {"name": "Sale", "channel": "sms", "groups": [world.customers.pk], "body": "Sale"}
    assert marketer.post("/campaigns/new", {**fields, "scheduled_at": typed}).status_code in {302, 422}


def test_without_a_choice_it_is_the_country_s(world):
    world.acme.country, world.acme.time_zone = "NL", ""
    assert world.acme.zone.key == "Europe/Amsterdam"


def test_one_reader_s_zone_is_not_the_next_one_s(marketer, client, world):
    at = datetime(2199, 1, 1, 14, 0, tzinfo=UTC)
    foreign = make.campaign(world.rival, world.rivals_customers, scheduled_at=at)
    marketer.get("/campaigns")
    client.force_login(world.stranger.user)
    assert "14:00 GMT" in client.get(f"/campaigns/{foreign.pk}/review").content.decode()


def test_an_owner_chooses_the_zone_in_the_settings(client, world):
    client.force_login(world.owner.user)
    fields = {"name": "Acme", "country": "NL", "language": "nl", "opt_out_scope": "contact"}
    assert client.post("/settings", {**fields, "time_zone": "Asia/Tokyo"}).status_code == 302
    world.acme.refresh_from_db()
    assert world.acme.zone.key == "Asia/Tokyo"
    assert client.post("/settings", {**fields, "time_zone": "Nowhere/Land"}).status_code == 422
