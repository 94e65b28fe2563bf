"""A big audience is written in slices, by several workers: everybody once, whoever stops in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from campaigns import audience
from campaigns.models import Campaign, Slice
from messaging.models import Batch, Message
from tests import make

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 23


@pytest.fixture
def campaign(monkeypatch) -> Campaign:
    monkeypatch.setattr(audience, "SLICE", 4)
    company = make.company("Acme")
    group = make.group(company)
    for _ in range(PEOPLE):
        make.contact(company, group=group)
    made = make.campaign(company, group)
    made.launch()
    return made


def reached(campaign: Campaign) -> list[int]:
    return sorted(Message.objects.of(campaign.company_id).values_list("contact_id", flat=True))


def _build(campaign_id: int) -> int:
    try:
        return audience.build(Campaign.objects.across_companies().get(pk=campaign_id))
    finally:
        connection.close()


def test_builders_side_by_side_write_everybody_once(campaign):
    with ThreadPoolExecutor(3) as builders:
        written = sum(builders.map(_build, [campaign.pk] * 3))

    campaign.refresh_from_db()
    assert written == PEOPLE == len(set(reached(campaign))) == len(reached(campaign))
    assert campaign.built_at
    assert (campaign.audience, campaign.counts()["queued"]) == (PEOPLE, PEOPLE)


def test_a_pause_between_slices_holds_what_is_written_and_a_resume_writes_the_rest(campaign, monkeypatch):
    write, done = audience._write_slice, []

    def pause_after_two(*args, **kwargs):
        if len(done) == 2:
            Campaign.objects.across_companies().get(pk=campaign.pk).pause()
        done.append(1)
        return write(*args, **kwargs)

    monkeypatch.setattr(audience, "_write_slice", pause_after_two)
    audience.build(campaign)

    campaign.refresh_from_db()
    assert campaign.built_at is None
    assert 0 < campaign.audience == len(reached(campaign)) < PEOPLE
    assert set(campaign.batches().values_list("status", flat=True)) == {Batch.Status.HELD}
    monkeypatch.setattr(audience, "_write_slice", write)
    campaign.resume()
    audience.build(campaign)
    campaign.refresh_from_db()
    assert len(set(reached(campaign))) == len(reached(campaign)) == PEOPLE == campaign.counts()["queued"]


def test_a_slice_that_a_crash_interrupts_leaves_nothing_and_is_written_later(campaign, monkeypatch):
    count = audience._counted_in

    def crash(*args, **kwargs):
        raise RuntimeError("the worker is gone")

    monkeypatch.setattr(audience, "_counted_in", crash)
    with pytest.raises(RuntimeError):
        audience.build(campaign)
    assert reached(campaign) == []
    assert Slice.objects.of(campaign.company_id).filter(written_at=None).count() > 1
    monkeypatch.setattr(audience, "_counted_in", count)

    assert audience.build(campaign) == PEOPLE
    assert campaign.counts()["queued"] == PEOPLE


def test_two_campaigns_built_side_by_side_keep_to_the_company_s_cap(campaign):
    """Each looks at what the other has written, slice by slice."""
    company = campaign.company
    company.frequency_cap = 1
    company.save()
    second = make.campaign(company, make.group(company))
    second.launch()

    with ThreadPoolExecutor(4) as builders:
        list(builders.map(_build, [campaign.pk, second.pk] * 2))

    assert len(set(reached(campaign))) == len(reached(campaign)) == PEOPLE
    for each in (campaign, second):
        each.refresh_from_db()
        assert each.built_at
        assert each.in_groups == PEOPLE == each.audience + each.left_out_capped
