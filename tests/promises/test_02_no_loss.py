"""Promise 2: an opt-out that was acknowledged is in the ledger and in force; what is not understood is kept."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection

from addressbook import seals
from addressbook.models import ConsentEvent, Suppression
from messaging.models import Gateway, Reply
from optout import keywords, replies, stops
from optout.landing import views
from optout.models import ReviewItem
from tests.optout import links
from tests.world import PHONE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.short_urls")]


def reply(world, text: str, **fields) -> Reply:
    gateway = Gateway.objects.of(world.acme).get()
    return replies.receive(
        gateway=gateway, **{"provider_id": "", "sender": PHONE, "to": "+31970102030", "text": text} | fields
    )


def test_an_acknowledged_opt_out_is_in_the_ledger_and_in_force(world, client):
    message = links.message(world.acme, PHONE)

    answer = client.post(links.path(message), {"phone": PHONE})

    assert answer.status_code == 303
    assert Suppression.objects.of(world.acme).filter(channel="sms").exists()
    assert ConsentEvent.objects.of(world.acme).filter(message_id=message.pk, type="opt_out").exists()
    assert seals.verify(world.acme) == []


def test_what_the_database_refused_is_not_acknowledged(world, client, monkeypatch):
    message = links.message(world.acme, PHONE)

    def away(**fields):
        raise DatabaseError("away")

    monkeypatch.setattr(views.consent, "opt_out", away)

    answer = client.post(links.path(message), {"phone": PHONE})

    assert answer.status_code == 503
    assert 'data-state="unavailable"' in answer.content.decode()
    assert not Suppression.objects.of(world.acme).exists()


def test_a_commit_waits_for_the_disk(world):
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name IN ('synchronous_commit', 'fsync')")
        assert set(cursor.fetchall()) == {("synchronous_commit", "on"), ("fsync", "on")}


@pytest.mark.parametrize("text", ["leave me alone", "", "???", "\x00\ud800", "x" * 20_000, "Who is this?"])
def test_a_reply_that_is_no_keyword_is_kept_for_a_person(world, text):
    kept = reply(world, text)

    assert ReviewItem.objects.of(world.acme).get(decision="").reply_id == kept.pk
    assert not Suppression.objects.of(world.acme).exists()


def test_a_reply_stored_before_a_crash_is_read_by_the_sweep(world, monkeypatch):
    links.message(world.acme, PHONE, sender="+31970102030")
    with monkeypatch.context() as crash:
        crash.setattr(stops, "take", lambda *_, **__: None)
        crash.setattr(replies, "_read_or_keep", lambda reply: None)
        reply(world, "STOP", provider_id="1")
    assert not Suppression.objects.of(world.acme).exists()

    replies.sweep_unread()

    assert Suppression.objects.of(world.acme).filter(channel="sms").exists()


def test_a_reply_that_cannot_even_be_read_is_kept_for_a_person(world, monkeypatch):
    def broken():
        raise ValueError("broken")

    monkeypatch.setattr(keywords, "load", broken)

    reply(world, "STOP")

    assert ReviewItem.objects.of(world.acme).filter(decision="").exists()
