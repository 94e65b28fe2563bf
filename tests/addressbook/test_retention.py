from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from addressbook import consent, retention
from addressbook.models import ConsentEvent, Evidence, FilePiece, Import, RejectedRow, Suppression
from campaigns import audience, dispatch
from lib.keys import digest_key
from messaging.addresses import parse
from messaging.models import Gateway, HandsetMessage, Message, Reply
from optout.models import ReviewItem
from tests import make
from tests.world import PHONE

OLD = timedelta(days=40)


@pytest.fixture
def keeping(world):
    world.acme.retention_days = 30
    world.acme.save()
    return world


def _message(company, group, *, age=OLD, sent=True):
    campaign = make.campaign(company, group)
    campaign.launch()
    audience.build(campaign)
    if sent:
        dispatch.run(category="marketing", seconds=5)
    Message.objects.of(company).filter(campaign=campaign).update(created_at=make.long_ago(age))
    return Message.objects.of(company).get(campaign=campaign)


def _reply(company, text="hello", *, age=OLD, read=True):
    when = make.long_ago(age)
    return Reply.objects.create(
        company=company,
        gateway=Gateway.objects.of(company).get(),
        provider_id=text,
        sender=PHONE,
        digest=parse(PHONE).digest(digest_key()),
        to="1008",
        text=text,
        received_at=when,
        read_at=when if read else None,
    )


def _until_done(company):
    while retention.empty_some(company):
        pass


def test_an_old_message_loses_text_and_address_and_keeps_its_digest(keeping):
    message = _message(keeping.acme, keeping.customers)
    _until_done(keeping.acme)
    message.refresh_from_db()
    assert (message.text, message.address) == ("", "")
    assert bytes(message.digest) == parse(PHONE).digest(digest_key())


def test_a_message_that_is_young_enough_is_kept(keeping):
    message = _message(keeping.acme, keeping.customers, age=timedelta(days=20))
    _until_done(keeping.acme)
    message.refresh_from_db()
    assert message.address == PHONE


def test_without_a_setting_everything_is_kept(world):
    message = _message(world.acme, world.customers)
    _until_done(world.acme)
    message.refresh_from_db()
    assert message.address == PHONE


def test_another_companys_messages_are_kept(keeping):
    theirs = _message(keeping.rival, keeping.rivals_customers)
    _message(keeping.acme, keeping.customers)
    _until_done(keeping.acme)
    theirs.refresh_from_db()
    assert theirs.address == PHONE


def test_a_message_that_still_waits_is_emptied_when_it_has_left(keeping):
    message = _message(keeping.acme, keeping.customers, sent=False)
    _until_done(keeping.acme)
    message.refresh_from_db()
    assert message.address == PHONE
    dispatch.run(category="marketing", seconds=5)
    _until_done(keeping.acme)
    message.refresh_from_db()
    assert (message.status, message.address) == ("delivered", "")


def test_messages_are_emptied_window_by_window(keeping, monkeypatch):
    monkeypatch.setattr(retention, "WINDOW", 1)
    for _n in range(3):
        _message(keeping.acme, keeping.customers)
    assert retention.empty_some(keeping.acme)
    assert Message.objects.of(keeping.acme).filter(address="").count() == 1
    _until_done(keeping.acme)
    assert Message.objects.of(keeping.acme).filter(address="").count() == 3


def test_the_ledger_and_the_suppressions_stay(keeping):
    consent.opt_out(
        company=keeping.acme, address=parse(PHONE), source="api", comment="Enough", occurred_at=make.long_ago(OLD)
    )
    _until_done(keeping.acme)
    assert Suppression.objects.of(keeping.acme).filter(address=PHONE).exists()
    assert Evidence.objects.of(keeping.acme).first().comment == "Enough"
    assert ConsentEvent.objects.of(keeping.acme).exists()


def test_an_old_reply_loses_its_words_and_its_sender(keeping):
    reply = _reply(keeping.acme)
    _until_done(keeping.acme)
    reply.refresh_from_db()
    assert (reply.text, reply.sender) == ("", "")


