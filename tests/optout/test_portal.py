"""Out without a link: whoever gets the code has the address, and a stranger learns nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from accounts.models import Bucket, Company
from addressbook.models import ConsentEvent, Evidence, Suppression
from messaging.models import Gateway, Message
from optout import notices, portal
from optout.landing import texts
from optout.models import PortalCode
from tests import make
from tests.optout import links
from tests.optout.test_landing import everything, state
from tests.world import PHONE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.short_urls")]

STRANGER = "+31687654321"
PAGE = "/c/acme"
NOWHERE = "8f14e45f-ceea-467f-a8a5-6b6d5f3a1c11"


@pytest.fixture(autouse=True)
def short_host():
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://short.test", ALLOWED_HOSTS=["*"]):
        yield


def asked(client, address: str = PHONE, page: str = PAGE, **headers) -> str:
    """Where the form for the code is, once the worker has done its part."""
    answer = client.post(page, {"address": address}, headers=headers)
    assert answer.status_code == 303, answer.content
    portal.send_waiting()
    return answer["Location"]


def sent(channel: str = "sms") -> Message:
    return Message.objects.across_companies().filter(category="transactional", channel=channel).latest("pk")


def code(channel: str = "sms") -> str:
    return re.search(r"\b[0-9]{6}\b", sent(channel).text)[0]


def other_than(right: str) -> str:
    return f"{(int(right) + 1) % 1_000_000:06d}"


def is_out(company, address: str = PHONE) -> bool:
    return Suppression.objects.of(company).filter(address=address).exists()


# The way out ---------------------------------------------------------------------------


def test_address_then_code_is_out_with_proof(client, world):
    Company.objects.filter(pk=world.acme.pk).update(country="NL")
    where = asked(client, "06 12345678")
    reader = {"user-agent": "Mozilla/5.0 (iPhone) Safari/604", "accept-language": "en"}
    answer = client.post(where, {"code": code()}, headers=reader)

    assert answer.status_code == 303
    assert state(client.get(answer["Location"])) == "opted-out"
    assert is_out(world.acme)
    assert is_out(world.acme, world.contact.email)  # the contact, not only the number
    assert not is_out(world.rival)
    event = ConsentEvent.objects.of(world.acme).get(cause_id=None)
    assert (event.source, event.channel, event.message_id, event.country) == ("portal", "sms", None, "NL")
    evidence = Evidence.objects.of(world.acme).get(event_id=event.pk)
    assert evidence.details["browser"] == "Safari / iOS"
    assert "Enter the code you were sent" in evidence.details["text"]


def test_an_email_address_is_proven_by_email(client, world):
    where = asked(client, " Sanne@DeVries.example ")

    assert (sent("email").address, sent("email").subject) == (world.contact.email, "Your code for Acme")
    assert client.post(where, {"code": code("email")}).status_code == 303
    assert is_out(world.acme, world.contact.email)


def test_the_code_goes_out_as_a_transactional_message_even_to_who_has_left(client, world):
    links.out(world.acme, PHONE)

    where = asked(client)
    answer = client.post(where, {"code": code()})

    assert sent().method == ""
    assert sent().batch.category == "transactional"
    assert state(client.get(answer["Location"])) == "already-opted-out"


def test_who_was_written_to_is_known_without_being_a_contact(client, world):
    links.message(world.acme, STRANGER, sender="ACME")

    asked(client, STRANGER)

    assert (sent().address, sent().sender) == (STRANGER, "ACME")


@pytest.mark.parametrize("writing", ["{} ", "{}\u200e", "arabic", "spaced", "dashed"])
def test_the_code_is_read_as_people_write_it(client, world, writing):
    where = asked(client)
    right = code()
    written = {
        "arabic": right.translate({48 + n: 0x660 + n for n in range(10)}),
        "spaced": f"{right[:3]} {right[3:]}",
        "dashed": f"{right[:3]}-{right[3:]}",
    }.get(writing, writing.format(right))

    assert client.post(where, {"code": written}).status_code == 303


def test_afterwards_one_may_say_why_and_come_back(client, world):
    done = client.post(asked(client), {"code": code()})["Location"]

    thanks = client.post(done, {"reason": "too_many"})["Location"]
    assert "Thank you" in client.get(thanks, headers={"accept-language": "en"}).content.decode()
    back = client.post(done, {"action": "opt-in"})["Location"]

    assert back.startswith("/c/acme/in/")
    assert state(client.get(back)) == "opted-in"
    assert not is_out(world.acme)
    told = ConsentEvent.objects.of(world.acme).filter(type="reason").get()
    assert (told.reason, told.source) == ("too_many", "portal")
    again = ConsentEvent.objects.of(world.acme).filter(type="opt_in", cause_id=None).get()
    assert again.source == "portal"


def test_a_receipt_is_for_its_company_and_purpose_alone(client, world):
    done = client.post(asked(client), {"code": code()})["Location"]
    receipt = done.rpartition("/")[2]

    for path in (
        f"/c/rival/out/{receipt}",
        f"/c/acme/in/{receipt}",
        f"/c/acme/out/{receipt[:-1]}",
        "/c/acme/out/0",
        f"/c/acme/out/{'0' * 500}",
    ):
        assert client.get(path).status_code == 404, path


# Nothing is told -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_opening_changes_nothing(client, world, method):
    token = PortalCode.objects.create(
        company=world.acme, sealed_address=b"", language="en", expires_at=timezone.now()
    ).token
    before = everything()

    for path in (PAGE, f"{PAGE}/", f"{PAGE}/code/{token}"):
        assert getattr(client, method)(path).status_code in (200, 204)

    assert everything() == before


def test_known_and_unknown_get_the_same_answer_after_the_same_work(client, world):
    client.get(PAGE)
    work, bodies = [], []
    for address in (PHONE, STRANGER):
        with CaptureQueriesContext(connection) as done:
            answer = client.post(PAGE, {"address": address})
        page = client.get(answer["Location"])
        wrong = client.post(answer["Location"], {"code": "000000"})
        work.append([re.sub(r"'[^']*'|\b[0-9a-f-]{32,}\b|[0-9]+", "?", query["sql"]) for query in done])
        bodies.append((answer.status_code, page.content, wrong.status_code, wrong.content))

    assert work[0] == work[1]
    assert bodies[0] == bodies[1]
    assert not any(model in query for query in work[0] for model in ("addressbook_", "messaging_"))


def test_nothing_is_sent_to_an_address_the_company_does_not_know(client, world):
    make.contact(world.rival, STRANGER)

    where = asked(client, STRANGER)

    assert not Message.objects.across_companies().exists()
    assert client.post(where, {"code": ""}).status_code == 422
    assert not is_out(world.acme, STRANGER)


def test_an_address_is_nowhere_in_the_clear(client, world):
    where = asked(client)

    assert "12345678" not in where
    assert b"12345678" not in client.get(where).content
    assert PHONE.encode() not in bytes(PortalCode.objects.of(world.acme).get().sealed_address)


def test_no_cookie_is_ever_set(client, world):
    where = asked(client)
    out = client.post(where, {"code": code()})

    for response in (client.get(PAGE), client.get(where), out, client.get(out["Location"])):
        assert not response.cookies


# Wrong ---------------------------------------------------------------------------------


def test_a_wrong_code_may_be_mended(client, world):
    where = asked(client)
    right = code()

    wrong = client.post(where, {"code": other_than(right)})

    assert (wrong.status_code, state(wrong)) == (422, "wrong-code")
    assert not is_out(world.acme)
    assert client.post(where, {"code": right}).status_code == 303


def test_after_a_few_wrong_codes_the_right_one_is_too_late(client, world):
    where = asked(client)
    right = code()
    for _n in range(portal.MOST_TRIES):
        assert client.post(where, {"code": other_than(right)}).status_code == 422

    late = client.post(where, {"code": right})

    assert (late.status_code, state(late)) == (429, "too-many-attempts")
    assert not is_out(world.acme)
    assert client.post(asked(client), {"code": code()}).status_code == 303  # a new one is accepted


def test_a_code_is_good_once(client, world):
    where = asked(client)
    right = code()
    client.post(where, {"code": right})

    again = client.post(where, {"code": right})

    assert (again.status_code, state(again)) == (422, "wrong-code")


def test_a_code_is_good_for_ten_minutes(client, world):
    where = asked(client)
    PortalCode.objects.of(world.acme).update(expires_at=make.long_ago(timedelta(seconds=1)))

    assert client.post(where, {"code": code()}).status_code == 422
    portal.forget_old()
    assert not PortalCode.objects.of(world.acme).exists()


def test_a_code_is_for_its_own_page_and_company(client, world):
    first, other = asked(client), asked(client, page="/c/rival")
    right = code()  # of the last

    assert client.post(first, {"code": right}).status_code == 422
    assert client.post(other.replace("rival", "acme"), {"code": right}).status_code == 422
    assert not is_out(world.acme)
    assert client.post(other, {"code": right}).status_code == 303


@pytest.mark.parametrize(
    "typed", ["", "hello", "12", "a@b", "\x00", "٠" * 500, "x" * 1_000_000, "\ud83d", "me@localhost", "+999123456789"]
)
def test_what_is_no_address_is_told(client, world, typed):
    answer = client.post(PAGE, {"address": typed.encode("utf-8", "replace").decode()})

    assert (answer.status_code, state(answer)) == (422, "invalid-number")
    assert not PortalCode.objects.of(world.acme).exists()


def test_who_writes_a_national_number_is_asked_for_its_country(client, world):
    answer = client.post(f"{PAGE}?lang=en", {"address": "06 12345678"})

    assert (answer.status_code, state(answer)) == (422, "invalid-number")
    assert "with + and the country code" in answer.content.decode()


@pytest.mark.parametrize("path", ["/c/nobody", f"/c/nobody/code/{NOWHERE}", "/c/-", "/c/a/b/c"])
def test_an_unknown_company_is_an_unknown_link(client, world, path):
    for method in ("get", "post"):
        answer = getattr(client, method)(path)
        assert (answer.status_code, state(answer)) == (404, "unknown-link")


def test_a_token_that_leads_nowhere_is_a_wrong_code(client, world):
    answer = client.post(f"{PAGE}/code/{NOWHERE}", {"code": "123456"})

    assert (answer.status_code, state(answer)) == (422, "wrong-code")


def test_a_company_that_sends_nothing_of_the_kind_sends_no_code(client, world):
    Gateway.objects.of(world.acme).delete()

    asked(client)

    assert not Message.objects.across_companies().exists()


# Caps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [PHONE, STRANGER])
def test_nobody_is_bombed_with_codes(client, world, address):
    for n in range(portal.PER_ADDRESS_AND_HOUR):
        assert client.post(PAGE, {"address": address}, REMOTE_ADDR=f"203.0.113.{n}").status_code == 303

    answer = client.post(PAGE, {"address": address}, REMOTE_ADDR="198.51.100.1")

    assert (answer.status_code, state(answer)) == (429, "too-many-attempts")
    portal.send_waiting()
    assert Message.objects.of(world.acme).count() == (portal.PER_ADDRESS_AND_HOUR if address == PHONE else 0)


def test_one_network_asks_only_so_often(client, world):
    answers = [client.post(PAGE, {"address": f"+3161000{n:04d}"}).status_code for n in range(12)]

    assert answers == [303] * portal.PER_NETWORK_AND_HOUR + [429] * 2


def test_an_address_has_a_day_s_share_at_all_companies_together(client, world, monkeypatch):
    monkeypatch.setattr(portal, "PER_ADDRESS_AND_DAY", 2)

    answers = [client.post(f"/c/{slug}", {"address": PHONE}).status_code for slug in ("acme", "rival", "acme")]

    assert answers == [303, 303, 429]


@pytest.mark.parametrize("cap", ["PER_COUNTRY_AND_DAY", "PER_COMPANY_AND_DAY"])
def test_a_company_sends_only_so_many_codes_a_day(client, world, monkeypatch, cap):
    monkeypatch.setattr(notices, cap, 1)

    asked(client)
    where = asked(client)

    assert Message.objects.of(world.acme).count() == 1
    assert client.get(where).status_code == 200


def test_codes_are_not_guessed_from_one_network(client, world, monkeypatch):
    monkeypatch.setattr(portal, "WRONG_PER_NETWORK_AND_HOUR", 3)
    monkeypatch.setattr(portal, "PER_ADDRESS_AND_HOUR", 100)
    where = asked(client)
    right = code()
    asked(client)

    answers = [
        client.post(asked(client), {"code": "000000" if right != "000000" else "000001"}).status_code for _n in range(4)
    ]

    assert answers == [422, 422, 422, 429]
    assert client.post(where, {"code": right}).status_code == 303  # the right one is not


# Words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", list(texts.languages()))
def test_the_code_is_told_in_the_page_s_language(client, world, language):
    asked(client, page=f"{PAGE}?lang={language}")

    assert sent().language == language
    assert re.fullmatch(r"[0-9]{6}", code())
    assert "{" not in sent().text
    assert "Acme" in sent().text


def test_a_company_s_name_is_never_a_placeholder(client, world):
    world.acme.name = "{code} & {link}"
    world.acme.save()

    asked(client)

    assert "{code} & {link}" in sent().text


def test_the_page_of_too_many_wrong_numbers_leads_here(client, world, monkeypatch):
    from optout.landing import attempts

    monkeypatch.setattr(attempts, "PER_NETWORK_AND_HOUR", 0)
    message = links.message(world.acme, PHONE)

    page = client.post(links.path(message), {"phone": STRANGER}).content.decode()

    assert 'href="/c/acme"' in page


def test_the_sweep_finds_what_a_lost_wake_up_left(client, world):
    client.post(PAGE, {"address": PHONE})

    assert portal.due()
    portal.send_waiting()
    assert not portal.due()


def test_buckets_hold_no_number(client, world):
    asked(client)

    assert not any("12345678" in key for key in Bucket.objects.values_list("key", flat=True))
