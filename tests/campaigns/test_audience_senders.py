"""As whom a campaign speaks, country by country; where no lawful way out is left, nobody is written to."""

from __future__ import annotations

import pytest

from campaigns import audience, trial
from campaigns.audit import NOBODY, Action
from campaigns.models import Campaign
from campaigns.preview import preview
from messaging.addresses import Address
from messaging.models import Message, Sender
from optout import destinations
from optout.models import DestinationRule
from tests import make

pytestmark = pytest.mark.django_db
FRENCH, GERMAN = "+33612345678", "+4915112345678"


@pytest.fixture(autouse=True)
def _fresh_rules(monkeypatch):
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))


@pytest.fixture
def people(world):
    for phone in (FRENCH, GERMAN):
        make.contact(world.acme, phone, group=world.customers)
    Sender.objects.create(company=world.acme, value="ACME", kind="alphanumeric")
    Sender.objects.create(company=world.acme, value="+33700000001", kind="long_code", country="FR")
    return world


def campaign_of(world, senders=None, **fields) -> Campaign:
    campaign = make.campaign(world.acme, world.customers, sender="ACME", **fields)
    campaign.set_senders(senders or {})
    return campaign


def written(campaign: Campaign) -> dict[str, tuple[str, str]]:
    campaign.launch()
    audience.build(campaign)
    campaign.refresh_from_db()
    rows = Message.objects.of(campaign.company_id).filter(campaign=campaign)
    return {m.country: (m.sender, m.method) for m in rows}


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


def form_of(world, **changes):
    return {"name": "Sale", "channel": "sms", "groups": [world.customers.pk], "body": "Sale today", **changes}


def test_a_country_s_own_sender_speaks_there_and_the_campaign_s_elsewhere(people):
    ways = written(campaign_of(people, {"FR": "+33700000001"}))

    assert ways["FR"] == ("+33700000001", "reply")
    assert ways["DE"] == ways["NL"] == ("ACME", "link")


def test_a_sender_that_cannot_receive_replies_turns_the_method_to_link(people):
    assert written(campaign_of(people, {"FR": "ACME"}))["FR"] == ("ACME", "link")


def test_a_number_of_several_countries_takes_replies_in_each(people):
    """One sender, registered once per country."""
    Sender.objects.create(company=people.acme, value="+33700000001", kind="long_code", country="DE")

    ways = written(campaign_of(people, {"FR": "+33700000001", "DE": "+33700000001"}))

    assert ways["FR"][1] == ways["DE"][1] == "reply"


def test_where_no_lawful_way_out_exists_with_the_chosen_sender_people_are_left_out(people):
    DestinationRule.objects.filter(country="FR").update(methods=["reply"], link_allowed=False)
    good, bad = campaign_of(people, {"FR": "+33700000001"}), campaign_of(people)

    assert audience.reach(good).left_out["no_way"] == 0
    assert audience.reach(bad).uncovered == ["FR"]
    assert set(written(good)) == {"NL", "FR", "DE"}
    assert set(written(bad)) == {"NL", "DE"}
    assert (good.left_out_no_way, bad.left_out_no_way) == (0, 1)


def test_the_preview_shows_each_country_s_sender(people):
    samples = preview(campaign_of(people, {"FR": "+33700000001"}))

    assert {s.country: (s.sender, s.method) for s in samples}["FR"] == ("+33700000001", "reply")


def test_a_test_comes_from_the_sender_of_its_country(people):
    trial.send(campaign_of(people, {"FR": "+33700000001"}), to=[Address("sms", "+33698765432")], by=NOBODY)

    assert Message.objects.of(people.acme).get().sender == "+33700000001"


def test_a_copy_keeps_its_senders_and_exclusions(people):
    earlier = make.campaign(people.acme)
    campaign = campaign_of(people, {"FR": "+33700000001"}, not_messaged_days=5)
    campaign.exclude_campaigns.set([earlier])

    copy = campaign.duplicate(by=NOBODY)

    assert copy.senders() == {"FR": "+33700000001"}
    assert copy.not_messaged_days == 5
    assert list(copy.exclude_campaigns.through.objects.filter(from_campaign=copy)) != []


# --- in the composer


def test_the_composer_offers_the_senders_of_the_audience_s_countries(people, marketer):
    page = marketer.get(f"/campaigns/{campaign_of(people).pk}/edit").content.decode()

    assert 'name="sender_FR"' in page
    assert page.count("+33700000001") >= 1
    assert 'name="sender_GB"' not in page


