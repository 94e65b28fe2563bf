"""The simulator's page: handsets that receive what campaigns deliver, and answer."""

from __future__ import annotations

import re

import pytest

from addressbook.models import Suppression
from campaigns import audience, dispatch
from messaging.models import Gateway, HandsetMessage, Reply, Sender
from optout import links
from tests import make
from tests.world import CANARY, PHONE

PAGE = "/simulator/"
ANSWER = "/simulator/reply"
HTMX = {"HX-Request": "true"}


def sent(company, group, **fields):
    campaign = make.campaign(company, group, **fields)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")
    return campaign


def page(client, **query):
    return client.get(PAGE, query).content.decode()


def say(client, text, *, from_=PHONE, to="", **more):
    return client.post(ANSWER, {"from": from_, "to": to, "text": text}, **more)


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


@pytest.fixture
def viewer(client, world):
    client.force_login(world.viewer.user)
    return client


def test_without_messages_the_page_leads_to_a_campaign(marketer):
    shown = page(marketer)

    assert "No handset has received anything yet" in shown
    assert 'href="/campaigns/new"' in shown


def test_a_handset_shows_what_was_delivered_with_a_link_that_opens(world, marketer, settings):
    sent(world.acme, world.customers)
    message = HandsetMessage.objects.of(world.acme).get()

    shown = page(marketer)

    assert "Sale today" in shown
    assert f'href="{links.url(message.message_id, "sms")}"' in shown


def test_other_links_open_too_and_nothing_else_becomes_one(world, marketer):
    sent(world.acme, world.customers, body='See https://shop.example/sale?x=1. <b onclick="x">javascript:alert(1)</b>')

    shown = page(marketer)

    assert 'href="https://shop.example/sale?x=1"' in shown
    assert 'href="javascript' not in shown
    assert "<b onclick" not in shown


def test_handsets_stand_side_by_side_and_the_rest_is_listed(world, marketer):
    for n in range(6):
        make.contact(world.acme, f"+3161234567{n}", group=world.customers)

    sent(world.acme, world.customers)
    shown = page(marketer)

    assert shown.count('name="shown"') == 4
    assert "Other handsets" in shown


@pytest.mark.parametrize("typed", ["+31612345678", "06 12345678", "0031 6 12 34 56 78", "tel:+31612345678"])
def test_a_handset_is_found_by_its_number_in_any_writing(world, marketer, typed):
    world.acme.country = "NL"
    world.acme.save()
    for n in range(5):
        make.contact(world.acme, f"+3168765432{n}", group=world.customers)
    sent(world.acme, world.customers)

    shown = page(marketer, to=typed)

    assert re.findall(r'name="shown" value="([^"]*)"', shown)[0] == PHONE


@pytest.mark.parametrize("typed", ["12", "x" * 5000, "\x00", "🛑", "+99999999999999999999"])
def test_what_is_no_number_is_said_and_kept(marketer, typed):
    answer = marketer.get(PAGE, {"to": typed})

    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()


def test_stop_from_a_handset_opts_out_and_shows_as_its_answer(world, marketer):
    sent(world.acme, world.customers)

    answer = say(marketer, "STOP", follow=True)

    assert Suppression.objects.of(world.acme).filter(channel="sms").exists()
    assert "STOP</p>" in answer.content.decode()


def test_a_handset_answers_the_number_that_the_text_named(world, marketer):
    Sender.objects.create(value="3669", kind="short_code", country="NL")
    sent(world.acme, world.customers, sender="Acme")

    assert 'name="to" value="3669"' in page(marketer)


def test_a_handset_in_the_trial_without_any_sender_can_answer(world, marketer):
    sent(world.acme, world.customers)

    assert 'name="to" value=""' in page(marketer)
    assert say(marketer, "stop").status_code == 302
    assert Suppression.objects.of(world.acme).exists()


