from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from addressbook import consent, erasure, paging, seals
from addressbook.models import ConsentEvent, Evidence, Suppression
from messaging.addresses import parse
from tests import make
from tests.world import PHONE

LIST = reverse("addressbook:suppressions")
ADD = reverse("addressbook:suppression-add")
FRENCH = "+33612345678"
EVIDENCE = {"method": "signed form", "text": "Yes, send me offers", "occurred_at": "2025-03-01T10:00"}


@pytest.fixture
def client(client, world):
    client.force_login(world.marketer.user)
    return client


def _opt_out(company, address, **more):
    consent.opt_out(company=company, address=parse(address), source="marketer", **more)


def _lift(world, channel="sms"):
    one = Suppression.objects.of(world.acme).get(channel=channel)
    return reverse("addressbook:suppression-lift", args=[one.pk])


def test_the_list_shows_this_company_only(client, world):
    _opt_out(world.acme, FRENCH)
    _opt_out(world.rival, "+33612345699")
    page = client.get(LIST).content.decode()
    assert "+33 6 12 34 56 78" in page
    assert "+33 6 12 34 56 99" not in page


def test_an_empty_list_says_how_to_begin(client):
    assert "Nobody has opted out yet." in client.get(LIST).content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"channel": "sms"}, 1), ({"channel": "email"}, 1), ({"source": "marketer"}, 2), ({"source": "reply"}, 0),
        ({"q": "06 12345678"}, 1), ({"q": "sanne"}, 1), ({"since": "2025-02-01"}, 2), ({"since": "2025-02-02"}, 0),
        ({"until": "2025-02-01"}, 2), ({"until": "2025-01-31"}, 0),
    ],
)  # fmt: skip
def test_the_list_is_narrowed(client, world, query, found):
    world.acme.country = "NL"
    world.acme.save()
    _opt_out(world.acme, PHONE, occurred_at=datetime(2025, 2, 1, 23, 59, tzinfo=UTC))
    assert len(client.get(LIST, query).context["page"].items) == found


@pytest.mark.parametrize(
    "query",
    [
        {"channel": "fax"}, {"source": "x"}, {"since": "yesterday"}, {"since": "2025-02-02", "until": "2025-02-01"},
        {"q": "\0"}, {"q": "x" * 300}, {"after": "x"}, {"after": "9" * 39 + "-"}, {"after": "9" * 30 + "-1"},
        {"until": "9999-12-31"},
    ],
)  # fmt: skip
def test_a_wrong_filter_is_explained(client, query):
    response = client.get(LIST, query)
    assert response.status_code == 422
    assert "errorlist" in response.content.decode()


