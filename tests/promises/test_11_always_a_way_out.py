"""Promise 11: no marketing message leaves without a working way out for its destination and sender."""

from __future__ import annotations

import re
import tomllib

import phonenumbers
import pytest

from addressbook.models import GroupContact, Suppression
from campaigns import audience, dispatch
from messaging.addresses import Address
from messaging.models import Gateway, HandsetMessage, Message, Sender
from optout import destinations, replies
from optout.landing.link import find
from optout.links import codes, link
from optout.models import OptOutText
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
COUNTRIES = [c for c in tomllib.loads((destinations.DATA / "destinations.toml").read_text("utf-8")) if c != "*"]
SENDERS = ["", "ACME", "+31970102030", "36179", "unregistered"]


@pytest.fixture(autouse=True)
def _fresh_rules(monkeypatch):
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))


@pytest.fixture
def everywhere(world):
    """A contact in every country with a rule, and one in a country without."""
    group = make.group(world.acme, "Everywhere")
    for country in [*COUNTRIES, "UY"]:
        number = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
        phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if phone == world.contact.phone:
            GroupContact.objects.create(company=world.acme, group=group, contact=world.contact)
        else:
            make.contact(world.acme, phone, group=group, country=country)
    Sender.objects.create(company=world.acme, value="ACME", kind="alphanumeric")
    Sender.objects.create(company=world.acme, value="+31970102030", kind="long_code", country="NL")
    for country in ("FR", "GB", "BE"):
        Sender.objects.create(company=None, value="36179", kind="short_code", country=country)
    return group


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("body", ["Sale", "{opt_out} Sale", "Sale " * 60])
def test_every_message_shows_its_way_out(world, everywhere, sender, body):
    campaign = make.campaign(world.acme, everywhere, sender=sender, body=body)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")

    sent = HandsetMessage.objects.of(world.acme)
    campaign.refresh_from_db()
    assert sent.count() + campaign.left_out_no_way == len(COUNTRIES) + 1
    assert sent.count() > len(COUNTRIES) / 2
    messages = Message.objects.of(world.acme).in_bulk()
    for handset in sent:
        message = messages[handset.message_id]
        if message.method == "link":
            assert link(message.pk, "sms") in handset.text, message.country
            assert find(codes().decode(link(message.pk, "sms").rpartition("/")[2])).message_id == message.pk
        else:
            assert message.method == "reply"
            assert message.reply_code in handset.text, message.country
            takers = Sender.objects.usable_by(world.acme).receiving_replies().filter(value=message.reply_code)
            assert {s.country for s in takers} & {"", message.country}


@pytest.mark.parametrize("override", ["", "Bye: {link}", "Bye: {keyword} to {code}", "no way out at all"])
def test_no_override_takes_the_way_out_away(world, everywhere, override):
    OptOutText.objects.filter(company=None).delete()
    campaign = make.campaign(world.acme, everywhere, opt_out_text=override)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")

    for handset in HandsetMessage.objects.of(world.acme):
        message = Message.objects.of(world.acme).get(pk=handset.message_id)
        assert (link(message.pk, "sms") if message.method == "link" else message.reply_code) in handset.text


def test_a_merge_field_cannot_swallow_the_line(world):
    world.contact.first_name = "{opt_out}"
    world.contact.save()
    campaign = make.campaign(world.acme, world.customers, body="Hi {first_name}")
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")

    handset = HandsetMessage.objects.of(world.acme).get()
    assert handset.text.startswith("Hi {opt_out}\n")
    assert link(handset.message_id, "sms") in handset.text


def test_every_email_shows_its_link_and_says_it_in_the_header(world, monkeypatch):
    got = []
    real = dispatch._send
    monkeypatch.setattr(dispatch, "_send", lambda gateway, out: got.extend(out) or real(gateway, out))
    campaign = make.campaign(world.acme, world.customers, channel="email", subject="Sale")
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")

    (message,) = got
    assert link(message.id, "email") in message.text
    assert message.list_unsubscribe == f"<{link(message.id, 'email')}>"


def test_the_reply_that_the_line_asks_for_ends_the_marketing(world):
    Sender.objects.create(company=None, value="36179", kind="short_code", country="NL")
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing")
    text = HandsetMessage.objects.of(world.acme).get().text
    word = destinations.rule("NL").keyword
    assert re.search(rf"\b{word}\b.*36179|36179.*\b{word}\b", text)

    replies.receive(gateway=Gateway.objects.of(world.acme).get(), provider_id="1", sender=PHONE, to="36179", text=word)

    digests = [bytes(s.digest) for s in Suppression.objects.of(world.acme).filter(channel="sms")]
    assert digests == [bytes(Message.objects.of(world.acme).get(campaign=campaign).digest)]
    assert Address("sms", PHONE).country == "NL"
