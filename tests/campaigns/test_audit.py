"""Who did what to a campaign; who changed it meanwhile."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from api.models import ApiKey
from campaigns.audit import Action, Who, history
from campaigns.models import Campaign, Changed, WrongState
from tests import make


@pytest.fixture
def as_(client):
    def log_in(member):
        client.force_login(member.user)
        return client

    return log_in


def fields(world, **changes):
    return {"name": "Sale", "channel": "sms", "groups": [world.customers.pk], "body": "Sale today", **changes}


def verbs(campaign):
    return [action.verb for action in reversed(history(campaign))]


# --- what was done


def test_everything_done_in_the_pages_is_written_down_with_who(world, as_):
    as_(world.marketer).post("/campaigns/new", fields(world))
    campaign = Campaign.objects.of(world.acme).get()
    client = as_(world.owner)
    client.post(f"/campaigns/{campaign.pk}/edit", fields(world, body="Sale tomorrow"))
    client.post(f"/campaigns/{campaign.pk}/duplicate")
    for verb in ("launch", "pause", "resume", "cancel", "archive", "restore"):
        client.post(f"/campaigns/{campaign.pk}/{verb}")
    assert verbs(campaign) == [
        "created", "edited", "duplicated", "launched", "paused", "resumed", "cancelled", "archived", "restored",
    ]  # fmt: skip
    assert [action.who for action in reversed(history(campaign))] == [
        str(world.marketer.user), *[str(world.owner.user)] * 8
    ]  # fmt: skip
    page = client.get(f"/campaigns/{campaign.pk}").content.decode()
    assert "launched it" in page
    assert "changed it: text" in page


def test_the_api_s_doings_name_the_key(world, client):
    _key, text = ApiKey.issue(company=world.acme, name="Web shop", scopes=["read", "write", "send"])

    def call(method, path, body=None):
        return getattr(client, method)(
            f"/api/v1{path}", body or {}, content_type="application/json", headers={"Authorization": f"Bearer {text}"}
        )

    made = call("post", "/campaigns", {"name": "Sale", "channel": "sms", "body": "Sale", "groups": ["Customers"]})
    path = f"/campaigns/{made.json()['id']}"
    call("patch", path, {"body": "Sale today"})
    for verb in ("launch", "pause", "resume", "cancel"):
        assert call("post", f"{path}/{verb}").status_code == 202
    campaign = Campaign.objects.of(world.acme).get()
    assert verbs(campaign) == ["created", "edited", "launched", "paused", "resumed", "cancelled"]
    assert {(action.who, action.key_id, action.user_id) for action in history(campaign)} == {
        ("Web shop", _key.pk, None)
    }
    client.force_login(world.viewer.user)
    assert "API key “Web shop”" in client.get(f"/campaigns/{campaign.pk}").content.decode()


def test_what_changes_nothing_is_not_written_down(world, as_):
    client = as_(world.marketer)
    client.post("/campaigns/new", fields(world))
    campaign = Campaign.objects.of(world.acme).get()
    client.post(f"/campaigns/{campaign.pk}/edit", fields(world))
    client.post(f"/campaigns/{campaign.pk}/pause")
    for _twice in range(2):
        client.post(f"/campaigns/{campaign.pk}/launch")
    assert verbs(campaign) == ["created", "launched"]


def test_a_set_time_that_came_is_nobody_s_doing(world):
    campaign = make.campaign(
        world.acme, world.customers, status="scheduled", scheduled_at=make.long_ago(make.timedelta(1))
    )
    campaign.launch()
    assert [(a.verb, a.who) for a in history(campaign)] == [("launched", "")]


def test_a_deleted_draft_is_remembered(world, as_):
    campaign = make.campaign(world.acme, world.customers, name="Wrong")
    as_(world.marketer).post(f"/campaigns/{campaign.pk}/delete")
    action = Action.objects.of(world.acme).get()
    assert (action.verb, action.campaign_id, action.details) == ("deleted", campaign.pk, {"name": "Wrong"})


@pytest.mark.parametrize(
    "statement",
    ["UPDATE campaigns_action SET who = 'x'", "DELETE FROM campaigns_action", "TRUNCATE campaigns_action"],
)
def test_the_database_refuses_to_change_what_was_written_down(world, statement):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch(by=Who("Sanne"))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert verbs(campaign) == ["launched"]


def test_a_name_outlives_the_account(world, as_):
    as_(world.marketer).post("/campaigns/new", fields(world))
    campaign, name = Campaign.objects.of(world.acme).get(), str(world.marketer.user)
    world.marketer.user.delete()
    assert history(campaign)[0].who == name


def test_another_company_s_history_is_not_shown(world, as_):
    foreign = make.campaign(world.rival, world.rivals_customers)
    foreign.launch(by=Who("Stranger"))
    assert as_(world.owner).get(f"/campaigns/{foreign.pk}").status_code == 404


# --- what changed meanwhile


def test_a_change_between_review_and_launch_is_refused_with_the_name(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    seen = campaign.version
    as_(world.owner).post(f"/campaigns/{campaign.pk}/edit", fields(world, body="Other text", version=seen))
    client = as_(world.marketer)
    answer = client.post(f"/campaigns/{campaign.pk}/launch", {"version": seen})
    campaign.refresh_from_db()
    assert answer.status_code == 409
    assert f"{world.owner.user} changed this campaign meanwhile" in answer.content.decode()
    assert "Other text" in answer.content.decode()
    assert campaign.is_draft
    client.post(f"/campaigns/{campaign.pk}/launch", {"version": campaign.version})
    campaign.refresh_from_db()
    assert campaign.status == "sending"


def test_the_review_page_carries_the_version_it_shows(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    page = as_(world.marketer).get(f"/campaigns/{campaign.pk}/review").content.decode()
    assert f'name="version" value="{campaign.version}"' in page


@pytest.mark.parametrize("version", ["0", "-1", "x", "", "99999999999999999999", "²"])
def test_a_nonsense_version_launches_nothing(world, as_, version):
    campaign = make.campaign(world.acme, world.customers)
    answer = as_(world.marketer).post(f"/campaigns/{campaign.pk}/launch", {"version": version})
    campaign.refresh_from_db()
    assert answer.status_code == 409
    assert campaign.is_draft


def test_a_colleague_s_save_is_not_overwritten_and_one_s_own_words_are_kept(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    seen = campaign.version
    as_(world.owner).post(f"/campaigns/{campaign.pk}/edit", fields(world, body="Theirs", version=seen))
    client = as_(world.marketer)
    answer = client.post(f"/campaigns/{campaign.pk}/edit", fields(world, body="Mine", version=seen))
    campaign.refresh_from_db()
    assert answer.status_code == 409
    assert campaign.body == "Theirs"
    assert ">\nMine</textarea>" in answer.content.decode()
    assert f"{world.owner.user} changed" in answer.content.decode()
    again = answer.context["form"]["version"].value()
    client.post(f"/campaigns/{campaign.pk}/edit", fields(world, body="Mine", version=again))
    campaign.refresh_from_db()
    assert campaign.body == "Mine"


def test_a_nonsense_version_saves_nothing(world, as_):
    campaign = make.campaign(world.acme, world.customers, body="Sale")
    for version in ("x", "99999999999999999999", "0"):
        answer = as_(world.marketer).post(f"/campaigns/{campaign.pk}/edit", fields(world, version=version))
        assert answer.status_code in {409, 422}
    campaign.refresh_from_db()
    assert campaign.body == "Sale"


def test_a_program_s_change_counts_too(world, client):
    campaign = make.campaign(world.acme, world.customers)
    _key, text = ApiKey.issue(company=world.acme, name="Shop", scopes=["write"])
    headers = {"Authorization": f"Bearer {text}"}
    client.patch(f"/api/v1/campaigns/{campaign.pk}", {"body": "New"}, content_type="application/json", headers=headers)
    with pytest.raises(Changed, match="Shop changed"):
        campaign.launch(version=campaign.version)


@pytest.mark.django_db(transaction=True)
def test_a_save_and_a_launch_at_once_never_send_what_was_not_seen(world):
    campaign = make.campaign(world.acme, world.customers, body="Seen")
    start, outcome = threading.Barrier(2), []

    def save():
        start.wait()
        with transaction.atomic():
            draft = Campaign.objects.of(world.acme).select_for_update().get(pk=campaign.pk)
            if draft.is_draft:
                draft.body = "Unseen"
                draft.save()
                draft.edited(by=Who("Colleague"), fields=["body"])
        connection.close()

    def launch():
        start.wait()
        try:
            outcome.append(Campaign.objects.of(world.acme).get(pk=campaign.pk).launch(version=campaign.version))
        except Changed:
            outcome.append(False)
        connection.close()

    threads = [threading.Thread(target=save), threading.Thread(target=launch)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    campaign.refresh_from_db()
    assert (outcome, campaign.status, campaign.body) in [([True], "sending", "Seen"), ([False], "draft", "Unseen")]


# --- archive


def test_the_archive_hides_from_the_list_and_shows_on_demand(world, as_):
    campaign = make.campaign(world.acme, world.customers, name="Old one")
    client = as_(world.marketer)
    assert "Archived" not in client.get("/campaigns").content.decode()
    client.post(f"/campaigns/{campaign.pk}/archive")
    client.get("/campaigns")
    assert "Old one" not in client.get("/campaigns").content.decode()
    assert "Old one" in client.get("/campaigns", {"status": "archived"}).content.decode()
    client.post(f"/campaigns/{campaign.pk}/restore")
    assert "Old one" in client.get("/campaigns").content.decode()


@pytest.mark.parametrize("status", ["scheduled", "sending", "paused"])
def test_what_is_on_its_way_cannot_be_archived(world, status):
    campaign = make.campaign(
        world.acme, world.customers, status=status, scheduled_at=make.long_ago(-make.timedelta(1)),
        launched_at=make.long_ago(make.timedelta(1)),
    )  # fmt: skip
    with pytest.raises(WrongState):
        campaign.archive()
    assert campaign.archived_at is None
