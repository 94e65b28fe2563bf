from __future__ import annotations

import pytest
from django.urls import reverse

from addressbook.models import Contact, Group
from tests import make
from tests.world import CANARY

LIST = reverse("addressbook:groups")
ADD = reverse("addressbook:group-add")


@pytest.fixture
def client(client, world):
    client.force_login(world.marketer.user)
    return client


def _page(world, name="group"):
    return reverse(f"addressbook:{name}", args=[world.customers.pk])


def test_the_groups_are_listed_with_how_many_are_in_them(client, world):
    groups = client.get(LIST).context["groups"]
    assert [(g.name, str(g.members)) for g in groups] == [("Customers", "1")]
    assert CANARY not in client.get(LIST).content.decode()


def test_without_groups_the_page_says_how_to_begin(client, world):
    Group.objects.of(world.acme).delete()
    assert "There is no group yet." in client.get(LIST).content.decode()


def test_a_group_is_created_and_renamed(client, world):
    made = client.post(ADD, {"name": "VIP"})
    group = Group.objects.of(world.acme).get(name="VIP")
    assert made.url == reverse("addressbook:group", args=[group.pk])
    client.post(reverse("addressbook:group-rename", args=[group.pk]), {"name": "Best"})
    group.refresh_from_db()
    assert group.name == "Best"


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\0", "two\nlines", "Customers"])
def test_a_name_that_cannot_be_is_refused(client, world, name):
    response = client.post(ADD, {"name": name})
    assert response.status_code == 422
    assert response.context["form"].errors["name"]


def test_a_group_that_is_created_twice_at_once_is_refused_not_broken(client, world, monkeypatch):
    from addressbook.forms import GroupForm

    monkeypatch.setattr(GroupForm, "clean_name", lambda self: self.cleaned_data["name"])  # lost the race
    assert client.post(ADD, {"name": "Customers"}).status_code == 422


def test_two_companies_may_use_one_name(client, world):
    assert client.post(ADD, {"name": CANARY}).status_code == 302


def test_members_are_shown_and_taken_out(client, world):
    assert "Sanne" in client.get(_page(world)).content.decode()
    client.post(_page(world, "group-remove"), {"contact": [world.contact.pk]})
    assert "Nobody is in this group." in client.get(_page(world)).content.decode()
    assert Contact.objects.of(world.acme).count() == 1


def test_a_deleted_group_leaves_its_contacts(client, world):
    assert client.get(_page(world, "group-delete")).status_code == 200
    client.post(_page(world, "group-delete"))
    assert not Group.objects.of(world.acme).exists()
    assert Contact.objects.of(world.acme).count() == 1


@pytest.mark.parametrize("how", ["groups", "exclude_groups"])
def test_a_group_that_a_campaign_still_needs_stays(client, world, how):
    campaign = make.campaign(world.acme, name="Spring")
    getattr(campaign, how).set([world.customers])
    response = client.post(_page(world, "group-delete"))
    assert response.status_code == 409
    assert "Spring" in response.content.decode()
    assert Group.objects.of(world.acme).exists()


@pytest.mark.parametrize("name", ["group", "group-rename", "group-delete"])
def test_the_group_of_another_company_is_not_there(client, world, name):
    for pk in (world.rivals_customers.pk, 99999999999999999999):
        assert client.get(reverse(f"addressbook:{name}", args=[pk])).status_code == 404


def test_a_wrong_page_of_members_is_refused(client, world):
    assert client.get(_page(world), {"after": "x"}).status_code == 422


def test_a_viewer_reads_groups_only(client, world):
    client.force_login(world.viewer.user)
    assert client.get(LIST).status_code == 200
    assert client.get(_page(world)).status_code == 200
    for url in (ADD, *(_page(world, f"group-{act}") for act in ("rename", "delete", "remove"))):
        assert client.post(url).status_code == 403


def test_the_members_page_asks_a_fixed_number_of_times(client, world, django_assert_max_num_queries):
    for _ in range(50):
        make.contact(world.acme, group=world.customers)
    with django_assert_max_num_queries(10):
        client.get(_page(world))