def test_pages_follow_each_other_although_moments_repeat(world):
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    for n in range(7):
        _opt_out(world.acme, f"+3161000000{n}", occurred_at=moment + timedelta(seconds=n // 3))
    seen, after = [], ""
    while True:
        page = paging.page_by(Suppression.objects.of(world.acme), "since", after=after, size=2)
        seen += [s.pk for s in page.items]
        if not page.next:
            break
        after = page.next
    assert len(seen) == len(set(seen)) == 7


def test_an_address_is_added_by_hand_in_any_writing(client, world):
    client.post(ADD, {"address": "+33 6 12 34 56 78", "reason": "too_many", "comment": "on the phone"})
    one = Suppression.objects.of(world.acme).get()
    assert (one.address, one.source) == (FRENCH, "marketer")
    assert Evidence.objects.of(world.acme).get().comment == "on the phone"


def test_adding_twice_is_friendly(client, world):
    client.post(ADD, {"address": FRENCH})
    assert "had opted out before" in client.post(ADD, {"address": FRENCH}, follow=True).content.decode()


@pytest.mark.parametrize("address", ["", "12", "x@", "a\0", "1" * 1000])
def test_a_wrong_address_is_refused(client, world, address):
    response = client.post(ADD, {"address": address})
    assert response.status_code == 422
    assert response.context["form"].errors["address"]


def test_a_line_goes_only_with_evidence(client, world):
    _opt_out(world.acme, FRENCH, occurred_at=datetime(2025, 2, 1, tzinfo=UTC))
    for missing in EVIDENCE:
        assert client.post(_lift(world), EVIDENCE | {missing: " "}).status_code == 422
    assert Suppression.objects.of(world.acme).exists()
    client.post(_lift(world), EVIDENCE)
    assert not Suppression.objects.of(world.acme).exists()
    event = ConsentEvent.objects.of(world.acme).get(type="opt_in")
    assert Evidence.objects.of(world.acme).get(pk=event.pk).details["text"] == EVIDENCE["text"]


def test_a_consent_from_before_the_opt_out_lifts_nothing(client, world):
    _opt_out(world.acme, FRENCH)
    answer = client.post(_lift(world), EVIDENCE)
    assert answer.status_code == 422
    assert "before the opt-out of" in str(answer.context["form"].errors["occurred_at"])
    assert Suppression.objects.of(world.acme).exists()


@pytest.mark.parametrize("when", ["2999-01-01T00:00", "0001-01-01T00:00", "soon", "2025-02-30T10:00"])
def test_a_moment_that_cannot_be_is_refused(client, world, when):
    _opt_out(world.acme, FRENCH)
    assert client.post(_lift(world), EVIDENCE | {"occurred_at": when}).status_code == 422


def test_an_erased_address_comes_back_only_when_the_person_names_it(client, world):
    _opt_out(world.acme, PHONE, channels=["sms"], occurred_at=datetime(2025, 2, 1, tzinfo=UTC))
    erasure.erase(world.contact, by=world.owner.user)
    assert client.post(_lift(world), EVIDENCE).status_code == 422
    assert client.post(_lift(world), EVIDENCE | {"address": FRENCH}).status_code == 422
    assert client.post(_lift(world), EVIDENCE | {"address": PHONE}).status_code == 302
    assert not Suppression.objects.of(world.acme).exists()
    assert seals.verify(world.acme) == []


def test_the_line_of_another_company_is_not_there(client, world):
    _opt_out(world.rival, FRENCH)
    rivals = Suppression.objects.of(world.rival).get()
    assert client.post(reverse("addressbook:suppression-lift", args=[rivals.pk]), EVIDENCE).status_code == 404
    assert Suppression.objects.of(world.rival).exists()


def test_the_export_is_filtered_and_safe_to_open(client, world):
    _opt_out(world.acme, FRENCH, campaign_id=1, campaign_name="=HYPERLINK()")
    _opt_out(world.acme, "lucas@mail.example")
    text = b"".join(client.get(reverse("addressbook:suppressions-export"), {"channel": "sms"})).decode()
    assert "'+33612345678" in text
    assert "'=HYPERLINK()" in text
    assert "lucas" not in text


def test_a_viewer_reads_and_changes_nothing(client, world):
    _opt_out(world.acme, FRENCH)
    client.force_login(world.viewer.user)
    assert client.get(LIST).status_code == 200
    assert client.get(reverse("addressbook:suppressions-export")).status_code == 200
    assert client.post(ADD, {"address": FRENCH}).status_code == 403
    assert client.post(_lift(world), EVIDENCE).status_code == 403


def test_the_list_asks_a_fixed_number_of_times(client, world, django_assert_max_num_queries):
    for n in range(20):
        _opt_out(world.acme, f"+316100000{n:02}")
    with django_assert_max_num_queries(9):
        client.get(LIST)


def _from_campaign(world, phone, *, reason="", later=""):
    campaign = make.campaign(world.acme, world.customers, name=f"Sale {phone[-2:]}")
    done = consent.opt_out(
        company=world.acme,
        address=parse(phone),
        source="landing",
        campaign_id=campaign.pk,
        campaign_name=campaign.name,
        reason=reason,
    )
    if later:
        consent.give_reason(
            company=world.acme, address=parse(phone), event_id=done.event_id, source="landing", reason=later, comment=""
        )
    return campaign


def _listed(client, **query):
    return {s.address for s in client.get(reverse("addressbook:suppressions"), query).context["page"].items}


def test_the_list_is_narrowed_to_one_campaign(client, world):
    sale = _from_campaign(world, "+33612345611")
    _from_campaign(world, "+33612345622")
    assert _listed(client, campaign=sale.pk) == {"+33612345611"}
    assert "Sale 11" in client.get(reverse("addressbook:suppressions"), {"campaign": sale.pk}).content.decode()


def test_the_list_is_narrowed_to_a_reason_told_with_the_opt_out_or_after_it(client, world):
    _from_campaign(world, "+33612345611", reason="too_many")
    _from_campaign(world, "+33612345622", later="too_many")
    _from_campaign(world, "+33612345633", reason="other")
    assert _listed(client, reason="too_many") == {"+33612345611", "+33612345622"}


@pytest.mark.parametrize(
    "query", [{"campaign": "x"}, {"campaign": "9" * 30}, {"reason": "unheard-of"}, {"reason": "\0"}]
)
def test_a_campaign_or_reason_that_cannot_be_is_refused(client, world, query):
    assert client.get(reverse("addressbook:suppressions"), query).status_code == 422


def test_another_companys_campaign_is_not_offered(client, world):
    make.campaign(world.rival, world.rivals_customers, name="Theirs")
    assert "Theirs" not in client.get(reverse("addressbook:suppressions")).content.decode()


def test_a_reason_of_the_companys_own_is_shown_in_its_words(client, world):
    from optout import reasons
    from optout.models import Reason

    Reason.objects.create(company=world.acme, code="moved", text="I moved away")
    reasons.offered(world.acme.pk, fresh=True)
    _from_campaign(world, "+33612345611", reason="moved")
    assert "I moved away" in client.get(reverse("addressbook:suppressions")).content.decode()


def test_the_export_follows_the_filters(client, world):
    sale = _from_campaign(world, "+33612345611")
    _from_campaign(world, "+33612345622")
    text = b"".join(client.get(reverse("addressbook:suppressions-export"), {"campaign": sale.pk})).decode()
    assert "33612345611" in text
    assert "33612345622" not in text
