"""The same once more, to those whom it did not reach."""

from __future__ import annotations

import pytest

from accounts.scoping import company_scope
from addressbook.models import Group
from campaigns import audience, dispatch, resend
from campaigns.audit import Who
from campaigns.models import Campaign, WrongState
from messaging.models import Message
from tests import make

BY = Who("Sanne")


@pytest.fixture
def campaign(world):
    """Sent to three: one has it, one failed, one nobody knows."""
    for phone in ("+31612345601", "+31612345602"):
        make.contact(world.acme, phone, group=world.customers)
    campaign = make.campaign(world.acme, world.customers, name="Spring")
    campaign.launch()
    audience.build(campaign)
    messages = Message.objects.of(world.acme).filter(campaign=campaign).order_by("contact_id")
    statuses = dict(zip(messages, ("delivered", "failed", "unknown"), strict=True))
    for message, status in statuses.items():
        Message.objects.of(world.acme).filter(pk=message.pk).update(status=status)
    campaign.batches().update(status="done")
    dispatch.finish()
    campaign.refresh_from_db()
    return campaign


def members(draft):
    with company_scope(draft.company_id):
        (group,) = draft.groups.all()
        return list(group.contacts.values_list("phone", flat=True))


def test_a_new_draft_goes_to_those_whose_message_failed_only(campaign):
    failed = Message.objects.of(campaign.company_id).get(status="failed")
    draft = resend.to_not_delivered(campaign, by=BY)
    assert draft.is_draft
    assert (draft.name, draft.body) == ("Spring (again)", campaign.body)
    assert members(draft) == [failed.address]
    assert not Message.objects.of(campaign.company_id).filter(campaign=draft).exists()


def test_who_has_opted_out_meanwhile_is_left_out_again(campaign):
    from addressbook import consent
    from messaging.addresses import Address

    failed = Message.objects.of(campaign.company_id).get(status="failed")
    draft = resend.to_not_delivered(campaign, by=BY)
    consent.opt_out(company=campaign.company, address=Address("sms", failed.address), source="api")
    assert audience.reach(draft).reached == 0


def test_doing_it_twice_makes_two_groups_and_never_mixes_them(campaign):
    first, second = (resend.to_not_delivered(campaign, by=BY) for _ in range(2))
    names = (
        Group.objects.of(campaign.company_id).filter(name__startswith="Not delivered").values_list("name", flat=True)
    )
    assert sorted(names) == ["Not delivered: Spring", "Not delivered: Spring (2)"]
    assert members(first) == members(second)


def test_a_long_name_still_makes_a_group(campaign):
    Campaign.objects.of(campaign.company_id).filter(pk=campaign.pk).update(name="W" * 200)
    campaign.refresh_from_db()
    drafts = [resend.to_not_delivered(campaign, by=BY) for _ in range(2)]
    assert all(len(draft.name) <= 200 for draft in drafts)


def test_with_nothing_failed_there_is_nothing_to_do_and_no_group_is_left(world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)
    campaign.refresh_from_db()
    with pytest.raises(WrongState, match="Nobody is left"):
        resend.to_not_delivered(campaign, by=BY)
    assert not Group.objects.of(world.acme).filter(name__startswith="Not delivered").exists()


def test_a_campaign_that_is_not_over_is_not_sent_again(world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    with pytest.raises(WrongState, match="Wait until"):
        resend.to_not_delivered(campaign, by=BY)


def test_the_page_offers_it_where_something_failed(client, world, campaign):
    client.force_login(world.marketer.user)
    assert "Send again to those not reached" in client.get(f"/campaigns/{campaign.pk}").content.decode()
    page = client.post(f"/campaigns/{campaign.pk}/resend", follow=True)
    assert "Spring (again)" in page.content.decode()
    client.force_login(world.viewer.user)
    assert "Send again" not in client.get(f"/campaigns/{campaign.pk}").content.decode()
    assert client.post(f"/campaigns/{campaign.pk}/resend").status_code == 403