def test_a_reply_that_nobody_has_read_is_kept(keeping):
    reply = _reply(keeping.acme, read=False)
    _until_done(keeping.acme)
    reply.refresh_from_db()
    assert reply.text == "hello"


def test_a_reply_that_waits_for_a_decision_is_kept_until_it_is_made(keeping):
    reply = _reply(keeping.acme)
    item = ReviewItem.objects.create(company=keeping.acme, reply=reply, digest=reply.digest)
    _until_done(keeping.acme)
    reply.refresh_from_db()
    assert reply.text == "hello"
    item.decision = "kept"
    item.save()
    _until_done(keeping.acme)
    reply.refresh_from_db()
    assert reply.text == ""


def test_what_the_simulators_handsets_got_goes(keeping):
    for age in (OLD, timedelta(days=1)):
        HandsetMessage.objects.create(
            company=keeping.acme, message_id=1, to=PHONE, text="Sale", received_at=make.long_ago(age)
        )
    _until_done(keeping.acme)
    assert HandsetMessage.objects.of(keeping.acme).count() == 1


def _import(company, *, age, status="done"):
    made = Import.objects.create(company=company, file_name="people.csv", status=status)
    FilePiece.objects.create(company=company, import_run=made, position=0, content=b"phone\n+31612345678\n")
    RejectedRow.objects.create(company=company, import_run=made, line=2, cells=[PHONE], code="x", reason="x")
    Import.objects.of(company).filter(pk=made.pk).update(created_at=make.long_ago(age))
    return made


def test_old_files_and_rejected_rows_go_and_what_became_of_the_import_stays(keeping):
    _import(keeping.acme, age=OLD)
    young = _import(keeping.acme, age=timedelta(days=1))
    _until_done(keeping.acme)
    assert Import.objects.of(keeping.acme).count() == 2
    assert [row.import_run_id for row in RejectedRow.objects.of(keeping.acme)] == [young.pk]
    assert [piece.import_run_id for piece in FilePiece.objects.of(keeping.acme)] == [young.pk]


def test_an_import_that_is_still_read_keeps_its_file(keeping):
    _import(keeping.acme, age=OLD, status="running")
    _until_done(keeping.acme)
    assert FilePiece.objects.of(keeping.acme).exists()


def test_a_file_that_nobody_went_on_with_is_dropped_after_a_week_whatever_is_kept(world):
    _import(world.acme, age=timedelta(days=8), status="mapping")
    kept = _import(world.acme, age=timedelta(days=6), status="mapping")
    retention.forget_abandoned()
    assert [one.pk for one in Import.objects.of(world.acme)] == [kept.pk]


def test_the_workers_sweep_empties_what_is_old(keeping, monkeypatch):
    monkeypatch.setattr(retention, "_rested_at", None)
    message = _message(keeping.acme, keeping.customers)
    retention.sweep()
    message.refresh_from_db()
    assert message.address == ""


def test_a_late_opt_out_by_its_link_still_finds_an_emptied_message(keeping):
    message = _message(keeping.acme, keeping.customers)
    _until_done(keeping.acme)
    message.refresh_from_db()
    assert message.is_to(parse(PHONE), key=digest_key())


@pytest.mark.parametrize(("text", "days"), [("30", 30), ("", None)])
def test_an_owner_sets_how_long_things_are_kept(client, world, text, days):
    client.force_login(world.owner.user)
    page = reverse("accounts:settings")
    kept = {name: field.value() or "" for name, field in ((f.name, f) for f in client.get(page).context["form"])}
    assert client.post(page, {**kept, "retention_days": text}).status_code == 302
    world.acme.refresh_from_db()
    assert world.acme.retention_days == days


@pytest.mark.parametrize("text", ["0", "-1", "x", "99999999999999999999", "1.5"])
def test_days_that_cannot_be_are_refused(client, world, text):
    client.force_login(world.owner.user)
    page = reverse("accounts:settings")
    kept = {name: field.value() or "" for name, field in ((f.name, f) for f in client.get(page).context["form"])}
    answer = client.post(page, {**kept, "retention_days": text})
    assert answer.status_code == 422
    assert answer.context["form"].errors["retention_days"]
