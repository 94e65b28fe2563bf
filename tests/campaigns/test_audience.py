"""Who gets a campaign: everybody in the groups once, but those who said no."""

from __future__ import annotations

import pytest

from addressbook import consent
from addressbook.models import Contact, Group, GroupContact
from campaigns import audience
from messaging.addresses import Address
from messaging.models import Gateway, Message, Sender
from optout import destinations
from optout.models import DestinationRule
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_rules(monkeypatch):
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))


def built(company, *groups, exclude=(), **fields):
    campaign = make.campaign(company, *groups, **fields)
    campaign.exclude_groups.set(exclude)
    campaign.launch()
    audience.build(campaign)
    campaign.refresh_from_db()
    return campaign


def to(campaign) -> list[str]:
    return sorted(Message.objects.of(campaign.company_id).filter(campaign=campaign).values_list("address", flat=True))


def test_a_contact_in_two_groups_gets_one_message(world):
    vips = make.group(world.acme, "VIPs")
    GroupContact.objects.create(company=world.acme, group=vips, contact=world.contact)

    assert to(built(world.acme, world.customers, vips)) == [world.contact.phone]


def test_who_is_in_a_group_that_is_left_out_gets_none(world):
    staff = make.group(world.acme, "Staff")
    GroupContact.objects.create(company=world.acme, group=staff, contact=world.contact)

    campaign = built(world.acme, world.customers, exclude=[staff])

    assert to(campaign) == []
    assert campaign.audience == 0


def test_who_has_no_address_on_the_channel_is_no_audience(world):
    make.contact(world.acme, email="mail@only.example", group=world.customers)

    assert to(built(world.acme, world.customers)) == [world.contact.phone]


def test_an_email_campaign_goes_to_email_addresses(world):
    assert to(built(world.acme, world.customers, channel="email", subject="Sale")) == [world.contact.email]


def test_the_suppressed_are_counted_and_left_out(world):
    make.contact(world.acme, "+31600000001", group=world.customers)
    consent.opt_out(company=world.acme, address=Address("sms", world.contact.phone), source="api")

    campaign = built(world.acme, world.customers)

    assert to(campaign) == ["+31600000001"]
    assert (campaign.audience, campaign.left_out_suppressed) == (2, 1)


def test_rival_s_opt_out_leaves_nobody_out(world):
    consent.opt_out(company=world.rival, address=Address("sms", world.contact.phone), source="api")

    assert to(built(world.acme, world.customers)) == [world.contact.phone]


def test_rival_s_group_brings_nobody_in(world):
    """Even if a foreign group got into a campaign, its contacts are not ours."""
    assert to(built(world.acme, world.rivals_customers)) == []


def test_each_destination_gets_its_way_out(world):
    Sender.objects.create(company=None, value="36179", kind="short_code", country="FR")
    for phone in ("+33612345678", "+27821234567"):
        make.contact(world.acme, phone, group=world.customers)

    campaign = built(world.acme, world.customers, sender="ACME")

    rows = {m.country: (m.method, m.reply_code, m.language) for m in Message.objects.of(world.acme)}
    assert rows["FR"] == ("reply", "36179", "fr")
    assert rows["NL"] == ("link", "", "nl")
    assert rows["ZA"][0] == "link"
    assert campaign.audience == 3


def test_who_has_no_lawful_way_out_is_left_out_and_counted(world):
    DestinationRule.objects.filter(country="FR").update(methods=["reply"], link_allowed=False)
    make.contact(world.acme, "+33612345678", group=world.customers)

    campaign = built(world.acme, world.customers, sender="ACME")

    assert to(campaign) == [world.contact.phone]
    assert (campaign.audience, campaign.left_out_no_way) == (2, 1)
    assert campaign.counts()["failed"] == 1


def test_who_is_suppressed_and_has_no_way_out_is_counted_once(world):
    DestinationRule.objects.filter(country="FR").update(methods=["reply"], link_allowed=False)
    french = make.contact(world.acme, "+33612345678", group=world.customers)
    consent.opt_out(company=world.acme, address=Address("sms", french.phone), source="api")

    campaign = built(world.acme, world.customers, sender="ACME")

    counts = campaign.counts()
    assert (counts["audience"], counts["suppressed"], counts["failed"], counts["queued"]) == (2, 1, 0, 1)


def test_a_country_without_a_rule_follows_the_rule_of_all_others(world):
    make.contact(world.acme, "+6421234567", country="XX", group=world.customers)
    DestinationRule.objects.filter(country="").update(methods=["reply"], link_allowed=False)

    campaign = built(world.acme, world.customers, sender="ACME")

    assert to(campaign) == [world.contact.phone]
    assert campaign.left_out_no_way == 1


def test_building_twice_writes_once(world):
    campaign = built(world.acme, world.customers)

    assert audience.build(campaign) == 0
    assert Message.objects.of(world.acme).count() == 1


def test_a_company_without_a_gateway_sends_nothing_and_says_so(world):
    Gateway.objects.of(world.acme).delete()
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()

    with pytest.raises(audience.NoGateway):
        audience.build(campaign)
    campaign.refresh_from_db()
    assert campaign.built_at is None


def test_what_the_review_promises_is_what_is_written(world):
    make.contact(world.acme, "+33612345678", group=world.customers)
    make.contact(world.acme, email="mail@only.example", group=world.customers)
    consent.opt_out(company=world.acme, address=Address("sms", world.contact.phone), source="api")
    draft = make.campaign(world.acme, world.customers)

    promised = audience.reach(draft)
    draft.launch()

    assert promised.reached == audience.build(draft) == 1
    assert (promised.audience, promised.left_out["suppressed"], promised.left_out["no_address"]) == (2, 1, 1)


def test_batches_hold_no_more_than_one_request_carries(world, monkeypatch):
    from messaging.gateways import Simulator

    monkeypatch.setattr(Simulator, "batch_size", 2)
    for _ in range(4):
        make.contact(world.acme, group=world.customers)

    campaign = built(world.acme, world.customers)

    sizes = sorted(Message.objects.of(world.acme).filter(batch=b).count() for b in campaign.batches())
    assert sizes == [1, 2, 2]


def test_one_person_in_two_writings_gets_one_message(world):
    """Two contacts can not share a number, however it was written."""
    mexican = make.contact(world.acme, "+525512345678", group=world.customers)
    with pytest.raises(Exception, match="one_contact_per_phone"):
        Contact.objects.create(company=world.acme, phone="+5215512345678")
    assert mexican.pk


def test_a_dynamic_group_reaches_who_meets_its_conditions_at_the_launch(world):
    reachable = Group.objects.create(company=world.acme, name="In France", conditions={"country": "FR"})
    newcomer = make.contact(world.acme, "+33612345678")
    campaign = make.campaign(world.acme, reachable)
    campaign.launch()

    audience.build(campaign)

    assert list(Message.objects.of(world.acme).values_list("contact_id", flat=True)) == [newcomer.pk]
