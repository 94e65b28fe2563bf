from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from addressbook import consent, erasure, seals
from addressbook.models import ConsentEvent, Contact, Evidence, Suppression
from campaigns import audience, dispatch
from messaging.addresses import parse
from messaging.models import Batch, Gateway, HandsetMessage, Message, Reply
from tests import make
from tests.world import PHONE

SECRETS = ("612345678", "devries", "Sanne", "canary words")


@pytest.fixture
def client(client, world):
    client.force_login(world.marketer.user)
    return client


def _launch(world, **fields):
    campaign = make.campaign(world.acme, world.customers, body="Hello {first_name}, canary words", **fields)
    campaign.launch()
    audience.build(campaign)
    return campaign


def _send(company):
    dispatch.run(category="marketing", seconds=5)


def _reply(world, *, read=True):
    return Reply.objects.create(
        company=world.acme,
        gateway=Gateway.objects.of(world.acme).get(),
        provider_id="r1",
        sender=PHONE,
        digest=bytes(world.contact.phone_digest),
        to="36184",
        text="canary words",
        received_at=timezone.now(),
        read_at=timezone.now() if read else None,
    )


def _kept_in_clear(company):
    """Every table that still holds one of the secrets in a row of the company."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            columns = connection.introspection.get_table_description(cursor, table)
            # The campaign's own text is the company's, not the person's.
            if table == "campaigns_campaign" or not any(c.name == "company_id" for c in columns):
                continue
            for secret in SECRETS:
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" t WHERE company_id = %s AND position(%s IN t::text) > 0',
                    [company.pk, secret],
                )
                if cursor.fetchone()[0]:
                    found.append((table, secret))
    return found


@pytest.fixture
def full(world):
    """A contact about whom every table says something."""
    _launch(world)
    _send(world.acme)
    _reply(world)
    consent.opt_out(
        company=world.acme,
        address=parse(PHONE),
        source="reply",
        comment="canary words",
        evidence={"text": "canary words"},
    )
    return world


def test_nothing_in_clear_text_is_left_of_the_person(full):
    assert _kept_in_clear(full.acme)
    erasure.erase(full.contact, by=full.owner.user)
    assert _kept_in_clear(full.acme) == []
    assert not Contact.objects.of(full.acme).exists()
    assert not HandsetMessage.objects.of(full.acme).exists()


def test_the_erasure_is_a_line_of_the_ledger_per_address_and_the_ledger_is_intact(full):
    erasure.erase(full.contact, by=full.owner.user)
    lines = ConsentEvent.objects.of(full.acme).filter(type="erasure").order_by("pk")
    assert [line.channel for line in lines] == ["sms", "email"]
    assert lines[1].cause_id == lines[0].pk
    assert Evidence.objects.of(full.acme).get(pk=lines[0].pk).details == {"by": full.owner.user.email}
    assert seals.verify(full.acme) == []


def test_who_had_opted_out_is_still_left_alone_after_coming_back(full):
    erasure.erase(full.contact, by=full.owner.user)
    assert list(Suppression.objects.of(full.acme).values_list("address", flat=True)) == ["", ""]
    make.contact(full.acme, PHONE, group=full.customers)
    assert not Contact.objects.of(full.acme).reachable().exists()
    campaign = _launch(full)
    assert Message.objects.of(full.acme).filter(campaign=campaign).count() == 0


def test_the_erased_number_can_still_opt_out_by_its_digest(full):
    erasure.erase(full.contact, by=full.owner.user)
    assert consent.opt_out(company=full.acme, address=parse(PHONE), source="landing").already


def test_what_waits_to_be_sent_is_cancelled_and_never_sent(world):
    campaign = _launch(world)
    erasure.erase(world.contact, by=world.owner.user)
    message = Message.objects.of(world.acme).get()
    assert (message.status, message.address, message.contact_id) == ("cancelled", "", None)
    _send(world.acme)
    assert not HandsetMessage.objects.of(world.acme).exists()
    campaign.refresh_from_db()
    assert campaign.status == "sent"


def test_a_message_that_is_being_handed_over_makes_erasure_wait(client, world):
    _launch(world)
    Batch.objects.of(world.acme).update(status="handing")
    with pytest.raises(erasure.Busy):
        erasure.erase(world.contact, by=world.owner.user)
    response = client.post(reverse("addressbook:contact-erase", args=[world.contact.pk]), {"opt_out": "on"})
    assert response.status_code == 409
    assert Contact.objects.of(world.acme).exists()
    assert not Suppression.objects.of(world.acme).exists()


def test_a_reply_that_nobody_has_read_makes_erasure_wait(world):
    reply = _reply(world, read=False)
    with pytest.raises(erasure.Busy):
        erasure.erase(world.contact, by=world.owner.user)
    reply.refresh_from_db()
    assert reply.text == "canary words"


def test_messages_to_a_number_that_the_contact_no_longer_has_are_erased_too(world):
    _launch(world)
    _send(world.acme)
    world.contact.set_address("sms", parse("+31687654321"))
    world.contact.save()
    erasure.erase(world.contact, by=world.owner.user)
    message = Message.objects.of(world.acme).get()
    assert (message.address, message.text) == ("", "")
    assert not HandsetMessage.objects.of(world.acme).exists()


def test_the_other_company_keeps_what_it_has(full):
    consent.opt_out(company=full.rival, address=parse(PHONE), source="reply", comment="theirs")
    erasure.erase(full.contact, by=full.owner.user)
    assert Contact.objects.of(full.rival).get().phone == PHONE
    assert Suppression.objects.of(full.rival).get().address == PHONE
    assert Evidence.objects.of(full.rival).get().comment == "theirs"


def test_other_contacts_of_the_company_keep_what_they_have(full):
    other = make.contact(full.acme, "+33612000000", group=full.customers, first_name="Lucas")
    campaign = _launch(full)
    erasure.erase(full.contact, by=full.owner.user)
    assert Message.objects.of(full.acme).get(campaign=campaign).address == other.phone
    assert list(full.customers.contacts.of(full.acme)) == [other]


def test_erasing_twice_says_that_nobody_is_there(full):
    erasure.erase(full.contact, by="an API key", source="api")
    with pytest.raises(Contact.DoesNotExist):
        erasure.erase(full.contact, by="an API key", source="api")


def test_the_page_asks_first_and_erases_on_confirmation(client, full):
    url = reverse("addressbook:contact-erase", args=[full.contact.pk])
    assert client.get(url).status_code == 200
    assert Contact.objects.of(full.acme).exists()
    assert client.post(url).status_code == 302
    assert not Contact.objects.of(full.acme).exists()
    assert client.post(url).status_code == 404


def test_the_page_can_opt_out_before_it_erases(client, world):
    client.post(reverse("addressbook:contact-erase", args=[world.contact.pk]), {"opt_out": "on"})
    assert Suppression.objects.of(world.acme).count() == 2
    assert not Contact.objects.of(world.acme).exists()


@pytest.mark.django_db(transaction=True)
def test_an_audience_that_is_being_built_leaves_no_message_to_the_erased(world):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()

    def erase():
        try:
            erasure.erase(world.contact, by=world.owner.user)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            audience.build(campaign)
            erasing = pool.submit(erase)
            _until_somebody_waits_for_a_lock(erasing)
        erasing.result(20)
    message = Message.objects.of(world.acme).get()
    assert (message.status, message.address) == ("cancelled", "")


def _until_somebody_waits_for_a_lock(other):
    with connection.cursor() as cursor:
        waiting = False
        while not waiting and not other.done():
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
            waiting = cursor.fetchone()[0]
