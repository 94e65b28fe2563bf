"""A test of a draft to one's own addresses."""

from __future__ import annotations

import pytest

from addressbook import consent
from campaigns import audience, dispatch, trial
from campaigns.audit import Action
from campaigns.models import Trial
from messaging.addresses import Address
from messaging.models import Gateway, Message
from optout import links
from tests import make
from tests.world import PHONE

OWN = "+31687654321"


@pytest.fixture
def draft(world):
    return make.campaign(world.acme, world.customers, body="Hi {first_name|you}, sale", name="Spring")


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


def try_it(client, draft, to=OWN):
    return client.post(f"/campaigns/{draft.pk}/test", {"to": to}, follow=True)


def test_a_test_is_the_real_text_with_its_way_out(marketer, draft):
    page = try_it(marketer, draft)
    message = Message.objects.of(draft.company_id).get()
    assert "on its way to 1 address" in page.content.decode()
    assert message.text.startswith("Hi you, sale\n")
    assert links.link(message.pk, "sms") in message.text
    dispatch.run(category="marketing", seconds=5)
    message.refresh_from_db()
    assert message.status in Message.LEFT


def test_a_test_to_somebody_of_the_address_book_has_their_name(marketer, draft):
    try_it(marketer, draft, PHONE)
    assert Message.objects.of(draft.company_id).get().text.startswith("Hi Sanne, sale")


def test_the_campaign_s_own_line_is_used(marketer, draft):
    draft.opt_out_text = "No more: {link}"
    draft.save()
    try_it(marketer, draft)
    assert "\nNo more: " in Message.objects.of(draft.company_id).get().text


def test_a_test_counts_nowhere_and_is_marked(marketer, draft, world):
    try_it(marketer, draft, PHONE)
    dispatch.run(category="marketing", seconds=5)
    message = Message.objects.of(draft.company_id).get()
    assert message.campaign_id is None
    assert Trial.objects.of(world.acme).get().message_id == message.pk
    assert set(draft.counts().values()) == {0}
    draft.launch()
    audience.build(draft)
    assert draft.counts()["audience"] == draft.counts()["queued"] == 1, "a test is no reason to be left out"


def test_who_has_opted_out_gets_no_test(marketer, draft, world):
    consent.opt_out(company=world.acme, address=Address("sms", OWN), source="api")
    page = try_it(marketer, draft, f"{OWN}, +31687654322")
    assert "has opted out" in page.content.decode()
    assert [m.address for m in Message.objects.of(world.acme)] == ["+31687654322"]


def test_an_opt_out_before_the_hand_over_stops_the_test(marketer, draft, world):
    try_it(marketer, draft)
    consent.opt_out(company=world.acme, address=Address("sms", OWN), source="api")
    dispatch.run(category="marketing", seconds=5)
    assert Message.objects.of(world.acme).get().status == "suppressed"


def test_where_there_is_no_lawful_way_out_no_test_goes(marketer, draft, monkeypatch):
    monkeypatch.setattr("campaigns.audience.Ways.for_country", lambda self, country: None)
    assert "no lawful way out" in try_it(marketer, draft).content.decode()
    assert not Message.objects.of(draft.company_id).exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "at least one address"),
        (" , ,\n", "at least one address"),
        ("me@acme.example", "me@acme.example"),
        ("12", "12"),
        ("x" * 2000, "1000"),
        ("\x00", "Null"),
        (",".join(f"+3168765432{n}" for n in range(6)), "at most"),
    ],
)
def test_what_cannot_be_written_to_is_said_and_nothing_is_sent(marketer, draft, typed, said):
    page = try_it(marketer, draft, typed)
    assert page.status_code == 422
    assert said in page.content.decode()
    assert not Message.objects.of(draft.company_id).exists()


def test_an_address_typed_twice_gets_one_test(marketer, draft):
    try_it(marketer, draft, f"{OWN}\n+31 6 8765 4321")
    assert Message.objects.of(draft.company_id).count() == 1


def test_tests_are_few_within_an_hour(marketer, draft, monkeypatch):
    monkeypatch.setattr(trial, "SENT", 2)
    try_it(marketer, draft, f"{OWN}, +31687654322")
    page = try_it(marketer, draft, "+31687654323")
    assert page.status_code == 429
    assert "many tests" in page.content.decode()
    assert Message.objects.of(draft.company_id).count() == 2


def test_without_a_gateway_the_page_says_so(marketer, draft, world):
    Gateway.objects.of(world.acme).delete()
    page = try_it(marketer, draft)
    assert page.status_code == 422
    assert "no gateway" in page.content.decode()


def test_a_test_is_written_down_without_the_address(marketer, draft, world):
    try_it(marketer, draft)
    action = Action.objects.of(world.acme).get(verb="tested")
    assert (action.who, action.details) == (str(world.marketer.user), {"messages": 1})
    assert OWN not in str(action.details)


def test_only_a_draft_can_be_tested_and_a_viewer_cannot(client, marketer, draft, world):
    client.force_login(world.viewer.user)
    assert client.post(f"/campaigns/{draft.pk}/test", {"to": OWN}).status_code == 403
    client.force_login(world.marketer.user)
    draft.launch()
    assert "of a draft only" in try_it(client, draft).content.decode()
    assert not Message.objects.of(world.acme).exists()


def test_a_test_of_another_company_s_draft_is_not_there(marketer, world):
    foreign = make.campaign(world.rival, world.rivals_customers)
    assert marketer.post(f"/campaigns/{foreign.pk}/test", {"to": OWN}).status_code == 404


def test_a_test_by_e_mail_says_so_in_its_subject(marketer, world):
    draft = make.campaign(world.acme, world.customers, channel="email", subject="Spring", body="**Sale**")
    try_it(marketer, draft, "me@acme.example")
    message = Message.objects.of(world.acme).get()
    assert message.subject == "Test: Spring"
    assert "/e/" in message.text
    dispatch.run(category="marketing", seconds=5)
    message.refresh_from_db()
    assert message.status in Message.LEFT


def test_a_deleted_draft_leaves_its_test_to_arrive(marketer, draft):
    try_it(marketer, draft)
    marketer.post(f"/campaigns/{draft.pk}/delete")
    dispatch.run(category="marketing", seconds=5)
    assert Message.objects.of(draft.company_id).get().status in Message.LEFT
