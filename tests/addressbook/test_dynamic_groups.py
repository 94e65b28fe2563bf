from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from addressbook import consent, grouping
from addressbook.models import Contact, Group, GroupChange
from campaigns import audience
from messaging.addresses import parse
from tests import make
from tests.world import PHONE

ADD = reverse("addressbook:group-add")
LIST = reverse("addressbook:contacts")
BULK = reverse("addressbook:contacts-bulk")


@pytest.fixture
def client(client, world):
    client.force_login(world.marketer.user)
    return client


def _dynamic(world, **conditions):
    return Group.objects.create(company=world.acme, name="Reachable", conditions=conditions)


def _members(group):
    return {c.phone for c in Contact.objects.of(group.company_id).filter(memberships__group=group)}


def test_a_list_that_is_narrowed_is_saved_as_a_group(client, world):
    client.post(f"{ADD}?country=NL&state=reachable", {"name": "Dutch"})
    assert Group.objects.of(world.acme).get(name="Dutch").conditions == {"country": "NL", "state": "reachable"}


def test_a_list_that_is_not_narrowed_makes_a_group_that_is_filled_by_hand(client, world):
    client.post(ADD, {"name": "VIP"})
    assert not Group.objects.of(world.acme).get(name="VIP").is_dynamic


@pytest.mark.parametrize("query", ["country=XX", "group=99999999999999999999", "state=maybe", "q=" + "x" * 300])
def test_a_list_that_cannot_be_is_not_saved(client, world, query):
    assert client.post(f"{ADD}?{query}", {"name": "Dutch"}).status_code == 422
    assert not Group.objects.of(world.acme).filter(name="Dutch").exists()


def test_conditions_name_no_dynamic_group(client, world):
    group = _dynamic(world, country="NL")
    assert client.post(f"{ADD}?group={group.pk}", {"name": "Within"}).status_code == 422


def test_a_refreshed_group_has_whoever_meets_its_conditions(world):
    make.contact(world.acme, "+33612345678")
    group = _dynamic(world, country="NL", state="reachable")
    grouping.refresh(world.acme, [group.pk])
    assert _members(group) == {PHONE}


def test_who_no_longer_meets_the_conditions_is_gone_after_the_next_refresh(world):
    group = _dynamic(world, state="reachable")
    grouping.refresh(world.acme, [group.pk])
    consent.opt_out(company=world.acme, address=parse(PHONE), source="api")
    grouping.refresh(world.acme, [group.pk])
    assert _members(group) == set()


def test_a_group_that_was_refreshed_lately_is_left_when_that_is_enough(world):
    group = _dynamic(world, state="reachable")
    grouping.refresh(world.acme, [group.pk])
    consent.opt_out(company=world.acme, address=parse(PHONE), source="api")
    grouping.refresh(world.acme, [group.pk], older_than=timedelta(minutes=1))
    assert _members(group) == {PHONE}


def test_a_group_that_is_filled_by_hand_is_not_refreshed(world):
    grouping.refresh(world.acme, [world.customers.pk])
    assert _members(world.customers) == {PHONE}


def test_a_group_of_another_company_is_not_refreshed(world):
    group = _dynamic(world, state="reachable")
    grouping.refresh(world.rival, [group.pk])
    assert _members(group) == set()


def test_conditions_that_mean_nothing_any_more_change_nobody(world):
    group = _dynamic(world, group="999999999")
    make_member = world.contact
    grouping.put([make_member], into=group)
    grouping.refresh(world.acme, [group.pk])
    assert _members(group) == {PHONE}


def test_who_opted_in_this_year_is_found(world):
    make.contact(world.acme, "+33612345678")
    consent.opt_in(company=world.acme, address=parse(PHONE), source="api", evidence={"how": "form"})
    for period in ("year", "30", "365", "ever"):
        group = Group.objects.create(company=world.acme, name=period, conditions={"opted_in": period})
        grouping.refresh(world.acme, [group.pk])
        assert _members(group) == {PHONE}


def test_a_campaign_counts_the_members_of_a_dynamic_group(world):
    group = _dynamic(world, country="NL")
    grouping.refresh(world.acme, [group.pk])
    assert audience.reach(make.campaign(world.acme, group)).reached == 1


def test_the_page_of_a_dynamic_group_shows_who_meets_the_conditions_now(client, world):
    group = _dynamic(world, country="NL")
    page = client.get(reverse("addressbook:group", args=[group.pk]))
    assert [c.pk for c in page.context["page"].items] == [world.contact.pk]
    assert "Remove from group" not in page.content.decode()


def test_nobody_is_put_into_a_dynamic_group_by_hand(client, world):
    group = _dynamic(world, country="FR")
    data = {"act": "add", "group": group.pk, "contact": [world.contact.pk]}
    assert client.post(BULK, data).status_code == 422


def test_a_group_that_conditions_name_is_not_deleted(client, world):
    _dynamic(world, group=str(world.customers.pk))
    assert client.post(reverse("addressbook:group-delete", args=[world.customers.pk])).status_code == 409


def _bulk(client, group, query, act="add"):
    return client.post(BULK, {"act": act, "group": group.pk, "everybody": "1", "filter": query, "next": LIST})


def test_everybody_found_is_put_into_a_group_on_all_pages(client, world):
    vip = make.group(world.acme, "VIP")
    phones = {make.contact(world.acme, f"+3361234{n:04}").phone for n in range(60)}
    assert _bulk(client, vip, "country=FR").url == LIST
    assert _members(vip) == phones


def test_everybody_found_is_taken_out(client, world):
    _bulk(client, world.customers, "q=sanne", act="remove")
    assert _members(world.customers) == set()


@pytest.mark.parametrize("query", ["country=XX", "after=x", "group=-1"])
def test_a_filter_that_cannot_be_changes_nobody(client, world, query):
    assert _bulk(client, world.customers, query, act="remove").status_code == 422
    assert _members(world.customers) == {PHONE}


def test_very_many_are_changed_by_the_worker_slice_by_slice(client, world, monkeypatch):
    monkeypatch.setattr(grouping, "AT_ONCE", 5)
    monkeypatch.setattr(grouping, "SLICE", 7)
    vip = make.group(world.acme, "VIP")
    phones = {make.contact(world.acme, f"+3361234{n:04}").phone for n in range(20)}
    _bulk(client, vip, "country=FR")
    assert _members(vip) == set()
    assert "being changed in the background" in client.get(LIST).content.decode()
    assert grouping.due()
    grouping.run_due()
    assert not grouping.due()
    assert _members(vip) == phones
    assert GroupChange.objects.of(world.acme).get().changed == 20


def test_a_change_that_was_interrupted_goes_on_and_doubles_nobody(client, world, monkeypatch):
    monkeypatch.setattr(grouping, "AT_ONCE", 5)
    monkeypatch.setattr(grouping, "SLICE", 7)
    vip = make.group(world.acme, "VIP")
    for n in range(20):
        make.contact(world.acme, f"+3361234{n:04}")
    _bulk(client, vip, "country=FR")
    grouping.run_due(seconds=0)
    assert len(_members(vip)) == 7
    grouping.run_due()
    assert len(_members(vip)) == 20
