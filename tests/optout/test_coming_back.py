"""Double opt-in: where a company asks for it, nobody is back before a second message is confirmed."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.test.utils import override_settings
from django.urls import reverse
from django.utils import timezone

from accounts.models import Bucket, Company
from addressbook import consent, erasure, seals
from addressbook.models import ConsentEvent, Evidence, Suppression
from messaging.addresses import parse
from messaging.models import Gateway, Message
from optout import portal, replies
from optout.landing import coming_back
from optout.models import OptInRequest
from tests import make
from tests.optout import links
from tests.optout.test_landing import state
from tests.world import PHONE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.short_urls")]

EMAIL = "sanne@devries.example"


@pytest.fixture(autouse=True)
def short_host():
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://short.test", ALLOWED_HOSTS=["*"]):
        yield


@pytest.fixture(autouse=True)
def confirming(world):
    Company.objects.filter(pk=world.acme.pk).update(confirms_opt_ins=True)


@pytest.fixture
def client(client):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


@pytest.fixture
def out(client, world) -> str:
    """The page after an opt-out by SMS link."""
    message = links.message(world.acme, PHONE)
    return client.post(links.path(message), {"phone": PHONE})["Location"]


def ask(client, out: str, **headers) -> str:
    answer = client.post(out, {"action": "opt-in"}, headers=headers)
    assert answer.status_code == 303
    return answer["Location"]


def second(company) -> Message:
    return Message.objects.of(company).filter(category="transactional").latest("pk")


def link_in(message: Message) -> str:
    return re.search(r"http://short\.test(/i/[0-9A-Z]+)", message.text)[1]


def is_out(company, address: str = PHONE) -> bool:
    return Suppression.objects.of(company).filter(address=address).exists()


def test_asking_lifts_nothing_and_sends_a_link(client, world, out):
    page = client.get(ask(client, out))

    assert (page.status_code, state(page)) == (200, "asked")
    assert "Marketing from Acme again?" in second(world.acme).text
    assert (second(world.acme).address, second(world.acme).channel) == (PHONE, "sms")
    assert is_out(world.acme)
    assert not ConsentEvent.objects.of(world.acme).filter(type="opt_in").exists()


def test_confirming_lifts_with_both_steps_as_evidence(client, world, out):
    asked_at = timezone.now()
    ask(client, out, user_agent="Mozilla/5.0 (iPhone) Safari")
    link = link_in(second(world.acme))
    page = client.get(link)
    assert (page.status_code, state(page)) == (200, "confirm")

    answer = client.post(link, headers={"user-agent": "Mozilla/5.0 (Windows) Firefox"}, follow=True)

    assert (answer.status_code, state(answer)) == (200, "opted-in")
    assert not is_out(world.acme)
    event = ConsentEvent.objects.of(world.acme).get(type="opt_in", cause_id=None)
    kept = Evidence.objects.of(world.acme).get(pk=event.pk).details
    assert event.source == "landing"
    assert kept["method"] == "landing, confirmed by a second message"
    assert kept["text"] == kept["first_text"] == "Yes, Acme may send me marketing again."
    assert kept["text"] in page.content.decode()
    assert (kept["first_browser"], kept["browser"]) == ("Safari / iOS", "Firefox / Windows")
    assert asked_at.isoformat() < kept["first_occurred_at"] < kept["occurred_at"]
    assert seals.verify(world.acme) == []


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_opening_the_link_confirms_nothing(client, world, out, method):
    ask(client, out)

    getattr(client, method)(link_in(second(world.acme)))

    assert is_out(world.acme)


def test_confirming_needs_no_cookie_and_no_token(world, client, out):
    ask(client, out)

    answer = Client(enforce_csrf_checks=True).post(link_in(second(world.acme)))

    assert (answer.status_code, len(answer.cookies)) == (303, 0)
    assert not is_out(world.acme)


def test_confirming_twice_is_friendly_and_one_consent(client, world, out):
    ask(client, out)
    link = link_in(second(world.acme))
    client.post(link)

    assert state(client.post(link, follow=True)) == "opted-in"
    assert state(client.get(link, follow=True)) == "opted-in"
    assert ConsentEvent.objects.of(world.acme).filter(type="opt_in", cause_id=None).count() == 1


def test_who_left_again_meanwhile_is_not_brought_back_by_the_old_link(client, world, out):
    ask(client, out)
    link = link_in(second(world.acme))
    client.post(link)
    consent.opt_out(company=world.acme, address=parse(PHONE), source="reply")

    assert client.get(link).status_code == 404
    assert client.post(link).status_code == 404
    assert is_out(world.acme)


def test_a_request_is_over_after_seven_days(client, world, out):
    ask(client, out)
    link = link_in(second(world.acme))
    left = OptInRequest.objects.of(world.acme).get().expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    OptInRequest.objects.of(world.acme).update(expires_at=make.long_ago(timedelta(seconds=1)))

    assert client.get(link).status_code == 404
    assert client.post(link).status_code == 404
    assert is_out(world.acme)
    coming_back.forget_old()
    assert not OptInRequest.objects.of(world.acme).exists()


def test_a_request_that_waits_is_kept(client, world, out):
    ask(client, out)

    coming_back.forget_old()

    assert OptInRequest.objects.of(world.acme).exists()


def test_a_forged_end_confirms_nothing(client, world, out):
    ask(client, out)
    link = link_in(second(world.acme))
    changed = link[:-1] + ("0" if link[-1] != "0" else "1")
    for forged in (changed, link[:10], link + "0", "/i/", "/i/\0", "/i/" + "é" * 90):
        assert client.post(forged).status_code == 404
    assert is_out(world.acme)


def test_the_opt_out_link_does_not_make_the_second_step(client, world, out):
    """Whoever has the first message only, has not read the second."""
    message = Message.objects.of(world.acme).filter(category="marketing").latest("pk")
    ask(client, out)
    known = links.codes().encode(message.pk) + links.codes().receipt(message.pk, "asked")

    assert client.post(f"/i/{known}").status_code == 404
    assert client.post(f"/i/{links.codes().encode_tagged(message.pk)}").status_code == 404


def test_only_so_many_second_messages_go_to_one_address(client, world, out):
    for _n in range(coming_back.PER_ADDRESS_AND_DAY):
        assert "/asked/" in ask(client, out)

    page = client.get(ask(client, out))

    assert state(page) == "later"
    assert "try again tomorrow" in page.content.decode()
    assert Message.objects.of(world.acme).filter(category="transactional").count() == coming_back.PER_ADDRESS_AND_DAY
    assert is_out(world.acme)


def test_one_network_asks_only_so_often(client, world, out, monkeypatch):
    monkeypatch.setattr(coming_back, "PER_NETWORK_AND_HOUR", 1)
    ask(client, out)

    assert "/later/" in ask(client, out)
    Bucket.objects.all().delete()
    assert "/asked/" in ask(client, out)


def test_without_a_gateway_it_says_so_and_stays_out(client, world, out):
    Gateway.objects.of(world.acme).update(switched_off_at=timezone.now())

    assert state(client.get(ask(client, out))) == "later"
    assert is_out(world.acme)
    assert not OptInRequest.objects.of(world.acme).exists()


def test_an_erased_address_gets_no_second_message(client, world, out):
    erasure.erase(world.contact, by="somebody")

    assert "/later/" in ask(client, out)


def test_by_e_mail_the_link_comes_by_e_mail(client, world):
    mail = links.message(world.acme, EMAIL)
    location = client.post(links.path(mail))["Location"]

    assert state(client.get(ask(client, location))) == "asked"

    message = second(world.acme)
    assert (message.channel, message.address) == ("email", EMAIL)
    assert message.subject == "Please confirm: marketing from Acme"
    client.post(link_in(message))
    assert not is_out(world.acme, EMAIL)


def test_from_the_companys_own_page_too(client, world):
    token = client.post("/c/acme", {"address": PHONE})["Location"]
    portal.send_waiting()
    location = client.post(token, {"code": re.search(r"\b[0-9]{6}\b", second(world.acme).text)[0]})["Location"]

    assert state(client.get(ask(client, location))) == "asked"
    answer = client.post(link_in(second(world.acme)), follow=True)

    assert state(answer) == "opted-in"
    assert not is_out(world.acme)
    assert ConsentEvent.objects.of(world.acme).get(type="opt_in", cause_id=None).source == "portal"


def test_it_speaks_the_readers_language(client, world, out):
    ask(client, out + "?lang=de")

    assert "Wieder Werbung von Acme?" in second(world.acme).text
    assert second(world.acme).language == "de"
    page = client.get(link_in(second(world.acme)) + "?lang=de").content.decode()
    assert "Ja, Acme darf mir wieder Werbung senden." in page


def test_start_by_reply_is_one_step(world, out):
    """Who answers from a number has it in hand."""
    replies.receive_simulated(company=world.acme, from_=PHONE, to="Acme", text="START")

    assert not is_out(world.acme)


def test_where_the_company_does_not_ask_it_is_one_step(client, world, out):
    Company.objects.filter(pk=world.acme.pk).update(confirms_opt_ins=False)

    assert "/in/" in ask(client, out)
    assert not is_out(world.acme)


def test_a_link_of_one_company_lifts_nothing_at_another(client, world, out):
    consent.opt_out(company=world.rival, address=parse(PHONE), source="reply")
    ask(client, out)

    client.post(link_in(second(world.acme)))

    assert not is_out(world.acme)
    assert is_out(world.rival)


@pytest.mark.urls("config.urls")
def test_an_owner_chooses_it(client, world):
    Company.objects.filter(pk=world.acme.pk).update(confirms_opt_ins=False)
    client.force_login(world.owner.user)
    page = reverse("accounts:settings")
    form = client.get(page).context["form"]
    filled = {name: form[name].value() or "" for name in form.fields} | {"confirms_opt_ins": "on"}

    client.post(page, filled)

    world.acme.refresh_from_db()
    assert world.acme.confirms_opt_ins
