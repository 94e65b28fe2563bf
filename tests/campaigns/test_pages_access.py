"""Who may open and change what on the marketer's pages."""

from __future__ import annotations

import pytest

from tests import make

HUGE = 99999999999999999999


@pytest.fixture
def as_(client):
    def log_in(member):
        client.force_login(member.user)
        return client

    return log_in


def fields(world):
    return {"name": "Sale", "channel": "sms", "groups": [world.customers.pk], "body": "Sale today"}


PAGES = ["", "/edit", "/review", "/progress"]
ACTS = ["/launch", "/pause", "/resume", "/cancel", "/duplicate", "/delete", "/edit"]


@pytest.mark.parametrize("page", PAGES)
def test_a_foreign_campaign_is_not_there(world, as_, page):
    foreign = make.campaign(world.rival, world.rivals_customers)
    assert as_(world.owner).get(f"/campaigns/{foreign.pk}{page}").status_code == 404


@pytest.mark.parametrize("act", ACTS)
def test_a_foreign_campaign_cannot_be_touched(world, as_, act):
    foreign = make.campaign(world.rival, world.rivals_customers, name="Theirs")
    assert as_(world.owner).post(f"/campaigns/{foreign.pk}{act}", fields(world)).status_code == 404
    foreign.refresh_from_db()
    assert (foreign.status, foreign.name) == ("draft", "Theirs")


@pytest.mark.parametrize("act", [*ACTS, "/preview"])
def test_a_viewer_changes_nothing(world, as_, act):
    campaign = make.campaign(world.acme, world.customers)
    address = f"/campaigns/{campaign.pk}{act}" if act != "/preview" else "/campaigns/preview"
    assert as_(world.viewer).post(address, fields(world)).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_a_viewer_reads_a_draft_but_finds_no_way_to_launch_it(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    page = as_(world.viewer).get(campaign.get_absolute_url(), follow=True).content.decode()
    assert "Sale today" in page
    assert "/launch" not in page


@pytest.mark.parametrize("act", ["launch", "pause", "resume", "cancel", "duplicate", "delete"])
def test_acts_need_a_post(world, as_, act):
    campaign = make.campaign(world.acme, world.customers)
    assert as_(world.owner).get(f"/campaigns/{campaign.pk}/{act}").status_code == 405


@pytest.mark.parametrize("number", [0, HUGE])
def test_a_number_that_is_no_campaign_is_not_there(world, as_, number):
    assert as_(world.owner).get(f"/campaigns/{number}").status_code == 404


def test_without_a_login_there_is_only_the_login(client, world):
    for address in ("/", "/campaigns", "/campaigns/new"):
        assert "/login" in client.get(address).headers["Location"]
