"""What is shown before sending is what is sent."""

from __future__ import annotations

import pytest

from addressbook import consent
from campaigns import audience, dispatch
from campaigns.models import Campaign
from campaigns.preview import preview, segments
from messaging.addresses import Address
from messaging.models import HandsetMessage, Sender
from optout.models import DestinationRule
from tests import make


@pytest.fixture
def marketer(client, world):
    client.force_login(world.marketer.user)
    return client


def ask(client, world, **changes):
    data = {"name": "", "channel": "sms", "groups": [world.customers.pk], "body": "Sale today", **changes}
    return client.post("/campaigns/preview", data, headers={"HX-Request": "true"})


def test_each_destination_has_its_text_line_and_recipients(world):
    for number in ("+33612345601", "+33612345602"):
        make.contact(world.acme, number, group=world.customers)
    found = preview(make.campaign(world.acme, world.customers, body="Hi {first_name|there}"))
    assert [(s.country, s.recipients) for s in found] == [("FR", 2), ("NL", 1)]
    assert found[1].text.startswith("Hi Sanne\n")
    assert found[0].text.startswith("Hi there\n")
    for sample in found:
        assert "".join(sample.parts) == sample.text
        assert sample.parts[1] == sample.line != ""


def test_the_line_is_set_off_where_the_marketer_placed_it(world):
    (sample,) = preview(make.campaign(world.acme, world.customers, body="First. {opt_out} Last."))
    before, line, after = sample.parts
    assert (before, after) == ("First. ", " Last.")
    assert line == sample.line


def test_the_preview_is_as_long_as_what_is_sent(world):
    campaign = make.campaign(world.acme, world.customers, body="Hi {first_name} {attr.city|you}")
    (sample,) = preview(campaign)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)
    (message,) = HandsetMessage.objects.of(world.acme)
    assert len(message.text) == len(sample.text)
    assert message.text.partition("\n")[0] == sample.text.partition("\n")[0]
    (row,) = campaign.messages.model.objects.of(world.acme)
    assert (row.segments, row.encoding) == (sample.segments, sample.encoding)


def test_segments_are_those_of_all_recipients(world):
    make.contact(world.acme, group=world.customers)
    found = preview(make.campaign(world.acme, world.customers, body="x" * 200))
    assert found[0].segments == 2
    assert segments(found) == 4


def test_characters_that_cost_are_pointed_out_with_a_replacement(world):
    (sample,) = preview(make.campaign(world.acme, world.customers, body="Don’t miss it 🎉"))
    assert sample.encoding == "UCS-2"
    assert {one.character: one.replacement for one in sample.costly} == {"’": "'", "🎉": None}


def test_plain_text_has_nothing_to_point_out(world):
    (sample,) = preview(make.campaign(world.acme, world.customers, body="Plain € {first_name}"))
    assert (sample.encoding, sample.costly) == ("GSM-7", [])


def test_a_destination_without_a_lawful_way_out_says_so(world, marketer):
    DestinationRule.objects.update_or_create(
        country="NL", defaults={"methods": ["reply"], "link_allowed": False, "languages": ["nl"]}
    )
    Sender.objects.create(company=world.acme, value="Acme", kind="alphanumeric")
    from optout import destinations

    destinations._kept = (0.0, {})
    try:
        text = ask(marketer, world, sender="Acme").content.decode()
    finally:
        destinations._kept = (0.0, {})
    assert "no lawful way out" in text
    assert "No lawful way out there with this sender" in text


# --- live


def test_the_unsaved_form_is_previewed_and_nothing_is_stored(world, marketer):
    page = ask(marketer, world, body="Hi {first_name}")
    assert page.status_code == 200
    assert "Hi Sanne" in page.content.decode()
    assert not Campaign.objects.of(world.acme).exists()


def test_the_sum_tells_who_is_left_out_and_why(world, marketer):
    make.contact(world.acme, email="only@mail.example", group=world.customers)
    gone = make.contact(world.acme, group=world.customers)
    consent.opt_out(company=world.acme, address=Address("sms", gone.phone), source="marketer")
    reach = ask(marketer, world).context["reach"]
    assert (reach.all, reach.left_out["suppressed"], reach.left_out["no_address"], reach.reached) == (3, 1, 1, 1)


def test_excluded_groups_are_left_out(world, marketer):
    vip = make.group(world.acme, "VIP")
    make.contact(world.acme, group=vip)
    page = ask(marketer, world, groups=[world.customers.pk, vip.pk], exclude_groups=[vip.pk])
    assert page.context["reach"].reached == 1


def test_a_text_that_cannot_be_sent_says_why_and_keeps_the_sum(world, marketer):
    page = ask(marketer, world, body="Hi {frist_name}")
    assert "{frist_name} is not a field" in page.content.decode()
    assert page.context["reach"].reached == 1


def test_an_email_shows_its_subject_and_a_link(world, marketer):
    text = ask(marketer, world, channel="email", subject="Big <sale>").content.decode()
    assert "Big &lt;sale&gt;" in text
    assert "/e/" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"groups": []},
        {"body": ""},
        {"body": "\x00"},
        {"body": "x" * 1_000_000},
        {"channel": "fax"},
        {"channel": ""},
        {"groups": ["99999999999999999999"]},
        {"groups": ["x\x00"]},
        {"sender": "nope"},
        {"opened": "\x00"},
        {"opt_out_text": "{link"},
        {"subject": "\x00", "channel": "email"},
    ],
    ids=lambda changes: str(changes)[:30],
)
def test_a_half_written_form_is_previewed_as_far_as_it_goes(world, marketer, changes):
    assert ask(marketer, world, **changes).status_code == 200


def test_groups_of_another_company_show_nothing(world, marketer):
    page = ask(marketer, world, groups=[world.rivals_customers.pk])
    assert page.context["reach"].all == 0


def test_the_chosen_tab_stays_chosen(world, marketer):
    make.contact(world.acme, "+33612345601", group=world.customers)
    text = ask(marketer, world, opened="NL").content.decode()
    assert 'value="NL" checked' in text


def test_a_name_cannot_smuggle_in_markup(world, marketer):
    world.contact.first_name = "<img src=x>"
    world.contact.save()
    text = ask(marketer, world, body="Hi {first_name}").content.decode()
    assert "<img" not in text
