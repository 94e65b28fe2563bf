"""What a reply does: whom it concerns, what follows, and that nothing received is lost."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta

import pytest
from django.db import connections, transaction
from django.utils import timezone

from accounts.models import Bucket, Company
from addressbook import consent
from addressbook.models import ConsentEvent, Contact, Evidence, Suppression
from campaigns import audience, dispatch, gate
from config import sweeps
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress
from messaging.models import Gateway, HandsetMessage, Message, Reply, Sender
from messaging.models.routes import Route
from messaging.segments import measure
from optout import answers, destinations, keywords, replies, stops
from optout.models import DestinationRule, ReviewItem
from tests import make
from tests.world import PHONE

CODE = "3669"
UNKNOWN = "+31687654321"


def sent(company, group, **fields):
    """A campaign that has been handed over to everybody in the group."""
    campaign = make.campaign(company, group, **fields)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")
    return campaign


def answer(company, text, *, to="", from_=PHONE):
    return replies.receive_simulated(company=company, from_=from_, to=to, text=text)


def arrive(company, text, *, at=None, provider_id="", to="", from_=PHONE):
    """Over the gateway, as a provider would hand it in."""
    gateway = Gateway.objects.of(company).get()
    return replies.receive(
        gateway=gateway, provider_id=provider_id or str(uuid.uuid4()), sender=from_, to=to, text=text, received_at=at
    )


def is_out(company, phone=PHONE):
    digest = Address("sms", phone).digest(digest_key())
    return Suppression.objects.of(company).filter(channel="sms", digest=digest).exists()


def events(company, type_="opt_out"):
    return ConsentEvent.objects.of(company).filter(type=type_, cause_id=None)


def waiting(company):
    return ReviewItem.objects.of(company).waiting()


def handset(company, phone=PHONE):
    dispatch.run(category="transactional")
    marketing = Message.objects.of(company).marketing().values_list("id", flat=True)
    return HandsetMessage.objects.of(company).filter(to=phone).exclude(message_id__in=list(marketing))


@pytest.fixture
def shared(db):
    return Sender.objects.create(value=CODE, kind="short_code", country="NL")


@pytest.fixture
def ruled(db, monkeypatch):
    """An administrator edits the rule of the Netherlands; rules are kept for seconds."""
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))

    def edit(**fields):
        DestinationRule.objects.filter(country="NL").update(**fields)

    return edit


# One statement, or the long way ---------------------------------------------------------------------------------------


def test_a_plain_stop_is_one_statement(world, django_assert_num_queries):
    sent(world.acme, world.customers)
    gateway = Gateway.objects.of(world.acme).get()
    destinations.rule("NL")

    with django_assert_num_queries(1):
        replies.receive(gateway=gateway, provider_id="m1", sender=PHONE, to="", text="STOP")

    assert is_out(world.acme)
    assert handset(world.acme).count() == 1


def as_it_is(world):
    pass


def own_number(world):
    Sender.objects.create(company=world.acme, value=CODE, kind="short_code", country="NL")


def own_number_abroad(world):
    Sender.objects.create(company=world.acme, value=f"+{CODE}", kind="long_code", country="DE")


def rivals_number(world):
    Sender.objects.create(company=world.rival, value=CODE, kind="short_code")


def shared_number(world):
    Sender.objects.create(value=CODE, kind="short_code")


def its_own_channel_only(world):
    Company.objects.filter(pk=world.acme.pk).update(opt_out_scope="channel")


def braces_and_another_language(world):
    Company.objects.filter(pk=world.acme.pk).update(name="{contact} {code}", language="fr")
    Contact.objects.of(world.acme).update(language="de-AT")


def no_contact(world):
    Contact.objects.of(world.acme).update(phone=None, phone_digest=None)


def a_route(world):
    gateway = Gateway.objects.of(world.acme).get()
    Route.objects.create(company=world.acme, channel="sms", country="NL", gateway=gateway)


def switched_off(world):
    Gateway.objects.of(world.acme).update(switched_off_at=timezone.now())


def itself_a_sender(world):
    Sender.objects.create(company=world.rival, value=PHONE, kind="long_code")


def already_out(world):
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="api")


def something_waits(world):
    answer(world.acme, "please leave me alone")


def a_start_came_first(world):
    arrive(world.acme, "start", at=timezone.now())


SITUATIONS = [
    as_it_is, own_number, own_number_abroad, rivals_number, shared_number, its_own_channel_only,
    braces_and_another_language, no_contact, a_route, switched_off, itself_a_sender, already_out, something_waits,
    a_start_came_first,
]  # fmt: skip


@pytest.mark.parametrize("provider_meaning", ["", "opt_out"])
@pytest.mark.parametrize("prepare", SITUATIONS, ids=lambda prepare: prepare.__name__)
def test_one_statement_does_what_the_long_way_does(world, monkeypatch, prepare, provider_meaning):
    sent(world.acme, world.customers, name="Spring")
    prepare(world)
    gateway = Gateway.objects.of(world.acme).get()
    at = timezone.now() - timedelta(seconds=1)

    def outcome():
        with transaction.atomic():
            reply = replies.receive(
                gateway=gateway, provider_id="m1", sender=PHONE, to=CODE, text="stop", received_at=at,
                provider_meaning=provider_meaning,
            )  # fmt: skip
            kept = Reply.objects.of(world.acme).get(pk=reply.pk)
            found = (
                [(r.sender, bytes(r.digest), r.country, r.to, r.text, r.meaning, r.received_at) for r in (reply, kept)],
                [reply.read_at is not None, kept.read_at is not None],
                list(
                    ConsentEvent.objects.across_companies()
                    .order_by("pk")
                    .values_list("company_id", "type", "source", "channel", "campaign_name", "message_id", "country",
                                 "occurred_at", "evidence_hash")
                ),
                list(Suppression.objects.across_companies().order_by("pk").values_list("channel", "source", "since")),
                list(ReviewItem.objects.across_companies().order_by("pk").values_list("suggestion", "decision")),
                list(Bucket.objects.order_by("key").values_list("key", flat=True)),
                list(
                    Message.objects.across_companies()
                    .order_by("pk")
                    .values_list("category", "address", "country", "language", "sender", "contact_id", "text", "status",
                                 "batch__gateway_id", "batch__status")
                ),
            )  # fmt: skip
            transaction.set_rollback(True)
        return found

    short = outcome()
    monkeypatch.setattr(stops, "take", lambda *_, **__: None)
    assert short == outcome()


def test_a_confirmation_that_fails_inside_the_one_statement_leaves_the_opt_out(world, monkeypatch):
    monkeypatch.setattr(stops, "_written", lambda language: '{"texts": {}, "kinds": ["simulator"], "seconds": 1}')

    answer(world.acme, "stop")

    assert is_out(world.acme)
    assert not handset(world.acme).exists()


def test_when_the_one_statement_fails_the_long_way_is_taken(world, monkeypatch):
    def broken(stored, *, known=stops.take, **about):
        return known(stored, **{**about, "source": "x" * 300})

    monkeypatch.setattr(stops, "take", broken)

    reply = answer(world.acme, "stop")

    assert is_out(world.acme)
    assert Reply.objects.of(world.acme).get().pk == reply.pk


def test_every_confirmation_has_the_companys_name_and_nothing_else_to_fill_in():
    for said in answers.texts().values():
        assert answers._PLACEHOLDER.findall(said["opt_out"]) == ["company"]


# What STOP does -------------------------------------------------------------------------------------------------------


def test_stop_opts_out_and_names_campaign_message_and_evidence(world):
    campaign = sent(world.acme, world.customers, name="Spring")
    reply = answer(world.acme, "Stop!")

    event = events(world.acme).get()
    assert is_out(world.acme)
    assert (event.source, event.campaign_id, event.campaign_name) == ("reply", campaign.pk, "Spring")
    assert event.message_id == Message.objects.of(world.acme).marketing().get().pk
    assert Evidence.objects.of(world.acme).get(event_id=event.pk).details["text"] == "Stop!"
    assert reply.meaning == "opt_out"


def test_stop_covers_the_e_mail_of_the_same_contact(world):
    sent(world.acme, world.customers)
    answer(world.acme, "stop")

    assert Suppression.objects.of(world.acme).filter(channel="email").exists()


def test_stop_from_somebody_in_no_address_book_is_in_force_too(world):
    answer(world.acme, "stop", from_=UNKNOWN)

    assert is_out(world.acme, UNKNOWN)


def test_stop_twice_is_one_event(world):
    answer(world.acme, "stop")
    answer(world.acme, "STOP")

    assert events(world.acme).count() == 1


def test_the_keyword_that_the_destination_names_counts_although_no_list_has_it(world, ruled):
    ruled(keyword="WEG")

    answer(world.acme, "weg")

    assert is_out(world.acme)


def test_a_national_number_is_the_company_countrys(world):
    world.acme.country = "NL"
    world.acme.save()

    answer(world.acme, "stop", from_="06 12345678")

    assert is_out(world.acme)


def test_stop_from_a_number_that_is_none_suppresses_the_raw_form_and_asks_a_person(world):
    arrive(world.acme, "stop", from_="+3112")

    assert Suppression.objects.of(world.acme).get().address == "+3112"
    assert waiting(world.acme).count() == 1


# Whom it concerns -----------------------------------------------------------------------------------------------------


def test_stop_to_acmes_own_number_never_touches_rival(world):
    Sender.objects.create(company=world.acme, value="+3197010203040", kind="long_code")
    sent(world.acme, world.customers, sender="+3197010203040")
    sent(world.rival, world.rivals_customers)

    answer(world.acme, "stop", to="3197010203040")

    assert is_out(world.acme)
    assert not is_out(world.rival)


def test_a_reply_through_acme_to_rivals_own_number_changes_nothing_at_rival(world):
    Sender.objects.create(company=world.rival, value="+3197010203041", kind="long_code")
    sent(world.rival, world.rivals_customers, sender="+3197010203041")

    answer(world.acme, "stop", to="+3197010203041")

    assert not is_out(world.rival)
    assert not ReviewItem.objects.of(world.rival).exists()
    assert waiting(world.acme).get().suggestion == "opt_out"


def test_on_a_shared_code_stop_stops_the_company_that_wrote_last(world, shared):
    sent(world.acme, world.customers)
    sent(world.rival, world.rivals_customers)

    answer(world.acme, "stop", to=CODE)

    assert is_out(world.rival)
    assert not is_out(world.acme)


def test_on_a_shared_code_a_later_message_with_another_sender_does_not_count(world, shared):
    sent(world.acme, world.customers)
    Sender.objects.create(company=world.rival, value="+3197010203041", kind="long_code")
    sent(world.rival, world.rivals_customers, sender="+3197010203041")

    answer(world.acme, "stop", to=CODE)

    assert is_out(world.acme)
    assert not is_out(world.rival)


def test_on_a_shared_code_transactional_messages_do_not_count(world, shared):
    sent(world.acme, world.customers)
    gate.send(company=world.rival, to=Address("sms", PHONE), body="Your code", category="transactional", sender=CODE)
    dispatch.run(category="transactional")

    answer(world.acme, "stop", to=CODE)

    assert is_out(world.acme)
    assert not is_out(world.rival)


def test_stop_all_on_a_shared_code_stops_every_company_that_wrote_with_it(world, shared):
    third = make.company("Third")
    first, second = sent(world.acme, world.customers), sent(world.rival, world.rivals_customers)

    answer(world.acme, "STOP ALL", to=CODE)

    assert is_out(world.acme)
    assert is_out(world.rival)
    assert not is_out(third)
    assert events(world.acme).get().campaign_id == first.pk
    assert events(world.rival).get().campaign_id == second.pk


def test_a_shared_code_that_nobody_used_for_this_number_asks_a_person_and_stops_nobody(world, shared):
    answer(world.acme, "stop", to=CODE)

    assert not Suppression.objects.across_companies().exists()
    assert waiting(world.acme).get().suggestion == "opt_out"


def test_the_same_short_code_belongs_to_another_company_abroad(world, shared):
    Sender.objects.create(company=world.rival, value=CODE, kind="short_code", country="FR")
    sent(world.acme, world.customers)

    answer(world.acme, "stop", to=CODE)

    assert is_out(world.acme)
    assert not is_out(world.rival)


def test_a_handset_of_the_simulator_does_not_speak_for_a_providers_subscribers(world, shared):
    sent(world.rival, world.rivals_customers)
    Gateway.objects.of(world.rival).update(kind="nothing")

    answer(world.acme, "stop", to=CODE)

    assert not is_out(world.rival)
    assert waiting(world.acme).count() == 1


def test_a_reply_to_a_senders_name_concerns_the_company_of_the_gateway(world):
    sent(world.acme, world.customers, sender="Acme")

    answer(world.acme, "stop", to="Acme")

    assert is_out(world.acme)


def test_only_a_company_on_the_simulator_has_simulated_replies(world):
    Gateway.objects.of(world.acme).update(kind="nothing")

    with pytest.raises(replies.NotOnSimulator):
        answer(world.acme, "stop")
    assert not Reply.objects.of(world.acme).exists()


def test_a_simulated_reply_needs_a_number(world):
    with pytest.raises(InvalidAddress):
        answer(world.acme, "stop", from_="Sanne")


# Stored first, once, in order -----------------------------------------------------------------------------------------


def test_a_reply_delivered_twice_has_one_effect(world):
    arrive(world.acme, "stop", provider_id="m1")
    arrive(world.acme, "start")
    arrive(world.acme, "stop", provider_id="m1")

    assert Reply.objects.of(world.acme).count() == 2
    assert not is_out(world.acme)


def test_a_reply_stored_before_a_crash_is_read_by_the_sweep(world, monkeypatch):
    monkeypatch.setattr(stops, "take", lambda *_, **__: None)
    monkeypatch.setattr(replies, "_read_or_keep", lambda reply: None)
    answer(world.acme, "stop")
    monkeypatch.undo()
    assert not is_out(world.acme)
    assert replies.due()

    assert sweeps.sweep()
    replies.sweep_unread()

    assert is_out(world.acme)
    assert not replies.due()


def test_a_reply_delivered_again_after_a_crash_is_acted_on_at_once(world, monkeypatch):
    monkeypatch.setattr(stops, "take", lambda *_, **__: None)
    monkeypatch.setattr(replies, "_read_or_keep", lambda reply: None)
    arrive(world.acme, "stop", provider_id="m1")
    monkeypatch.undo()

    arrive(world.acme, "stop", provider_id="m1")

    assert is_out(world.acme)


def test_a_reply_that_breaks_its_reader_is_left_for_a_person(world, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError

    monkeypatch.setattr(keywords, "load", broken)

    answer(world.acme, "stop")

    assert waiting(world.acme).count() == 1
    assert not replies.due()


@pytest.mark.parametrize("order", [("stop", "start"), ("start", "stop")])
def test_the_providers_clock_decides_between_stop_and_start_whatever_arrives_first(world, order):
    sent(world.acme, world.customers)
    now = timezone.now()
    at = {"stop": now - timedelta(minutes=2), "start": now - timedelta(minutes=1)}

    for text in order:
        arrive(world.acme, text, at=at[text])

    assert [s.channel for s in Suppression.objects.of(world.acme)] == ["email"]


@pytest.mark.parametrize("order", [("stop", "start"), ("start", "stop")])
def test_a_start_that_was_sent_before_the_stop_never_lifts_it(world, order):
    now = timezone.now()
    at = {"start": now - timedelta(minutes=2), "stop": now - timedelta(minutes=1)}

    for text in order:
        arrive(world.acme, text, at=at[text])

    assert is_out(world.acme)


@pytest.mark.parametrize("order", [("stop", "start"), ("start", "stop")])
def test_stop_and_start_of_the_same_second_leave_the_address_out(world, order):
    at = timezone.now() - timedelta(minutes=1)

    for text in order:
        arrive(world.acme, text, at=at)

    assert is_out(world.acme)


def test_a_time_in_the_future_is_taken_as_now(world):
    reply = arrive(world.acme, "stop", at=timezone.now() + timedelta(days=3))

    assert reply.received_at <= timezone.now()


# Coming back ----------------------------------------------------------------------------------------------------------


def test_start_after_stop_makes_the_number_reachable_with_the_reply_as_evidence(world):
    answer(world.acme, "stop")
    answer(world.acme, "Start")

    event = events(world.acme, "opt_in").get()
    details = Evidence.objects.of(world.acme).get(event_id=event.pk).details
    assert not is_out(world.acme)
    assert (event.source, details["text"], details["method"]) == ("reply", "Start", "reply")


def test_after_stop_and_start_a_campaign_reaches_the_number_again(world):
    answer(world.acme, "stop")
    answer(world.acme, "start")

    sent(world.acme, world.customers, body="Welcome back")

    assert "Welcome back" in HandsetMessage.objects.of(world.acme).latest("pk").text


def test_start_brings_back_nothing_but_its_own_number(world):
    sent(world.acme, world.customers)
    answer(world.acme, "stop")
    answer(world.acme, "start")

    assert Suppression.objects.of(world.acme).get().channel == "email"


def test_start_from_an_unknown_number_is_recorded_and_makes_no_contact(world):
    answer(world.acme, "start", from_=UNKNOWN)

    assert events(world.acme, "opt_in").count() == 1
    assert not is_out(world.acme, UNKNOWN)
    assert not Contact.objects.of(world.acme).filter(phone=UNKNOWN).exists()


def test_start_on_a_shared_code_lifts_only_the_company_that_wrote_last(world, shared):
    sent(world.acme, world.customers)
    sent(world.rival, world.rivals_customers)
    answer(world.acme, "stop all", to=CODE)

    answer(world.acme, "start", to=CODE)

    assert is_out(world.acme)
    assert not is_out(world.rival)


def test_start_on_a_shared_code_that_nobody_used_lifts_nothing(world, shared):
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="api")

    answer(world.acme, "start", to=CODE)

    assert is_out(world.acme)
    assert not waiting(world.acme).get().holds


def test_yes_is_no_opt_in(world):
    answer(world.acme, "stop")
    answer(world.acme, "yes")

    assert is_out(world.acme)


# Answers --------------------------------------------------------------------------------------------------------------


def test_an_opt_out_is_confirmed_once_as_a_transactional_message_in_the_recipients_language(world):
    sent(world.acme, world.customers)
    answer(world.acme, "stop")
    answer(world.acme, "stop")

    (bubble,) = handset(world.acme)
    assert bubble.text == "Acme: u krijgt geen reclame meer van ons. Toch weer ontvangen? Antwoord START."
    assert Message.objects.of(world.acme).get(pk=bubble.message_id).category == "transactional"


def test_no_confirmation_where_the_destination_allows_none(world, ruled):
    ruled(confirmation="none")

    answer(world.acme, "stop")

    assert is_out(world.acme)
    assert not handset(world.acme)


def test_stop_all_is_confirmed_by_one_message_that_names_no_company(world, shared):
    sent(world.acme, world.customers)
    sent(world.rival, world.rivals_customers)

    answer(world.acme, "stop all", to=CODE)

    texts = [b.text for company in (world.acme, world.rival) for b in handset(company)]
    assert texts == [f"U krijgt geen reclame meer via {CODE}. Toch weer ontvangen? Antwoord START."]


def test_a_confirmation_that_fails_does_not_take_the_opt_out_with_it(world, monkeypatch):
    def broken(**kwargs):
        raise RuntimeError

    monkeypatch.setattr(stops, "take", lambda *_, **__: None)
    monkeypatch.setattr(answers, "confirm", broken)

    answer(world.acme, "stop")

    assert is_out(world.acme)
    assert not waiting(world.acme)


def test_help_is_answered_with_name_and_contact_even_to_who_has_left(world):
    world.acme.contact_details = "Acme BV, help@acme.example"
    world.acme.save()
    answer(world.acme, "stop")

    answer(world.acme, "HELP")

    assert "Dit is Acme. Acme BV, help@acme.example" in [b.text for b in handset(world.acme)]
    assert not waiting(world.acme)


def test_help_without_contact_details_still_says_who(world):
    answer(world.acme, "help")

    assert handset(world.acme).get().text == "Dit is Acme."


def test_braces_in_a_companys_name_stay_as_they_are(world):
    world.acme.name = "{contact} {0.__class__}"
    world.acme.save()

    answer(world.acme, "help")

    assert handset(world.acme).get().text == "Dit is {contact} {0.__class__}."


def test_two_machines_answering_each_other_stop_by_themselves(world):
    answer(world.acme, "help")
    for _round in range(100):
        answer(world.acme, handset(world.acme).latest("pk").text)
        answer(world.acme, "help")
        answer(world.acme, "stop")
        answer(world.acme, "start")

    assert handset(world.acme).count() == 2


def test_a_number_that_is_itself_a_sender_is_never_answered(world):
    Sender.objects.create(company=world.rival, value="+31612345678", kind="long_code")

    answer(world.acme, "help")
    answer(world.acme, "stop")

    assert is_out(world.acme)
    assert not handset(world.acme)


def test_no_answer_of_ours_is_read_as_a_keyword():
    for kinds in answers.texts().values():
        for text in kinds.values():
            filled = text.format(company="Acme", code=CODE, contact="help@acme.example")
            assert keywords.load().read(filled, country="NL").kind in {"none", "maybe_opt_out"}


def test_every_answer_fits_one_plain_segment():
    for kinds in answers.texts().values():
        for text in kinds.values():
            size = measure(text.format(company="A" * 30, code="36690", contact="help@acme.example"))
            assert (size.encoding, size.segments) == ("GSM-7", 1)


# What a person has to decide ------------------------------------------------------------------------------------------


def test_what_may_be_an_opt_out_waits_for_a_person_with_a_suggestion(world):
    campaign = sent(world.acme, world.customers)
    answer(world.acme, "leave me alone")

    item = waiting(world.acme).get()
    assert (item.suggestion, item.campaign_name, item.holds) == ("opt_out", campaign.name, True)
    assert not is_out(world.acme)


def test_no_marketing_goes_to_the_number_until_it_is_decided(world):
    answer(world.acme, "who gave you my number?")
    held = sent(world.acme, world.customers)

    assert held.counts()["suppressed"] == 1
    assert not HandsetMessage.objects.of(world.acme).exists()

    replies.decide(waiting(world.acme).get(), decision="kept", by=world.marketer.user)
    sent(world.acme, world.customers)

    assert HandsetMessage.objects.of(world.acme).count() == 1


def test_a_reply_that_waits_holds_what_was_queued_before_it(world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    worker = uuid.uuid4()
    batch = dispatch.claim(worker=worker, category="marketing")

    answer(world.acme, "leave me alone")
    dispatch.hand_over(batch, worker=worker)

    assert not HandsetMessage.objects.of(world.acme).exists()


def test_a_reply_that_waits_at_acme_holds_nothing_at_rival(world):
    answer(world.acme, "leave me alone")

    sent(world.rival, world.rivals_customers)

    assert HandsetMessage.objects.of(world.rival).count() == 1


def test_a_reply_that_waits_never_holds_transactional_messages(world):
    answer(world.acme, "leave me alone")
    gate.send(company=world.acme, to=Address("sms", PHONE), body="Your code is 1234", category="transactional")

    assert handset(world.acme).get().text == "Your code is 1234"


def test_a_stop_settles_what_waited_from_the_same_number(world):
    answer(world.acme, "leave me alone")
    answer(world.acme, "stop")

    item = ReviewItem.objects.of(world.acme).get()
    assert item.decision == "opt_out"
    assert item.decided_by is None


def test_a_person_who_decides_opts_the_number_out_of_their_own_company_only(world, shared):
    sent(world.acme, world.customers)
    sent(world.rival, world.rivals_customers)
    answer(world.acme, "please stop it now, all of you", to=CODE)

    replies.decide(waiting(world.rival).get(), decision="opt_out", by=world.stranger.user)

    event = events(world.rival).get()
    assert is_out(world.rival)
    assert not is_out(world.acme)
    assert Evidence.objects.of(world.rival).get(event_id=event.pk).details["decided_by"] == str(world.stranger.user)


def test_deciding_twice_is_refused_and_changes_nothing(world):
    answer(world.acme, "leave me alone")
    item = waiting(world.acme).get()
    replies.decide(item, decision="kept", by=world.marketer.user)

    with pytest.raises(replies.Decided):
        replies.decide(item, decision="opt_out", by=world.marketer.user)
    assert not is_out(world.acme)


def test_help_sent_by_a_person_goes_out_and_settles_the_reply(world):
    answer(world.acme, "who is this?")

    replies.decide(waiting(world.acme).get(), decision="helped", by=world.marketer.user)

    assert handset(world.acme).get().text == "Dit is Acme."
    assert not waiting(world.acme)


def test_a_reply_of_somebody_erased_meanwhile_can_be_settled(world):
    answer(world.acme, "leave me alone")
    Reply.objects.of(world.acme).update(sender="", text="")

    replies.decide(waiting(world.acme).get(), decision="opt_out", by=world.marketer.user)

    assert not waiting(world.acme)


# Any text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "stop\x00",
        "\ud800stop",
        "x" * 1_000_000,
        "\u202estop\u202c",
        "\u200bس" * 99,
        "{opt_out}",
        "🛑" * 500,
    ],
    ids=["empty", "nul", "nul-inside", "surrogate", "huge", "rtl", "arabic", "placeholder", "emoji"],
)
def test_no_text_breaks_anything(world, text):
    reply = answer(world.acme, text)

    assert reply.read_at
    assert "\x00" not in reply.text


def test_a_stop_dressed_in_unseen_characters_is_a_stop(world):
    answer(world.acme, "\u202e\x00S\u200bTOP\ud800")

    assert is_out(world.acme)


@pytest.mark.parametrize("to", ["\x00", "x" * 1000, "\ud800", "+99999999999999999999", "🛑"])
@pytest.mark.parametrize("from_", ["", "36111", "Acme", "\x00", "+" * 70, "1" * 90])
def test_no_sender_or_number_breaks_anything(world, to, from_):
    assert arrive(world.acme, "hello", to=to, from_=from_, provider_id="\x00\ud800").read_at


# Races ----------------------------------------------------------------------------------------------------------------


def at_once(*jobs):
    """Run side by side, each with a connection of its own."""
    failed = []
    start = threading.Barrier(len(jobs))

    def run(job):
        try:
            start.wait()
            job()
        except Exception as problem:
            failed.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.django_db(transaction=True)
def test_the_same_delivery_on_two_processes_is_one_reply_and_one_event(world):
    at_once(*[lambda: arrive(world.acme, "stop", provider_id="m1")] * 4)

    assert Reply.objects.of(world.acme).count() == 1
    assert events(world.acme).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_stops_at_once_are_one_event_and_one_confirmation(world):
    at_once(*[lambda: answer(world.acme, "stop")] * 4)

    assert events(world.acme).count() == 1
    assert handset(world.acme).count() == 1


@pytest.mark.django_db(transaction=True)
def test_stop_and_start_at_once_end_as_the_providers_clock_says(world):
    now: datetime = timezone.now()

    at_once(
        lambda: arrive(world.acme, "stop", at=now - timedelta(seconds=2)),
        lambda: arrive(world.acme, "start", at=now - timedelta(seconds=1)),
        lambda: arrive(world.acme, "stop", at=now - timedelta(seconds=3)),
    )

    assert not is_out(world.acme)


@pytest.mark.django_db(transaction=True)
def test_stop_all_and_opt_outs_elsewhere_do_not_wait_for_each_other(world):
    Sender.objects.create(value=CODE, kind="short_code", country="NL")
    sent(world.acme, world.customers)
    sent(world.rival, world.rivals_customers)
    email = Address("email", world.contact.email)

    at_once(
        lambda: answer(world.acme, "stop all", to=CODE),
        lambda: consent.opt_out(company=world.acme, address=email, source="api"),
        lambda: consent.opt_out(company=world.rival, address=Address("sms", PHONE), source="api"),
        lambda: answer(world.rival, "stop all", to=CODE),
    )

    assert is_out(world.acme)
    assert is_out(world.rival)