def test_a_sender_is_offered_only_where_it_works(people, marketer):
    form = marketer.get(f"/campaigns/{campaign_of(people).pk}/edit").context["form"]

    assert "+33700000001" in dict(form.fields["sender_FR"].choices)
    assert "+33700000001" not in dict(form.fields["sender_DE"].choices)


def test_the_list_of_senders_comes_with_the_preview_when_the_audience_has_other_countries(people, marketer):
    data = form_of(people)
    first = marketer.post("/campaigns/preview", data).content.decode()
    again = marketer.post("/campaigns/preview", {**data, "sender_FR": "", "sender_DE": "", "sender_NL": ""})

    assert 'hx-swap-oob="true"' in first
    assert 'name="sender_DE"' in first
    assert "hx-swap-oob" not in again.content.decode()


def test_a_chosen_sender_is_previewed_stored_and_in_the_history(people, marketer):
    campaign = campaign_of(people)
    data = form_of(people, sender_FR="+33700000001", sender="ACME", version=campaign.version)
    shown = marketer.post("/campaigns/preview", data).context["samples"]

    marketer.post(f"/campaigns/{campaign.pk}/edit", data)

    assert {s.country: s.method for s in shown}["FR"] == "reply"
    assert campaign.senders() == {"FR": "+33700000001"}
    action = Action.objects.of(people.acme).filter(verb="edited").latest("pk")
    assert "senders" in action.details["fields"]


@pytest.mark.parametrize("sender", ["Rival", "36179"])
def test_a_sender_that_the_company_may_not_use_is_refused(people, marketer, sender):
    Sender.objects.create(company=people.rival, value="36179", kind="short_code", country="FR")

    response = marketer.post("/campaigns/new", form_of(people, sender_FR=sender))

    assert response.status_code == 422
    assert "sender_FR" in response.context["form"].errors


def test_an_email_has_no_senders_of_countries(people, marketer):
    campaign = campaign_of(people, {"FR": "+33700000001"})

    marketer.post(f"/campaigns/{campaign.pk}/edit", form_of(people, channel="email", subject="S", sender_FR="ACME"))

    assert campaign.senders() == {}


def test_the_composer_leaves_out_by_campaign_and_by_days(people, marketer):
    earlier = make.campaign(people.acme, people.customers)
    earlier.launch()
    data = form_of(people, exclude_campaigns=[earlier.pk], not_messaged_days="7")

    marketer.post("/campaigns/new", data)

    draft = Campaign.objects.of(people.acme).latest("pk")
    assert draft.not_messaged_days == 7
    page = marketer.get(f"/campaigns/{draft.pk}/review").content.decode()
    assert earlier.name in page
    assert "in the last 7 days" in page


@pytest.mark.parametrize("days", ["0", "-1", "366", "many", "99999999999999999999"])
def test_days_that_cannot_be_are_refused(people, marketer, days):
    response = marketer.post("/campaigns/new", form_of(people, not_messaged_days=days))

    assert "not_messaged_days" in response.context["form"].errors


def test_rival_s_campaign_cannot_be_chosen(people, marketer):
    foreign = make.campaign(people.rival, people.rivals_customers)
    foreign.launch()

    response = marketer.post("/campaigns/new", form_of(people, exclude_campaigns=[foreign.pk]))

    assert "exclude_campaigns" in response.context["form"].errors


def test_the_page_of_a_sent_campaign_says_who_was_left_out_and_why(people, marketer):
    make.contact(people.acme, "+31201234567", group=people.customers)
    campaign = campaign_of(people)
    written(campaign)

    page = marketer.get(f"/campaigns/{campaign.pk}")

    assert page.context["left_out"] == [{"reason": "landline", "label": "A landline, which takes no SMS", "n": 1}]
    assert page.context["funnel"][0]["n"] == 4


def test_an_owner_sets_the_company_s_cap(world, client):
    client.force_login(world.owner.user)
    form = client.get("/settings").context["form"]
    data = {name: form[name].value() or "" for name in form.fields}

    client.post("/settings", {**data, "frequency_cap": "4", "frequency_days": "30"})

    world.acme.refresh_from_db()
    assert (world.acme.frequency_cap, world.acme.frequency_days) == (4, 30)
