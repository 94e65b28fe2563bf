"""The review inbox: what a person sees of a reply, and what a decision does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from addressbook.models import Suppression
from campaigns import audience, dispatch
from messaging.models import HandsetMessage, Sender
from optout import replies
from optout.models import ReviewItem
from tests import make
from tests.world import CANARY, PHONE

INBOX = "/replies"


def asked(company, text="please leave me alone", *, from_=PHONE, to=""):
    replies.receive_simulated(company=company, from_=from_, to=to, text=text)
    return ReviewItem.objects.across_companies().latest("pk")


def decide(client, item, decision):
    return client.post(reverse("optout:reply-decide", args=[item.pk]), {"decision": decision}, follow=True)


def page(client, **query):
    return client.get(INBOX, query).content.decode()


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


@pytest.fixture
def viewer(client, world):
    client.force_login(world.viewer.user)
    return client


def test_an_empty_inbox_says_what_will_come_here(marketer):
    assert "No reply waits for you" in page(marketer)


def test_the_inbox_shows_the_text_the_suggestion_and_the_three_keys(world, marketer):
    asked(world.acme)

    shown = page(marketer)

    assert "please leave me alone" in shown
    assert "probably an opt-out" in shown
    assert "Until you decide, no marketing goes to this number" in shown
    assert all(f'data-key="{key}"' in shown for key in "okh")


def test_the_conversation_shows_the_message_that_was_answered(world, marketer):
    campaign = make.campaign(world.acme, world.customers, body="Sample sale this Saturday", name="Cape Town")
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")
    asked(world.acme)

    shown = page(marketer)

    assert "Sample sale this Saturday" in shown
    assert "Cape Town" in shown


def test_the_oldest_reply_comes_first_and_another_can_be_chosen(world, marketer):
    asked(world.acme, "first question?")
    second = asked(world.acme, "leave me alone", from_="+31687654321")

    assert "A question" in page(marketer)
    assert "Probably an opt-out" in page(marketer, item=second.pk)


def test_the_age_stands_against_the_deadline(world, marketer):
    item = asked(world.acme)
    ReviewItem.objects.of(world.acme).update(created_at=timezone.now() - timedelta(days=2))
    item.refresh_from_db()

    shown = page(marketer)

    assert "the oldest for 2\xa0days, to be settled within 10 working days" in shown
    assert "overdue" not in shown


def test_what_waits_beyond_ten_working_days_is_overdue(world, marketer):
    asked(world.acme)
    ReviewItem.objects.of(world.acme).update(created_at=timezone.now() - timedelta(days=20))

    assert "overdue" in page(marketer)


def test_the_deadline_leaves_weekends_out(world):
    item = asked(world.acme)
    item.created_at = timezone.now().replace(year=2025, month=11, day=28)  # a Friday

    assert str(item.due_on) == "2025-12-12"


def test_opt_out_by_a_person_is_in_force_at_once(world, marketer):
    answer = decide(marketer, asked(world.acme), "opt_out")

    assert "Opted out" in answer.content.decode()
    assert Suppression.objects.of(world.acme).filter(channel="sms").exists()


def test_keeping_lifts_the_hold_and_opts_nobody_out(world, marketer):
    item = asked(world.acme)

    decide(marketer, item, "kept")

    assert not ReviewItem.objects.of(world.acme).holding().exists()
    assert not Suppression.objects.of(world.acme).exists()


def test_help_is_sent_from_the_inbox(world, marketer):
    decide(marketer, asked(world.acme, "who is this?"), "helped")
    dispatch.run(category="transactional")

    assert HandsetMessage.objects.of(world.acme).get().text == "Dit is Acme."


def test_a_second_decision_is_harmless(world, marketer):
    item = asked(world.acme)
    decide(marketer, item, "kept")

    answer = decide(marketer, item, "opt_out")

    assert "settled this reply already" in answer.content.decode()
    assert not Suppression.objects.of(world.acme).exists()


@pytest.mark.parametrize("decision", ["", "nonsense", "OPT_OUT", "x" * 5000, "\x00"])
def test_a_decision_that_is_none_changes_nothing_and_says_what_to_choose(world, marketer, decision):
    answer = decide(marketer, asked(world.acme), decision)

    assert "Choose “Opt out”" in answer.content.decode()
    assert ReviewItem.objects.of(world.acme).waiting().count() == 1


def test_a_viewer_reads_but_has_no_keys(world, viewer):
    asked(world.acme)

    shown = page(viewer)

    assert "please leave me alone" in shown
    assert "data-key" not in shown


def test_a_viewer_may_not_decide(world, viewer):
    item = asked(world.acme)

    assert viewer.post(reverse("optout:reply-decide", args=[item.pk]), {"decision": "opt_out"}).status_code == 403
    assert ReviewItem.objects.of(world.acme).waiting().count() == 1


def test_opening_the_inbox_changes_nothing(world, marketer):
    item = asked(world.acme)

    assert marketer.get(reverse("optout:reply-decide", args=[item.pk])).status_code == 405
    page(marketer, item=item.pk)

    assert ReviewItem.objects.of(world.acme).waiting().count() == 1


def test_rivals_reply_cannot_be_seen_or_decided(world, marketer):
    item = asked(world.rival, f"{CANARY} says leave me alone")

    assert CANARY not in page(marketer)
    assert CANARY not in page(marketer, item=item.pk)
    answer = marketer.post(reverse("optout:reply-decide", args=[item.pk]), {"decision": "opt_out"})
    assert answer.status_code == 404
    assert ReviewItem.objects.of(world.rival).waiting().count() == 1


def test_on_a_shared_code_the_conversation_shows_nothing_that_was_meant_for_rival(world, marketer):
    Sender.objects.create(value="3669", kind="short_code", country="NL")
    for company, group in ((world.acme, world.customers), (world.rival, world.rivals_customers)):
        campaign = make.campaign(company, group)
        campaign.launch()
        audience.build(campaign)
        dispatch.run(category="marketing")
    asked(world.acme, f"leave me alone, {CANARY}", to="3669")
    Sender.objects.all().delete()
    asked(world.acme, "what is this?")

    shown = page(marketer)

    assert "what is this?" in shown
    assert CANARY not in shown


def test_a_decision_on_a_reply_that_never_was_is_not_found(marketer):
    assert marketer.post("/replies/99999999/decide", {"decision": "kept"}).status_code == 404


@pytest.mark.parametrize("item", ["", "0", "-1", "99999999999999999999", "x", "\x00", "²"])
def test_an_item_that_is_none_shows_the_oldest(world, marketer, item):
    asked(world.acme)

    assert "please leave me alone" in page(marketer, item=item)


def test_decided_replies_are_kept_with_who_decided_what(world, marketer):
    decide(marketer, asked(world.acme), "kept")

    shown = page(marketer, show="decided")

    assert "please leave me alone" in shown
    assert "not an opt-out" in shown
    assert str(world.marketer.user) in shown


def test_a_reply_settled_by_a_later_stop_says_so(world, marketer):
    asked(world.acme)
    replies.receive_simulated(company=world.acme, from_=PHONE, to="", text="stop")

    assert "a later STOP" in page(marketer, show="decided")


def test_the_history_is_paged(world, marketer, monkeypatch):
    from optout.views import review

    monkeypatch.setattr(review, "SHOWN", 1)
    first, second = asked(world.acme, "first one?"), asked(world.acme, "second one?")
    decide(marketer, first, "kept")
    decide(marketer, second, "kept")

    newest = page(marketer, show="decided")
    assert "second one?" in newest
    assert "first one?" not in newest
    assert f"before={second.pk}" in newest
    assert "first one?" in page(marketer, show="decided", before=second.pk)


@pytest.mark.parametrize("before", ["0", "99999999999999999999", "x", "-1"])
def test_a_page_that_never_was_breaks_nothing(world, marketer, before):
    assert marketer.get(INBOX, {"show": "decided", "before": before}).status_code in {200, 404}


def test_who_was_erased_shows_as_erased(world, marketer):
    item = asked(world.acme)
    item.reply.sender, item.reply.text = "", ""
    item.reply.save()

    assert "erased" in page(marketer)


def test_words_of_a_stranger_are_shown_as_text(world, marketer):
    asked(world.acme, "<script>alert(1)</script>")

    assert "<script>alert(1)" not in page(marketer)


def test_the_inbox_needs_a_log_in(client, world):
    assert client.get(INBOX).status_code == 302


def test_the_inbox_costs_the_same_number_of_queries_however_much_waits(world, marketer, django_assert_max_num_queries):
    for n in range(20):
        asked(world.acme, f"question {n}?", from_=f"+3161234{5000 + n}")

    with django_assert_max_num_queries(14):
        page(marketer)
