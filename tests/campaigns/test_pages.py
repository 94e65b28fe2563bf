"""The marketer's pages: dashboard, list, composer, review, report."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.scoping import company_scope
from addressbook import consent
from addressbook.models import Group
from campaigns import audience, dispatch
from campaigns.models import Campaign
from messaging.addresses import Address
from messaging.models import Gateway, Message
from tests import make
from tests.world import CANARY

HUGE = 99999999999999999999


@pytest.fixture
def as_(client):
    def log_in(member):
        client.force_login(member.user)
        return client

    return log_in


def fields(world, **changes):
    return {"name": "Sale", "channel": "sms", "groups": [world.customers.pk], "body": "Sale today", **changes}


def sent(company, *groups, **kwargs):
    """A campaign that has gone through the whole house."""
    campaign = make.campaign(company, *groups, **kwargs)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)
    campaign.refresh_from_db()
    return campaign


def leave(campaign, contact, **facts):
    message = Message.objects.of(campaign.company_id).get(campaign=campaign, contact=contact)
    return consent.opt_out(
        company=campaign.company,
        address=Address("sms", contact.phone),
        source="landing",
        campaign_id=campaign.pk,
        campaign_name=campaign.name,
        message_id=message.pk,
        **facts,
    )


# --- dashboard


def test_a_new_company_is_led_step_by_step(world, as_):
    page = as_(world.marketer).get("/")
    assert page.templates[0].name == "campaigns/welcome.html"
    assert reverse("campaigns:campaign-add") in page.content.decode()


def test_the_dashboard_shows_what_was_sent_and_who_left(world, as_):
    campaign = sent(world.acme, world.customers)
    leave(campaign, world.contact, reason="too_many")
    page = as_(world.viewer).get("/")
    assert page.context["figures"]["sent"] == 1
    assert page.context["figures"]["opt_outs"] == 1
    assert "Too many messages" in page.content.decode()


def test_the_dashboard_counts_nothing_of_another_company(world, as_):
    leave(sent(world.rival, world.rivals_customers), world.rivals_contact, comment=CANARY)
    page = as_(world.owner).get("/")
    assert CANARY not in page.content.decode()
    assert page.templates[0].name == "campaigns/welcome.html"


@pytest.mark.parametrize("days", ["7", "30", "90", "365", "0", "-1", "x", "\x00", str(HUGE)])
def test_any_period_in_the_address_gives_a_page(world, as_, days):
    sent(world.acme, world.customers)
    assert as_(world.viewer).get("/", {"days": days}).status_code == 200


def test_a_warning_shows_only_when_a_campaign_loses_clearly_more(world, as_, monkeypatch):
    campaign = sent(world.acme, world.customers, name="Loud one")
    assert "loses more people" not in as_(world.viewer).get("/").content.decode()
    monkeypatch.setattr("campaigns.insights.figures.usual_rate", lambda *args, **kwargs: 0.001)
    monkeypatch.setattr("campaigns.insights.significance.FEW", 1)
    leave(campaign, world.contact)
    page = as_(world.viewer).get("/").content.decode()
    assert "<strong>Loud one</strong> loses more people than usual" in page


# --- list


def test_an_empty_list_leads_to_the_first_campaign(world, as_):
    assert "Create the first one" in as_(world.marketer).get("/campaigns").content.decode()


def test_the_list_shows_status_audience_opt_outs_and_rate(world, as_):
    leave(sent(world.acme, world.customers, name="Winter"), world.contact)
    text = as_(world.viewer).get("/campaigns").content.decode()
    assert "Winter" in text
    assert "100.00" in text


def test_the_chips_of_the_report_count_the_rows_they_lead_to(world, as_):
    left, _late = (make.contact(world.acme, phone, group=world.customers) for phone in ("+31687654321", "+31687654322"))
    consent.opt_out(company=world.acme, address=Address("sms", left.phone), source="api")
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    consent.opt_out(company=world.acme, address=Address("sms", "+31687654322"), source="api")
    dispatch.run(category="marketing", seconds=5)

    page = as_(world.viewer).get(f"{campaign.get_absolute_url()}?status=suppressed")

    chips = {value: n for value, _label, n in page.context["statuses"]}
    assert chips["suppressed"] == len(page.context["rows"]) == page.context["meanwhile"] == 1
    assert page.context["counts"]["suppressed"] == 2
    assert page.context["left_out"] == []


def test_the_list_pages_by_key(world, as_, monkeypatch):
    monkeypatch.setattr("campaigns.views.campaigns.SHOWN_AT_ONCE", 2)
    made = [make.campaign(world.acme, world.customers) for _ in range(5)]
    client, seen, address = as_(world.viewer), [], "/campaigns"
    while address:
        page = client.get(address)
        seen += [line["campaign"].pk for line in page.context["lines"]]
        address = f"/campaigns?before={page.context['next']}" if page.context["next"] else ""
    assert seen == [c.pk for c in reversed(made)]


@pytest.mark.parametrize(
    "query", ["before=x", "before=-1", f"before={HUGE}", "before=%00", "status=nope", "status=%00"]
)
def test_a_broken_address_of_the_list_gives_a_page(world, as_, query):
    make.campaign(world.acme, world.customers)
    assert as_(world.viewer).get(f"/campaigns?{query}").status_code == 200


def test_the_list_can_be_narrowed_to_a_status(world, as_):
    make.campaign(world.acme, world.customers, name="Only a draft")
    page = as_(world.viewer).get("/campaigns?status=sent").content.decode()
    assert "Only a draft" not in page
    assert "No campaign with this status" in page


# --- composing


def test_a_draft_is_saved_and_opened_again(world, as_):
    client = as_(world.marketer)
    answer = client.post("/campaigns/new", fields(world, body="Hi {first_name|there}"))
    campaign = Campaign.objects.of(world.acme).get()
    assert answer.headers["Location"] == reverse("campaigns:campaign-edit", args=[campaign.pk])
    page = client.get(answer.headers["Location"]).content.decode()
    assert "Hi {first_name|there}" in page
    assert "Hi Sanne" in page  # the preview without script


def test_review_leads_to_the_summary(world, as_):
    answer = as_(world.marketer).post("/campaigns/new", fields(world, review="1"))
    campaign = Campaign.objects.of(world.acme).get()
    assert answer.headers["Location"] == reverse("campaigns:campaign-review", args=[campaign.pk])


def test_a_wrong_field_keeps_what_was_typed_and_says_why_beside_it(world, as_):
    answer = as_(world.marketer).post("/campaigns/new", fields(world, body="Hi {frist_name}", name="Kept"))
    text = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="id_body_error"' in text
    assert "{frist_name} is not a field" in text
    assert 'value="Kept"' in text
    assert not Campaign.objects.of(world.acme).exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a\x00b"},
        {"body": "\x00"},
        {"body": "x" * 1_000_000},
        {"name": "x" * 1_000_000},
        {"opt_out_text": "{link}" + "x" * 200},
        {"groups": [str(HUGE)]},
        {"groups": ["x", "\x00"]},
        {"groups": []},
        {"channel": "fax"},
        {"sender": "NOT-OURS"},
        {"scheduled_at": "yesterday"},
        {"scheduled_at": "0001-01-01T00:00"},
        {"channel": "email"},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_what_cannot_be_is_refused_with_422(world, as_, changes):
    answer = as_(world.marketer).post("/campaigns/new", fields(world, **changes))
    assert answer.status_code == 422
    assert not Campaign.objects.of(world.acme).exists()


def test_right_to_left_text_and_emoji_are_kept(world, as_):
    as_(world.marketer).post("/campaigns/new", fields(world, body="تخفيضات اليوم 🎉 \u202eabc"))
    assert Campaign.objects.of(world.acme).get().body == "تخفيضات اليوم 🎉 \u202eabc"


def test_the_groups_of_another_company_cannot_be_chosen(world, as_):
    answer = as_(world.marketer).post("/campaigns/new", fields(world, groups=[world.rivals_customers.pk]))
    assert answer.status_code == 422
    assert CANARY not in answer.content.decode()


def test_a_launched_campaign_cannot_be_edited(world, as_):
    campaign = sent(world.acme, world.customers, body="Before")
    as_(world.marketer).post(f"/campaigns/{campaign.pk}/edit", fields(world, body="After"))
    campaign.refresh_from_db()
    assert (campaign.body, campaign.status) == ("Before", "sent")


# --- review and launch


def test_the_review_names_who_is_reached_and_who_is_left_out(world, as_):
    make.contact(world.acme, email="only@mail.example", group=world.customers)
    out = make.contact(world.acme, group=world.customers)
    consent.opt_out(company=world.acme, address=Address("sms", out.phone), source="marketer")
    campaign = make.campaign(world.acme, world.customers)
    page = as_(world.marketer).get(f"/campaigns/{campaign.pk}/review")
    reach = page.context["reach"]
    assert (reach.all, reach.left_out["suppressed"], reach.left_out["no_address"], reach.reached) == (3, 1, 1, 1)
    assert "Launch to 1 person" in page.content.decode()


def test_a_campaign_without_groups_is_not_launched(world, as_):
    campaign = make.campaign(world.acme)
    answer = as_(world.marketer).post(f"/campaigns/{campaign.pk}/launch")
    campaign.refresh_from_db()
    assert answer.status_code == 422
    assert "No group is chosen" in answer.content.decode()
    assert campaign.status == "draft"


def test_a_campaign_that_reaches_nobody_is_not_launched(world, as_):
    campaign = make.campaign(world.acme, make.group(world.acme, "Nobody"))
    answer = as_(world.marketer).post(f"/campaigns/{campaign.pk}/launch")
    campaign.refresh_from_db()
    assert answer.status_code == 422
    assert "Nobody would be reached" in answer.content.decode()
    assert campaign.status == "draft"


def test_a_company_without_a_gateway_is_told_before_the_launch(world, as_):
    Gateway.objects.of(world.acme).delete()
    campaign = make.campaign(world.acme, world.customers)
    answer = as_(world.marketer).post(f"/campaigns/{campaign.pk}/launch")
    assert answer.status_code == 422
    assert "no gateway" in answer.content.decode()


def test_launching_twice_is_harmless(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    client = as_(world.marketer)
    for _ in range(2):
        assert client.post(f"/campaigns/{campaign.pk}/launch").status_code == 302
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)
    client.post(f"/campaigns/{campaign.pk}/launch")
    campaign.refresh_from_db()
    assert campaign.status == "sent"
    assert Message.objects.of(world.acme).count() == 1


def test_a_time_ahead_schedules(world, as_):
    campaign = make.campaign(world.acme, world.customers, scheduled_at=timezone.now() + timedelta(days=1))
    client = as_(world.marketer)
    assert "Schedule for 1 person" in client.get(f"/campaigns/{campaign.pk}/review").content.decode()
    client.post(f"/campaigns/{campaign.pk}/launch")
    campaign.refresh_from_db()
    assert campaign.status == "scheduled"
    assert "Goes out on" in client.get(f"/campaigns/{campaign.pk}").content.decode()


@pytest.mark.django_db(transaction=True)
def test_saving_a_draft_does_not_undo_a_launch_at_the_same_moment(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    client = as_(world.marketer)
    pressed = threading.Barrier(2)

    def launch():
        pressed.wait()
        Campaign.objects.of(world.acme).get(pk=campaign.pk).launch()
        connection.close()

    other = threading.Thread(target=launch)
    other.start()
    pressed.wait()
    client.post(f"/campaigns/{campaign.pk}/edit", fields(world, name="Saved late"))
    other.join()
    campaign.refresh_from_db()
    assert campaign.status == "sending"


# --- the campaign's page


def test_counts_on_the_page_add_up_to_the_audience(world, as_):
    for _ in range(4):
        make.contact(world.acme, group=world.customers)
    early = make.contact(world.acme, group=world.customers)
    consent.opt_out(company=world.acme, address=Address("sms", early.phone), source="marketer")
    page = as_(world.viewer).get(f"/campaigns/{sent(world.acme, world.customers).pk}")
    assert sum(part["n"] for part in page.context["split"]) == page.context["counts"]["audience"] == 6
    assert page.context["done"] == page.context["total"] == 5


def test_the_report_tells_rate_reason_words_and_method(world, as_):
    campaign = sent(world.acme, world.customers)
    leave(campaign, world.contact, reason="too_many", comment="Third text <b>this</b> week")
    text = as_(world.viewer).get(f"/campaigns/{campaign.pk}").content.decode()
    assert "Third text &lt;b&gt;this&lt;/b&gt; week" in text
    assert "Too many messages" in text
    assert "Netherlands" in text
    assert "Show as table" in text


def test_while_sending_the_page_asks_for_progress(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    client = as_(world.viewer)
    assert (
        f'hx-get="/campaigns/{campaign.pk}/progress?was=sending"'
        in client.get(campaign.get_absolute_url()).content.decode()
    )
    part = client.get(f"/campaigns/{campaign.pk}/progress?was=sending")
    assert "0 of 1 done" in part.content.decode()
    assert "HX-Refresh" not in part.headers


def test_the_asking_stops_when_the_campaign_is_done(world, as_):
    campaign = sent(world.acme, world.customers)
    part = as_(world.viewer).get(f"/campaigns/{campaign.pk}/progress?was=sending")
    assert part.headers["HX-Refresh"] == "true"
    assert "hx-get" not in part.content.decode()


def test_pause_resume_and_cancel(world, as_):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    client = as_(world.marketer)
    for verb, status in [("pause", "paused"), ("resume", "sending"), ("cancel", "cancelled")]:
        client.post(f"/campaigns/{campaign.pk}/{verb}")
        campaign.refresh_from_db()
        assert campaign.status == status
        assert client.get(campaign.get_absolute_url()).status_code == 200


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_a_verb_that_does_not_fit_is_explained(world, as_, verb):
    campaign = sent(world.acme, world.customers)
    page = as_(world.marketer).post(f"/campaigns/{campaign.pk}/{verb}", follow=True)
    assert "cannot do that" in page.content.decode()


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_a_draft_is_neither_paused_nor_cancelled(world, as_, verb):
    campaign = make.campaign(world.acme, world.customers)
    as_(world.marketer).post(f"/campaigns/{campaign.pk}/{verb}")
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_messages_page_by_key_and_by_status(world, as_, monkeypatch):
    monkeypatch.setattr("campaigns.views.campaigns.SHOWN_AT_ONCE", 2)
    for _ in range(4):
        make.contact(world.acme, group=world.customers)
    campaign = sent(world.acme, world.customers)
    rows = Message.objects.of(world.acme).order_by("contact_id")
    rows.filter(pk=rows[0].pk).update(contact=None, address="")
    client, seen, after = as_(world.viewer), [], ""
    while True:
        page = client.get(campaign.get_absolute_url(), {"status": "delivered", "after": after})
        seen += [message.pk for message in page.context["rows"]]
        after = page.context["next"]
        if not after:
            break
    assert sorted(seen) == sorted(rows.values_list("pk", flat=True))
    assert not client.get(campaign.get_absolute_url(), {"status": "failed"}).context["rows"]


@pytest.mark.parametrize(
    "query", ["after=x", "after=e", "after=e\x00", f"after={HUGE}", f"after=e{HUGE}", "status=\x00"]
)
def test_a_broken_address_of_the_report_gives_a_page(world, as_, query):
    campaign = sent(world.acme, world.customers)
    name, _, value = query.partition("=")
    assert as_(world.viewer).get(campaign.get_absolute_url(), {name: value}).status_code == 200


def test_a_copy_is_a_new_draft_with_the_same_text_and_audience(world, as_):
    campaign = sent(world.acme, world.customers, body="Same words")
    as_(world.marketer).post(f"/campaigns/{campaign.pk}/duplicate")
    copy = Campaign.objects.of(world.acme).exclude(pk=campaign.pk).get()
    with company_scope(world.acme):
        assert (copy.status, copy.body, list(copy.groups.all())) == ("draft", "Same words", [world.customers])


def test_only_a_draft_can_be_deleted(world, as_):
    draft, history = make.campaign(world.acme, world.customers), sent(world.acme, world.customers)
    for campaign in (draft, history):
        as_(world.marketer).post(f"/campaigns/{campaign.pk}/delete")
    assert list(Campaign.objects.of(world.acme)) == [history]


def test_a_company_without_groups_is_told_so(world, as_):
    Group.objects.of(world.acme).delete()
    assert "There are no groups yet" in as_(world.marketer).get("/campaigns/new").content.decode()
