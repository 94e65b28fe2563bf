"""The quiet second choice on the page behind a link: a pause or single topics, and the way back to stopping all."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from accounts.models import Company
from addressbook import consent, grouping, preferences, seals
from addressbook.models import ConsentEvent, Evidence, Group, Pause, Suppression, TopicLeft
from lib.keys import digest_key
from messaging.addresses import parse
from optout.landing import fewer, link, pages, texts
from tests import make
from tests.optout import links
from tests.optout.test_landing_texts import ALL, brand
from tests.world import PHONE

EMAIL = "sanne@devries.example"


@pytest.fixture
def site(client, world, settings):
    settings.ROOT_URLCONF = "config.short_urls"
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    Company.objects.filter(pk=world.acme.pk).update(offers_pause=True, offers_topics=True)
    Group.objects.of(world.acme).filter(pk=world.customers.pk).update(topic="News", topic_texts={"nl": "Nieuws"})
    make.group(world.acme, "Secret")
    return client


@pytest.fixture
def path(site, world):
    return links.path(links.message(world.acme, PHONE))


def state(response):
    return re.search(rb'<main data-state="([a-z-]+)"', response.content)[1].decode()


def press(site, path, action, follow=True, **fields):
    return site.post(path, {"action": action, "phone": PHONE, **fields}, follow=follow)


def is_paused(company, address=PHONE):
    to = parse(address)
    return bool(preferences.paused(company, channel=to.channel, digests=[to.digest(digest_key())]))


def members(group):
    return list(grouping.members(group).values_list("contact_id", flat=True))


# The form ----------------------------------------------------------------------


def test_nothing_is_offered_unless_the_company_says_so(site, path, world):
    Company.objects.filter(pk=world.acme.pk).update(offers_pause=False, offers_topics=False)
    said = site.get(path).content.decode()

    assert "<details" not in said
    assert "News" not in said


def test_the_choice_stands_below_the_button_that_stops_everything_in_the_one_form(site, path):
    said = site.get(path, headers={"accept-language": "nl"}).content.decode()

    assert said.count("<form") == 1
    assert said.index("<button>Stop deze berichten</button>") < said.index("<details>") < said.index("pause-30")
    assert 'value="pause-90">90 dagen pauze' in said
    assert "<bdi>Nieuws</bdi>" in said
    assert "Secret" not in said


def test_opening_the_page_costs_one_query(site, path, django_assert_num_queries):
    site.get(path)
    with django_assert_num_queries(1):
        site.get(path)


def test_who_just_presses_enter_stops_everything(site, path, world):
    assert state(site.post(path, {"phone": PHONE}, follow=True)) == "opted-out"
    assert Suppression.objects.of(world.acme).exists()


# A pause -----------------------------------------------------------------------


@pytest.mark.parametrize("days", [30, 90])
def test_a_pause_is_chosen_and_its_page_survives_reload(site, path, world, days):
    done = press(site, path, f"pause-{days}", follow=False)
    assert done.status_code == 303

    for _again in range(2):
        page = site.get(done.url)
        assert state(page) == "paused"
        assert 'value="out">Stop everything</button>' in page.content.decode()
    assert is_paused(world.acme)
    assert not Suppression.objects.of(world.acme).exists()


def test_the_number_is_the_second_factor_for_a_pause_too(site, path, world):
    wrong = site.post(path, {"action": "pause-30", "phone": "+31687654321"})
    invalid = site.post(path, {"action": "pause-30", "phone": "12"})

    assert (state(wrong), state(invalid)) == ("wrong-number", "invalid-number")
    assert not Pause.objects.of(world.acme).exists()


def test_a_link_in_an_e_mail_needs_no_number(site, world):
    page = site.post(links.path(links.message(world.acme, EMAIL)), {"action": "pause-30"}, follow=True)

    assert state(page) == "paused"
    assert is_paused(world.acme, EMAIL)


def test_one_click_stops_everything_whatever_else_is_sent(site, world):
    mail = links.path(links.message(world.acme, EMAIL))
    site.post(mail, {"List-Unsubscribe": "One-Click", "action": "pause-30"})

    assert Suppression.objects.of(world.acme).filter(channel="email").exists()
    assert not Pause.objects.of(world.acme).exists()


@pytest.mark.parametrize("action", ["pause-30", "topics"])
def test_what_the_company_does_not_offer_any_more_does_nothing_and_the_form_says_so(site, path, world, action):
    Company.objects.filter(pk=world.acme.pk).update(offers_pause=False, offers_topics=False)
    page = press(site, path, action, topic=world.customers.pk)

    assert (page.status_code, state(page)) == (422, "form")
    assert "Please choose again" in page.content.decode()
    assert not ConsentEvent.objects.of(world.acme).exists()


@pytest.mark.parametrize("action", ["pause-31", "pause-", "pause-\x00", "pause-999999999999"])
def test_other_lengths_are_no_choice(site, path, world, action):
    assert press(site, path, action).status_code == 422
    assert not ConsentEvent.objects.of(world.acme).exists()


def test_the_line_says_what_was_shown_and_chosen(site, world):
    campaign = make.campaign(world.acme, world.customers)
    sent = links.message(world.acme, PHONE, campaign=campaign)
    press(site, links.path(sent), "pause-30", reason="too_many", comment="Too much")

    line = ConsentEvent.objects.of(world.acme).earliest("pk")
    proof = Evidence.objects.of(world.acme).get(pk=line.pk)
    assert (line.type, line.source, line.reason) == ("pause", "landing", "pause:30")
    assert (line.campaign_id, line.message_id) == (campaign.pk, sent.pk)
    assert proof.comment == "Too much"
    assert proof.details["text"] == "Or fewer messages? / Pause for 30 days"
    assert seals.verify(world.acme) == []


def test_from_the_pause_everything_can_be_stopped_without_typing_again(site, path, world):
    done = press(site, path, "pause-30", follow=False)
    page = site.post(done.url, {"action": "out"}, follow=True)

    assert state(page) == "opted-out"
    assert state(site.get(done.url)) == "already-opted-out"
    assert Suppression.objects.of(world.acme).count() == 2
    assert not Pause.objects.of(world.acme).exists()
    assert seals.verify(world.acme) == []


def test_a_pause_can_be_undone(site, path, world):
    done = press(site, path, "pause-30", follow=False)
    page = site.post(done.url, {"action": "undo-pause"}, follow=True)

    assert state(page) == "opted-in"
    assert not is_paused(world.acme)


def test_a_pause_is_no_way_round_an_opt_out(site, path, world):
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    page = press(site, path, "pause-30")

    assert state(page) == "already-opted-out"
    assert Suppression.objects.of(world.acme).count() == 2
    assert not Pause.objects.of(world.acme).exists()


def test_undoing_from_an_old_page_does_not_bring_back_who_left_since(site, path, world):
    done = press(site, path, "pause-30", follow=False)
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")
    page = site.post(done.url, {"action": "undo-pause"}, follow=True)

    assert state(page) == "already-opted-out"
    assert Suppression.objects.of(world.acme).count() == 2


def test_the_page_cannot_be_reached_without_its_receipt(site, path):
    assert site.get(f"{path}/paused/{'A' * 20}").status_code == 404


# Topics ------------------------------------------------------------------------


def test_a_topic_is_left_and_the_rest_stays(site, path, world):
    page = press(site, path, "topics", topic=world.customers.pk)

    assert state(page) == "topics-left"
    assert "<bdi>News</bdi>" in page.content.decode()
    assert TopicLeft.objects.of(world.acme).count() == 2
    assert not members(world.customers)
    assert not Suppression.objects.of(world.acme).exists()
    assert not is_paused(world.acme)


@pytest.mark.parametrize("topic", ["", "x", "99999999999999999999", "\x00", "-1"])
def test_no_topic_is_no_choice(site, path, world, topic):
    assert press(site, path, "topics", topic=topic).status_code == 422
    assert not ConsentEvent.objects.of(world.acme).exists()


def test_only_topics_of_the_company_can_be_left(site, path, world):
    Group.objects.of(world.rival).update(topic="Theirs")
    secret = Group.objects.of(world.acme).get(name="Secret")

    for group in (world.rivals_customers, secret):
        assert press(site, path, "topics", topic=group.pk).status_code == 422
    assert not ConsentEvent.objects.of(world.acme).exists()
    assert not ConsentEvent.objects.of(world.rival).exists()


def test_leaving_a_topic_can_be_undone(site, path, world):
    done = press(site, path, "topics", follow=False, topic=world.customers.pk)
    page = site.post(done.url, {"action": "undo-topics"}, follow=True)

    assert state(page) == "opted-in"
    assert members(world.customers) == [world.contact.pk]


# In every language ---------------------------------------------------------------


@pytest.mark.parametrize("language", ALL)
def test_both_pages_are_small_and_say_all_in_every_language(db, language):
    topics = json.dumps([[pk, "Ж" * 60, {}] for pk in range(8)])
    offering = brand("Acme" * 25, offers_pause=True, topics=topics)

    form = pages.render("form", state="form", language=language, brand=offering, channel="sms").body.decode()
    paused = pages.render("fewer", state="paused", language=language, brand=brand(), date="2030-01-24", left=())

    assert max(len(form.encode()), len(paused.body)) < 14_000
    assert texts.template("pause", language=language).replace("{days}", "90") in form
    assert "2030-01-24" in paused.body.decode()
    assert not re.search(r"<script|\sstyle=|\son[a-z]+=|\{[a-z]+\}", form + paused.body.decode().replace("{}", ""))


@pytest.mark.parametrize(
    ("language", "month"), [("nl", "januari"), ("pl", "stycznia"), ("mt", "Jannar"), ("en", "January")]
)
def test_the_end_of_a_pause_is_a_date_in_the_readers_language(site, path, world, language, month):
    found = link.find(links.message(world.acme, PHONE).pk)
    assert month in fewer._day(datetime(2030, 1, 24, 12, tzinfo=UTC), found, language)
