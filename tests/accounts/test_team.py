"""Roles, the team, the company's settings, and who may switch where."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts import roles, team
from accounts.models import Company, Member, User
from tests import make

pytestmark = pytest.mark.django_db

HUGE = 99999999999999999999
GOOD = {"name": "Acme", "country": "nl", "language": "nl", "opt_out_scope": "channel"}


@pytest.fixture
def as_(client):
    def log_in(member):
        client.force_login(member.user)
        return client

    return log_in


def settings_of(company):
    return Company.objects.filter(pk=company.pk).values().get()


# --- roles


@pytest.mark.parametrize(
    ("role", "needed", "allowed"),
    [
        ("viewer", "viewer", True),
        ("viewer", "marketer", False),
        ("viewer", "owner", False),
        ("marketer", "viewer", True),
        ("marketer", "marketer", True),
        ("marketer", "owner", False),
        ("owner", "viewer", True),
        ("owner", "marketer", True),
        ("owner", "owner", True),
    ],
)
def test_each_role_may_do_what_those_before_it_may(role, needed, allowed):
    assert roles.allows(role, needed) is allowed


@pytest.mark.parametrize("path", ["/settings/team", "/settings/api-keys"])
@pytest.mark.parametrize("role", ["viewer", "marketer"])
def test_only_owners_see_the_team_and_the_keys(world, as_, path, role):
    assert as_(getattr(world, role)).get(path).status_code == 403


def test_the_refusal_names_the_role(world, as_):
    assert "Viewer" in as_(world.viewer).get("/settings/team").content.decode()


def test_who_belongs_to_no_company_is_told_so(client, world):
    client.force_login(User.objects.create_user("alone@nowhere.example", make.PASSWORD))
    answer = client.get("/settings")
    assert answer.status_code == 403
    assert "You do not belong to a company yet" in answer.content.decode()


# --- switching


def test_the_company_can_be_switched(world, as_):
    Member.objects.create(company=world.rival, user=world.owner.user, role="viewer")
    client = as_(world.owner)
    assert client.post("/company", {"company": world.rival.slug}).status_code == 302
    page = client.get("/settings")
    assert page.context["request"].company == world.rival
    assert page.context["request"].member.role == "viewer"


@pytest.mark.parametrize("slug", ["rival", "", "nowhere", "\x00", "x" * 100_000])
def test_nobody_switches_to_a_company_they_are_not_in(world, as_, slug):
    client = as_(world.owner)
    assert client.post("/company", {"company": slug}).status_code == 404
    assert client.get("/settings").context["request"].company == world.acme


def test_who_is_removed_from_a_company_loses_it_at_once(world, as_):
    membership = Member.objects.create(company=world.rival, user=world.owner.user, role="viewer")
    client = as_(world.owner)
    client.post("/company", {"company": world.rival.slug})
    membership.delete()
    assert client.get("/settings").context["request"].company == world.acme


# --- team


def test_an_owner_adds_somebody_with_a_role(world, as_):
    answer = as_(world.owner).post("/settings/team", {"email": "New@Acme.example", "role": "viewer"})
    assert answer.status_code == 302
    added = Member.objects.get(company=world.acme, user__email="new@acme.example")
    assert added.role == "viewer"
    assert not added.user.has_usable_password()


def test_somebody_we_know_is_added_without_a_second_account(world, as_):
    as_(world.owner).post("/settings/team", {"email": world.stranger.user.email, "role": "viewer"})
    assert User.objects.filter(email=world.stranger.user.email).count() == 1
    assert Member.objects.filter(user=world.stranger.user).count() == 2


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({}, "email"),
        ({"email": "no address", "role": "viewer"}, "email"),
        ({"email": "a\x00@b.example", "role": "viewer"}, "email"),
        ({"email": "x" * 1_000_000, "role": "viewer"}, "email"),
        ({"email": "viewer@acme.example", "role": "viewer"}, "email"),
        ({"email": "new@acme.example", "role": "king"}, "role"),
        ({"email": "new@acme.example"}, "role"),
    ],
)
def test_a_bad_entry_is_told_beside_its_field(world, as_, typed, field):
    answer = as_(world.owner).post("/settings/team", typed)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors


def test_a_role_is_changed(world, as_):
    as_(world.owner).post(f"/settings/team/{world.viewer.pk}/role", {"role": "marketer"})
    world.viewer.refresh_from_db()
    assert world.viewer.role == "marketer"


def test_the_last_owner_stays_an_owner(world, as_):
    client = as_(world.owner)
    client.post(f"/settings/team/{world.owner.pk}/role", {"role": "viewer"})
    answer = client.post(f"/settings/team/{world.owner.pk}/remove", follow=True)
    world.owner.refresh_from_db()
    assert world.owner.role == "owner"
    assert "A company keeps at least one owner" in answer.content.decode()


def test_an_owner_who_steps_down_lands_on_a_page_they_may_see(world, as_):
    make.member(world.acme, "owner", "second@acme.example")
    answer = as_(world.owner).post(f"/settings/team/{world.owner.pk}/role", {"role": "viewer"}, follow=True)
    assert answer.status_code == 200


def test_somebody_is_removed(world, as_):
    as_(world.owner).post(f"/settings/team/{world.viewer.pk}/remove")
    assert not Member.objects.filter(pk=world.viewer.pk).exists()


@pytest.mark.parametrize("verb", ["role", "remove"])
@pytest.mark.parametrize("whose", ["stranger", "nobody", "too large"])
def test_members_of_others_are_not_there(world, as_, verb, whose):
    pk = {"stranger": world.stranger.pk, "nobody": 0, "too large": HUGE}[whose]
    answer = as_(world.owner).post(f"/settings/team/{pk}/{verb}", {"role": "viewer"})
    assert answer.status_code == 404
    assert Member.objects.get(pk=world.stranger.pk).role == "owner"


@pytest.mark.parametrize("verb", ["role", "remove"])
def test_a_marketer_changes_nobody(world, as_, verb):
    answer = as_(world.marketer).post(f"/settings/team/{world.viewer.pk}/{verb}", {"role": "owner"})
    assert answer.status_code == 403
    assert Member.objects.get(pk=world.viewer.pk).role == "viewer"


def test_an_unknown_role_changes_nothing(world, as_):
    as_(world.owner).post(f"/settings/team/{world.viewer.pk}/role", {"role": "king"})
    assert Member.objects.get(pk=world.viewer.pk).role == "viewer"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_leave_one(world):
    second = make.member(world.acme, "owner", "second@acme.example")

    def remove(member):
        try:
            team.remove(member=member)
        except team.LastOwner:
            return 0
        finally:
            connection.close()
        return 1

    with ThreadPoolExecutor(2) as pool:
        removed = sum(pool.map(remove, [world.owner, second]))
    assert removed == 1
    assert Member.objects.filter(company=world.acme, role="owner").count() == 1


# --- company


def test_an_owner_changes_the_company(world, as_):
    answer = as_(world.owner).post(
        "/settings", GOOD | {"brand_color": "#0a6c74", "privacy_url": "acme.example/privacy"}
    )
    assert answer.status_code == 302
    saved = settings_of(world.acme)
    assert (saved["country"], saved["brand_color"]) == ("NL", "#0a6c74")
    assert saved["privacy_url"] == "https://acme.example/privacy"


@pytest.mark.parametrize("role", ["viewer", "marketer"])
def test_others_look_and_change_nothing(world, as_, role):
    before, client = settings_of(world.acme), as_(getattr(world, role))
    assert all(field.field.disabled for field in client.get("/settings").context["form"])
    assert client.post("/settings", GOOD | {"name": "Mine"}).status_code == 403
    assert settings_of(world.acme) == before


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("name", "nul\x00"),
        ("name", "x" * 1_000_000),
        ("country", "XX"),
        ("country", "Netherlands"),
        ("country", ""),
        ("language", "klingon"),
        ("language", "n"),
        ("opt_out_scope", "nothing"),
        ("contact_details", "x" * 201),
        ("contact_details", "\x00"),
        ("privacy_url", "javascript:alert(1)"),
        ("privacy_url", "http://"),
        ("imprint_url", "ftp://acme.example/"),
        ("imprint_url", "x" * 1_000_000),
        ("brand_color", "red"),
        ("brand_color", "#12345"),
        ("brand_color", "#0a6c74\n}body{}"),
    ],
)
def test_a_bad_setting_is_told_beside_its_field_and_not_saved(world, as_, field, typed):
    before = settings_of(world.acme)
    answer = as_(world.owner).post("/settings", GOOD | {field: typed})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert 'aria-invalid="true"' in answer.content.decode()
    assert settings_of(world.acme) == before


def test_the_name_that_was_refused_is_not_shown_as_the_company(world, as_):
    page = as_(world.owner).post("/settings", GOOD | {"name": "Rejected name", "country": "XX"}).content.decode()
    assert page.count("Rejected name") == 1