def test_an_answer_over_htmx_brings_back_an_empty_form_and_wakes_the_page(world, marketer):
    sent(world.acme, world.customers)

    answer = say(marketer, "who is this?", headers=HTMX)

    assert answer.status_code == 200
    assert answer["HX-Trigger"] == "answered"
    assert "who is this?" not in answer.content.decode()


@pytest.mark.parametrize("text", ["", "   ", "x" * 2000, "\x00"])
def test_an_answer_that_cannot_be_sent_says_why_and_is_kept(world, marketer, text):
    answer = say(marketer, text, headers=HTMX)

    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert not Reply.objects.of(world.acme).exists()


@pytest.mark.parametrize("from_", ["", "Sanne", "\x00", "x" * 5000, "sanne@devries.example", "+99999999999999999999"])
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_answer_from_nowhere_is_refused(world, marketer, from_, headers):
    assert say(marketer, "stop", from_=from_, headers=headers).status_code in {302, 422}
    assert not Reply.objects.of(world.acme).exists()


@pytest.mark.parametrize("to", ["\x00", "x" * 5000, "🛑", "Acme"])
def test_an_answer_to_anything_is_taken(world, marketer, to):
    assert say(marketer, "stop", to=to).status_code == 302
    assert Reply.objects.of(world.acme).count() == 1


def test_nothing_is_exchanged_while_nothing_is_new(world, marketer):
    sent(world.acme, world.customers)
    seen = re.search(r"seen=(\d+-\d+)", page(marketer))[1]

    assert marketer.get(PAGE, {"seen": seen}, headers=HTMX).status_code == 204


def test_news_bring_the_talk_and_leave_the_typed_answer_alone(world, marketer):
    sent(world.acme, world.customers)
    seen = re.search(r"seen=(\d+-\d+)", page(marketer))[1]
    say(marketer, "hello?")

    news = marketer.get(PAGE, {"seen": seen, "shown": [PHONE]}, headers=HTMX).content.decode()

    assert "hello?" in news
    assert 'hx-swap-oob="true"' in news
    assert 'name="text"' not in news
    assert f"seen={seen}" not in news


def test_a_handset_that_hears_something_for_the_first_time_joins_the_page(world, marketer):
    seen = re.search(r"seen=(\d+-\d+)", page(marketer))[1]
    sent(world.acme, world.customers)

    news = marketer.get(PAGE, {"seen": seen}, headers=HTMX).content.decode()

    assert "beforeend:#handsets" in news
    assert "Sale today" in news


def test_a_mailbox_has_no_field_to_answer(world, marketer):
    sent(world.acme, world.customers, channel="email", subject="Autumn sale")

    shown = page(marketer)

    assert "Autumn sale" in shown
    assert 'name="text"' not in shown


def test_a_viewer_looks_on_without_answering(world, viewer):
    sent(world.acme, world.customers)

    shown = page(viewer)

    assert "Sale today" in shown
    assert 'name="text"' not in shown
    assert say(viewer, "stop").status_code == 403


def test_rivals_handset_of_the_same_number_shows_nothing_at_acme(world, marketer):
    sent(world.rival, world.rivals_customers, body=CANARY)

    assert CANARY not in page(marketer, to=PHONE)
    assert CANARY not in marketer.get(PAGE, {"seen": "x", "shown": [PHONE]}, headers=HTMX).content.decode()


def test_a_company_with_a_provider_is_told_that_its_handsets_are_real(world, marketer):
    Gateway.objects.of(world.acme).update(kind="nothing")

    assert "go to real handsets" in page(marketer)
    assert say(marketer, "stop").status_code == 302
    assert say(marketer, "stop", headers=HTMX).status_code == 422
    assert not Reply.objects.of(world.acme).exists()


def test_the_simulator_needs_a_log_in(client, world):
    assert client.get(PAGE).status_code == 302
    assert say(client, "stop").status_code == 302
    assert not Reply.objects.of(world.acme).exists()
