"""Marketing outside of hours is deferred message by message, and leaves when it may."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from addressbook import consent, erasure
from campaigns import audience, dispatch, gate, trial
from campaigns.audit import NOBODY
from messaging.addresses import Address
from messaging.gateways import ADAPTERS, Adapter, Outcome, Verdict
from messaging.models import Batch, Gateway, Message
from optout import destinations, marketing_hours
from optout.models import DestinationRule, QuietHoursSwitch
from optout.quiet_hours import DAYS
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
TO = Address("sms", PHONE)
FRENCH = Address("sms", "+33612345678")
HOUR = timedelta(hours=1)


class Counting(Adapter):
    kind = "counting"
    label = "Counting"
    channels = frozenset({"sms", "email"})
    batch_size = 10
    answers: list = []
    got: list = []

    def send(self, messages):
        self.got.extend(message.to for message in messages)
        return [self.answers.pop(0) if self.answers else Outcome(Verdict.ACCEPTED) for _ in messages]


@pytest.fixture(autouse=True)
def _hours_on(settings, monkeypatch):
    settings.QUIET_HOURS = True
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))
    monkeypatch.setattr(destinations, "SECONDS_KEPT", -1.0)


@pytest.fixture
def sent(world, monkeypatch) -> list[str]:
    """To whom the gateway was handed something."""
    monkeypatch.setitem(ADAPTERS, "counting", Counting)
    monkeypatch.setattr(Counting, "got", [])
    monkeypatch.setattr(Counting, "answers", [])
    Gateway.objects.of(world.acme).update(kind="counting")
    return Counting.got


def hours(country: str, *, opens_in: timedelta | None) -> datetime | None:
    """The rule of a country is made such that it opens then; None: it is open all day."""
    whole = dict.fromkeys(DAYS, "00:00-24:00")
    opening = None
    if opens_in is not None:
        # In the zone of that country, at least a day off: then the day of the week alone decides.
        place = marketing_hours.zones.country_zones(country)[0]
        opening = (timezone.now().astimezone(place) + opens_in).replace(hour=0, minute=0, second=0, microsecond=0)
        whole = {f"{opening:%a}".lower(): "00:00-24:00"}
    DestinationRule.objects.filter(country=country).update(window=whole, holidays=False)
    return opening


@pytest.fixture
def closed(world, sent) -> datetime:
    """The Netherlands open in two days only."""
    return hours("NL", opens_in=timedelta(days=2))


@pytest.fixture
def campaign(world, closed):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    return campaign


def send() -> None:
    dispatch.run(category="marketing")


def message(world) -> Message:
    return Message.objects.of(world.acme).select_related("batch").get()


def adds_up(campaign) -> bool:
    counts = campaign.counts()
    return counts["audience"] == sum(n for status, n in counts.items() if status != "audience")


def the_hour_comes(world) -> None:
    hours("NL", opens_in=None)
    Batch.objects.of(world.acme).deferred().update(due_at=timezone.now())


def test_what_is_outside_of_hours_waits_until_they_begin(world, sent, campaign, closed):
    send()

    assert sent == []
    assert message(world).status == "deferred"
    assert message(world).leaves_at == closed
    assert campaign.counts()["deferred"] == 1
    assert campaign.hours() == (closed, closed)
    assert adds_up(campaign)
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    assert not dispatch.due(category="marketing")


def test_it_leaves_when_its_hour_has_come(world, sent, campaign):
    send()
    the_hour_comes(world)

    send()

    assert sent == [PHONE]
    assert message(world).status == "sent"
    assert campaign.counts()["deferred"] == 0
    assert adds_up(campaign)
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_it_is_judged_again_when_it_is_due(world, sent, campaign, closed):
    send()
    Batch.objects.of(world.acme).deferred().update(due_at=timezone.now())

    send()

    assert sent == []
    assert message(world).leaves_at == closed
    assert adds_up(campaign)


def test_each_message_by_its_own_hours(world, sent, closed):
    make.contact(world.acme, phone=FRENCH.value, group=world.customers)
    make.contact(world.acme, phone="+32470123456", group=world.customers, country="BE")
    hours("FR", opens_in=None)
    tomorrow = hours("BE", opens_in=timedelta(days=1))
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)

    send()

    assert sent == [FRENCH.value]
    waiting = Message.objects.of(world.acme).filter(status="deferred").select_related("batch")
    assert {m.address: m.leaves_at for m in waiting} == {PHONE: closed, "+32470123456": tomorrow}
    assert campaign.hours() == (tomorrow, closed)
    assert adds_up(campaign)


def test_one_batch_per_opening_however_many_wait(world, sent, closed):
    for _ in range(9):
        make.contact(world.acme, group=world.customers)
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)

    send()

    assert Message.objects.of(world.acme).filter(status="deferred").count() == 10
    (batch,) = Batch.objects.of(world.acme).deferred()
    ids = sorted(Message.objects.of(world.acme).values_list("pk", flat=True))
    assert (batch.first_id, batch.last_id) == (ids[0], ids[-1])


def test_who_leaves_while_waiting_is_not_written_to(world, sent, campaign):
    send()

    consent.opt_out(company=world.acme, address=TO, source="api")

    assert message(world).status == "suppressed"
    the_hour_comes(world)
    send()
    assert sent == []
    assert adds_up(campaign)


def test_who_left_before_the_last_look_is_suppressed_not_deferred(world, sent, campaign, monkeypatch):
    """The batch is claimed already: the opt-out leaves it to the last look."""
    batch = dispatch.claim(worker=uuid.uuid4(), category="marketing")
    consent.opt_out(company=world.acme, address=TO, source="api")
    batch.refresh_from_db()

    dispatch.hand_over(batch, worker=batch.claimed_by)

    assert message(world).status == "suppressed"
    assert adds_up(campaign)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_pause_holds_and_a_resume_lets_go(world, sent, campaign, closed, when):
    if when == "after":
        send()
        campaign.pause()
    else:
        batch = dispatch.claim(worker=uuid.uuid4(), category="marketing")
        campaign.pause()
        batch.refresh_from_db()
        dispatch.hand_over(batch, worker=batch.claimed_by)
    the_hour_comes(world)

    send()
    assert (sent, message(world).status) == ([], "deferred")

    campaign.refresh_from_db()
    campaign.resume()
    send()
    assert (sent, message(world).status) == ([PHONE], "sent")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_cancel_ends_what_waits_for_its_hours(world, sent, campaign, when):
    if when == "after":
        send()
        campaign.cancel()
    else:
        batch = dispatch.claim(worker=uuid.uuid4(), category="marketing")
        campaign.cancel()
        batch.refresh_from_db()
        dispatch.hand_over(batch, worker=batch.claimed_by)
    the_hour_comes(world)

    send()

    assert (sent, message(world).status) == ([], "cancelled")
    assert adds_up(campaign)


def test_an_erased_person_s_message_does_not_wait_on(world, sent, campaign):
    send()

    erasure.erase(world.contact, by="somebody")

    assert message(world).status == "cancelled"
    assert adds_up(campaign)


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.DELIVERED, Verdict.REJECTED, Verdict.UNKNOWN])
def test_each_verdict_on_a_deferred_message_is_counted(world, sent, campaign, verdict):
    send()
    the_hour_comes(world)
    Counting.answers[:] = [Outcome(verdict)]

    send()

    status = dispatch.STATUS_OF[verdict]
    assert message(world).status == status
    assert campaign.counts()[status] == 1
    assert adds_up(campaign)


def test_what_the_gateway_refuses_at_its_hour_is_tried_again_not_given_up(world, sent, campaign):
    """Days of waiting for hours are not days in which the gateway refused it."""
    send()
    Message.objects.of(world.acme).update(created_at=make.long_ago(dispatch.GIVE_UP_AFTER + HOUR))
    the_hour_comes(world)
    Counting.answers[:] = [Outcome(Verdict.RETRYABLE)]

    send()

    assert message(world).status == "queued"
    assert message(world).leaves_at is None
    assert adds_up(campaign)


def test_what_the_gateway_refuses_for_days_is_given_up(world, sent, campaign):
    the_hour_comes(world)
    Batch.objects.of(world.acme).update(tried_since=make.long_ago(dispatch.GIVE_UP_AFTER + HOUR))
    Counting.answers[:] = [Outcome(Verdict.RETRYABLE)]

    send()

    assert message(world).status == "failed"
    assert adds_up(campaign)


def test_a_second_try_outside_of_hours_waits_for_them(world, sent, campaign, closed):
    hours("NL", opens_in=None)
    Counting.answers[:] = [Outcome(Verdict.RETRYABLE)]
    send()
    hours("NL", opens_in=timedelta(days=2))
    Batch.objects.of(world.acme).filter(status="queued").update(due_at=timezone.now())

    send()

    assert message(world).leaves_at == closed
    assert message(world).batch.tried_since > timezone.now() + HOUR, "the wait for hours is not the gateway's"


def test_a_worker_that_dies_over_deferred_messages_leaves_them_unknown(world, sent, campaign):
    send()
    the_hour_comes(world)
    dispatch.claim(worker=uuid.uuid4(), category="marketing")
    assert message(world).shown_status == "handing"
    Batch.objects.of(world.acme).filter(status="handing").update(claimed_at=make.long_ago(HOUR))

    dispatch.sweep()

    assert message(world).status == "unknown"
    assert adds_up(campaign)


def test_transactional_messages_never_wait(world, sent, closed):
    gate.send(company=world.acme, to=TO, body="Your code is 1234", category="transactional")

    dispatch.run(category="transactional")

    assert sent == [PHONE]


def test_a_test_of_a_draft_never_waits(world, sent, closed):
    draft = make.campaign(world.acme, world.customers)
    trial.send(draft, to=[TO], by=NOBODY)

    send()

    assert sent == [PHONE]


def test_a_single_marketing_message_waits_as_well(world, sent, closed):
    gate.send(company=world.acme, to=TO, body="Sale", category="marketing")

    send()

    assert sent == []
    assert message(world).leaves_at == closed


def test_e_mail_rings_nowhere_and_never_waits(world, sent, closed):
    gate.send(company=world.acme, to=Address("email", "a@b.example"), body="Sale", subject="S", category="marketing")

    send()

    assert sent == ["a@b.example"]


def test_quiet_hours_off_lets_everything_leave(world, sent, campaign, settings):
    settings.QUIET_HOURS = False

    send()

    assert sent == [PHONE]


# What an administrator switches.


@pytest.fixture
def administrator(db) -> User:
    return User.objects.create_superuser("admin@stopgate.example", make.PASSWORD)


def switch(world, administrator, *, off=True, country="NL", until=None, reason="Evacuation notice") -> QuietHoursSwitch:
    change = QuietHoursSwitch(company=world.acme, country=country, is_off=off, until=until, reason=reason)
    change.full_clean()
    marketing_hours.switch(change, by=administrator)
    return change


def test_what_is_switched_off_lets_go_of_those_who_wait(world, sent, campaign, administrator):
    send()
    assert sent == []

    switch(world, administrator)
    send()

    assert sent == [PHONE]


def test_it_is_switched_off_for_one_company_one_country_and_its_time_only(world, sent, administrator, closed):
    until = timezone.now() + HOUR
    switch(world, administrator, until=until)

    def opening(company, country, at):
        return marketing_hours.Doors(company, at=at)._opening(country, marketing_hours.zones.country_zones(country))

    hours("DE", opens_in=timedelta(days=2))
    assert opening(world.acme, "NL", timezone.now()) is None
    assert opening(world.acme, "NL", until) == closed
    assert opening(world.acme, "DE", timezone.now()) is not None
    assert opening(world.rival, "NL", timezone.now()) == closed


def test_the_latest_word_counts(world, sent, campaign, administrator):
    switch(world, administrator)
    switch(world, administrator, off=False, reason="Over")

    send()

    assert sent == []
    assert [s.who for s in QuietHoursSwitch.objects.of(world.acme)] == ["admin@stopgate.example"] * 2


@pytest.mark.parametrize(
    "change", [{"country": "QQ"}, {"country": "1"}, {"reason": ""}, {"until": datetime(2020, 1, 1, tzinfo=UTC)},
               {"off": False, "until": datetime(2099, 1, 1, tzinfo=UTC)}]
)  # fmt: skip
def test_a_switch_that_says_nothing_is_refused(world, administrator, change):
    with pytest.raises(ValidationError):
        switch(world, administrator, **change)


@pytest.mark.parametrize("act", ["update", "delete"])
def test_what_was_switched_stays_written(world, administrator, act):
    switch(world, administrator)
    rows = QuietHoursSwitch.objects.of(world.acme)

    with pytest.raises(DatabaseError), transaction.atomic():
        rows.update(reason="another") if act == "update" else rows.delete()

    assert rows.get().reason == "Evacuation notice"


def _form(world, **more) -> dict[str, str]:
    return {"company": str(world.acme.pk), "country": "nl", "is_off": "True", "reason": "Flood warning", **more}


def test_an_administrator_switches_in_django_admin(client, world, administrator):
    client.force_login(administrator)

    answer = client.post(reverse("admin:optout_quiethoursswitch_add"), _form(world))

    assert answer.status_code == 302, answer.context["adminform"].errors
    made = QuietHoursSwitch.objects.of(world.acme).get()
    assert (made.country, made.is_off, made.who, made.user_id) == ("NL", True, str(administrator), administrator.pk)
    page = client.get(reverse("admin:optout_quiethoursswitch_change", args=[made.pk]))
    assert page.status_code == 200
    assert client.post(reverse("admin:optout_quiethoursswitch_change", args=[made.pk]), _form(world)).status_code == 403
    assert client.post(reverse("admin:optout_quiethoursswitch_delete", args=[made.pk])).status_code == 403


def test_nobody_else_can(client, world):
    staff = User.objects.create_user("staff@stopgate.example", make.PASSWORD, is_staff=True)
    for user in (staff, world.owner.user):
        client.force_login(user)
        answer = client.post(reverse("admin:optout_quiethoursswitch_add"), _form(world))
        assert answer.status_code in {302, 403}
    assert not QuietHoursSwitch.objects.of(world.acme).exists()


def test_hours_that_nobody_can_read_are_refused_where_they_are_typed(client, administrator):
    rule = DestinationRule.objects.get(country="FR")
    client.force_login(administrator)
    url = reverse("admin:optout_destinationrule_change", args=[rule.pk])
    form = {name: v for name, v in client.get(url).context["adminform"].form.initial.items() if v is not None}
    form |= {"methods": '["link"]', "languages": '["fr"]', "window": '{"mon": "20:00-08:00"}'}

    answer = client.post(url, form)

    assert answer.status_code == 200
    assert "window" in answer.context["adminform"].form.errors


def test_other_hours_let_those_who_wait_be_judged_again(world, sent, campaign, administrator):
    send()
    marketing_hours.rules_changed()

    assert Batch.objects.of(world.acme).deferred().get().due_at <= timezone.now() + timedelta(seconds=1)


def test_hours_in_the_table_that_nobody_can_read_become_the_house_s(world, sent):
    DestinationRule.objects.filter(country="NL").update(window={"mon": "whenever"})

    assert destinations.rule("NL").hours.week == destinations.parse(destinations.HOUSE_WINDOW)


# What people see.


def test_the_composer_says_who_waits_and_until_when(client, world, closed):
    client.force_login(world.owner.user)
    draft = make.campaign(world.acme, world.customers)

    page = client.get(reverse("campaigns:campaign-review", args=[draft.pk]))

    (wait,) = page.context["waits"]
    assert (wait.country, wait.recipients, wait.first, wait.last) == ("NL", 1, closed, closed)
    assert "Quiet hours in Netherlands" in page.content.decode()


def test_a_campaign_that_is_scheduled_into_its_hours_waits_for_nothing(client, world, closed):
    client.force_login(world.owner.user)
    draft = make.campaign(world.acme, world.customers, scheduled_at=closed + HOUR)

    page = client.get(reverse("campaigns:campaign-review", args=[draft.pk]))

    assert page.context["waits"] == []


def test_where_a_number_tells_the_zone_the_composer_names_the_first_and_the_last(world, sent):
    at = datetime(2026, 6, 10, 13, 30, tzinfo=UTC)  # 9.30 in New York, 6.30 in Los Angeles

    (wait,) = marketing_hours.Doors(world.acme, at=at).waiting({"US": 5}, channel="sms")

    assert wait.first == at
    assert wait.last == datetime(2026, 6, 10, 19, tzinfo=UTC)  # 9 in Honolulu


def test_the_marketer_sees_what_an_administrator_switched_off(client, world, administrator, campaign):
    switch(world, administrator, until=timezone.now() + HOUR)
    client.force_login(world.owner.user)
    draft = make.campaign(world.acme, world.customers)

    for page in (reverse("campaigns:campaign-review", args=[draft.pk]), campaign.get_absolute_url()):
        text = client.get(page).content.decode()
        assert "An administrator switched quiet hours off for Netherlands until" in text
        assert "Evacuation notice" in text


def test_pages_and_programs_see_when_a_deferred_message_leaves(client, world, campaign, closed):
    send()
    client.force_login(world.owner.user)

    text = client.get(campaign.get_absolute_url()).content.decode()
    assert "waits for its hours and leaves on" in text
    assert "leaves " in text
    contact = client.get(reverse("addressbook:contact", args=[world.contact.pk])).content.decode()
    assert "is waiting for its hours" in contact
    assert "leaves " in contact
