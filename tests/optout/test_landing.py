"""The link in a message: opening it changes nothing, the right number ends the marketing at once."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext, override_settings

from accounts.models import Bucket
from addressbook.models import ConsentEvent, Evidence, Suppression
from messaging.models import Message
from optout.landing import attempts, views
from optout.landing.branding import Colours, colours, contrast
from optout.links import codes
from tests import make
from tests.optout import links
from tests.world import PHONE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.short_urls")]


@pytest.fixture(autouse=True)
def short_host():
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://short.test", ALLOWED_HOSTS=["*"]):
        yield


@pytest.fixture
def message(world) -> Message:
    campaign = make.campaign(world.acme, world.customers, name="Summer sale")
    return links.message(world.acme, PHONE, campaign=campaign)


@pytest.fixture
def mail(world) -> Message:
    return links.message(world.acme, world.contact.email, subject="Sale")


def state(response) -> str:
    return re.search(r'data-state="([a-z-]+)"', response.content.decode())[1]


def everything() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_stat_user_tables WHERE relname NOT LIKE 'procrastinate%'")
        tables = [row[0] for row in cursor.fetchall()]
        counts = {}
        for table in tables:
            cursor.execute(f'SELECT count(*), coalesce(sum(hashtext(t::text)::bigint), 0) FROM "{table}" t')
            counts[table] = cursor.fetchone()
    return counts


def is_out(company, address: str = PHONE) -> bool:
    return Suppression.objects.of(company).filter(address=address).exists()


# Opening -------------------------------------------------------------------------------

BOTS = [
    "",
    "WhatsApp/2.23.20.0",
    "facebookexternalhit/1.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Slackbot-LinkExpanding 1.0",
    "TelegramBot (like TwitterBot)",
    "Twitterbot/1.0",
    "Barracuda Sentinel (EE)",
    "Microsoft Office Protocol Discovery",
    "curl/8.5.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1",
]


@pytest.mark.parametrize("agent", BOTS)
@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_an_opened_link_changes_nothing(client, message, mail, method, agent):
    before = everything()

    for path in (links.path(message), links.path(mail)):
        response = getattr(client, method)(path, headers={"user-agent": agent, "purpose": "prefetch"})
        assert response.status_code in (200, 204)

    assert everything() == before


def test_the_page_asks_for_the_number_and_tells_no_tales(client, message):
    response = client.get(links.path(message))

    assert (response.status_code, state(response)) == (200, "form")
    assert 'name="phone"' in response.content.decode()
    assert "12345678" not in response.content.decode()
    assert len(response.content) < 14_000


def test_the_page_for_an_email_asks_for_nothing(client, mail):
    page = client.get(links.path(mail)).content.decode()

    assert 'name="phone"' not in page
    assert mail.address not in page


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(client, message, method):
    assert getattr(client, method)(links.path(message)).status_code == 405


def test_the_headers_shut_everything_but_the_page_itself(client, message):
    response = client.get(links.path(message))

    style = re.search(r"<style[^>]*>(.*?)</style>", response.content.decode(), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "no-store"
    assert not re.search(r"<script|<img|<link|\sstyle=|og:", response.content.decode())


def test_no_cookie_is_ever_set(client, message):
    out = client.post(links.path(message), {"phone": PHONE})

    for response in (client.get("/"), client.get(links.path(message)), out, client.get(out["Location"])):
        assert not response.cookies


def test_opening_a_page_costs_one_look_up_and_leaving_one_act_more(client, message):
    """The act is one call of the database: a lock, the contact's other address, the ledger."""
    client.get(links.path(message))  # the page is kept from here on

    with CaptureQueriesContext(connection) as opened:
        client.get(links.path(message))
    with CaptureQueriesContext(connection) as left:
        client.post(links.path(message), {"phone": PHONE})

    assert len(opened) == 1
    assert len(left) == 2
    assert not any(PHONE in query["sql"] for query in left.captured_queries[:1])


# Languages -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "browser", "contact", "phone", "expected"),
    [
        ("?lang=fr", "de", "nl", PHONE, "fr"),
        ("?lang=xx", "de-AT,de;q=0.9", "nl", PHONE, "de"),
        ("", "ja;q=1, fr;q=0.5", "nl", PHONE, "fr"),
        ("", "fr;q=0, de;q=0.3", "nl", PHONE, "de"),
        ("", "", "fr", PHONE, "fr"),
        ("", "", "", PHONE, "nl"),  # by the country of the number
        ("", "", "", "+33612345678", "fr"),
        ("", "", "", "+4915123456789", "de"),
        ("", "", "", "+447911123456", "en"),
    ],
)
def test_the_page_is_in_the_readers_language(client, world, query, browser, contact, phone, expected):
    message = links.message(world.acme, phone, language=contact)

    headers = {"accept-language": browser} if browser else {}
    page = client.get(links.path(message) + query, headers=headers).content.decode()

    assert re.search(r'<html[^>]*\blang="([a-z-]+)"', page)[1] == expected


# Leaving -------------------------------------------------------------------------------


def test_the_right_number_is_out_at_once_with_proof(client, world, message):
    response = client.post(
        links.path(message),
        {"phone": "06 12345678", "reason": "too_many", "comment": "every day!"},
        headers={"user-agent": "Mozilla/5.0 (Linux; Android 14) Chrome/120 Safari/537", "accept-language": "nl"},
        REMOTE_ADDR="203.0.113.77",
    )

    assert response.status_code == 303
    assert is_out(world.acme)
    assert not is_out(world.rival)
    event = ConsentEvent.objects.of(world.acme).get(cause_id=None)
    assert (event.source, event.campaign_name, event.message_id, event.reason) == (
        "landing",
        "Summer sale",
        message.pk,
        "too_many",
    )
    evidence = Evidence.objects.of(world.acme).get(event_id=event.pk)
    assert (evidence.address, evidence.comment) == (PHONE, "every day!")
    assert evidence.details["network"] == "203.0.113.0/24"
    assert evidence.details["browser"] == "Chrome / Android"
    assert evidence.details["language"] == "nl"
    assert "Acme" in evidence.details["text"]


def test_the_page_afterwards_survives_reload(client, message):
    location = client.post(links.path(message), {"phone": PHONE})["Location"]

    for _ in range(3):
        response = client.get(location)
        assert (response.status_code, state(response)) == (200, "opted-out")
    assert ConsentEvent.objects.across_companies().filter(cause_id=None).count() == 1


def test_leaving_twice_is_friendly(client, message):
    client.post(links.path(message), {"phone": PHONE})

    again = client.post(links.path(message), {"phone": PHONE}, follow=True)

    assert (again.status_code, state(again)) == (200, "already-opted-out")


def test_without_the_receipt_nothing_is_disclosed(client, message):
    location = client.post(links.path(message), {"phone": PHONE})["Location"]
    path, receipt = location.rsplit("/", 1)
    wrong = ("0" if receipt[0] != "0" else "1") + receipt[1:]

    for guess in (wrong, receipt[:-1], "x", receipt.replace(receipt[3], "é")):
        response = client.get(f"{path}/{guess}")
        assert (response.status_code, state(response)) == (404, "unknown-link")
    already = client.get(location.replace("/out/", "/already/"))
    assert already.status_code == 404


@pytest.mark.parametrize(
    "written",
    [
        "+31612345678",
        "0031612345678",
        "0612345678",
        "06 12 34 56 78",
        "06-12345678",
        "(06) 1234 5678",
        "+31 (0)6 12345678",
        "06.12.34.56.78",
        "31612345678",
        "  +31 6 1234 5678  ",
        "０６１２３４５６７８",  # full width
        "٠٦١٢٣٤٥٦٧٨",  # Arabic-Indic
        "۰۶۱۲۳۴۵۶۷۸",  # Persian
        "०६१२३४५६७८",  # Devanagari
        "+31\u00a06\u00a012345678",  # no-break spaces
        "\u202a+31612345678\u202c",  # copied from a contact card
        "06\u200b12345678",  # zero width
        "tel:+31612345678",
        "06–12345678",  # en dash
    ],
)
def test_the_number_in_any_writing(client, world, message, written):
    response = client.post(links.path(message), {"phone": written})

    assert response.status_code == 303
    assert is_out(world.acme)


@pytest.mark.parametrize("way", [str.lower, str.upper, lambda c: f"{c[:3]}-{c[3:]}", lambda c: f"{c}."])
def test_the_code_in_any_writing(client, message, way):
    assert client.get("/" + way(codes().encode(message.pk))).status_code == 200


def test_the_other_writing_of_the_same_number_counts(client, world):
    message = links.message(world.acme, "+525512345678")

    assert client.post(links.path(message), {"phone": "+5215512345678"}).status_code == 303


# Not leaving ---------------------------------------------------------------------------


def test_a_wrong_number_says_so_and_keeps_what_was_typed(client, world, message):
    response = client.post(links.path(message), {"phone": "06 87654321", "comment": "please <b>stop</b>"})

    assert (response.status_code, state(response)) == (422, "wrong-number")
    assert "06 87654321" in response.content.decode()
    assert "please &lt;b&gt;stop" in response.content.decode()
    assert not ConsentEvent.objects.across_companies().exists()


def test_a_wrong_number_discloses_nothing(client, world, message):
    """Known, suppressed and unknown numbers: the same page and the same queries."""
    known = make.contact(world.acme, "+31687654321").phone
    make.contact(world.acme, "+31687654322")
    links.out(world.acme, "+31687654322")
    pages, queries = set(), set()
    client.get(links.path(message))  # the company's reasons are known from here on

    for number in (known, "+31687654322", "+31687654323"):  # known, suppressed, unknown
        with CaptureQueriesContext(connection) as seen:
            response = client.post(links.path(message), {"phone": number})
        pages.add(response.content.decode().replace(number, ""))
        queries.add(len(seen))
        assert not any(number in query["sql"] for query in seen.captured_queries)

    assert len(pages) == len(queries) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        "", " ", "abc", "0", "1" * 5, "9" * 64, "9" * 5000, "+", "++31", "+31", "06", "+999123456789", "0612345678x12",
        "0612345678;ext=5", "0612345678 / 0687654321", "²³¹", "½", "Ⅻ", "💥" * 30, "\x00", "0612345678\x00",
        "\ud800".encode("utf-16", "surrogatepass"),
        "'; DROP TABLE x; --", "<script>alert(1)</script>", "{{ 7*7 }}", "%s%s%n", "../../etc/passwd",
        "\r\nSet-Cookie: x=1",
        "null", "None", "undefined", "NaN", "-31612345678", "1e9", "0x1F", "٠", "\u202e12345", "\ufeff", "\u200b" * 70,
        "31" * 40, "+31 6 1234 567", "+31 6 1234 56789", "me@example.org", "112", "#31#0612345678", "*21*0612345678#",
        "０", "十二", "①②③④⑤⑥", "+١", "p" * 65, "0" * 65, "+0612345678", "phone", "+31,6,12345678",
    ],
)  # fmt: skip
def test_garbage_is_answered_with_a_hint(client, message, garbage):
    response = client.post(links.path(message), {"phone": garbage, "reason": garbage, "comment": garbage})

    assert response.status_code in (303, 422)
    if response.status_code == 422:
        assert state(response) in ("invalid-number", "wrong-number")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded"),
        (b"phone=%ff%fe%00", "application/x-www-form-urlencoded"),
        (b"phone=1", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data"),
        (b'{"phone": 1}', "application/json"),
        (b"&".join(b"a=1" for _ in range(3000)), "application/x-www-form-urlencoded"),
        (b"phone=" + b"1" * 6_000_000, "application/x-www-form-urlencoded"),
        (b"phone=1", "text/plain"),
        (b"phone=1", ""),
    ],
)
def test_a_body_that_cannot_be_read_is_an_empty_form(client, message, body, content_type):
    response = client.generic("POST", links.path(message), body, content_type=content_type)

    assert (response.status_code, state(response)) == (422, "invalid-number")


@pytest.mark.parametrize(
    "path",
    [
        "/abc", "/ZZZZZZZ", "/0000000", "/ZZZZZZZZZ", "/UUUUUUU", "/%00", "/%ff%fe", "/..%2f..%2fetc", "/" + "A" * 500,
        "/🙂🙂🙂🙂🙂🙂🙂",
        "/a/b/c", "/admin/", "/login", "/api/v1/contacts", "/e/", "/e/0000000", "/e/" + "0" * 33, "/e/" + "Z" * 400,
        "/c/x/y", "/%0a", "/a/%0a/b",
        "/ABCDEFG/out/x", "/ABCDEFG/in/", "/'%22%3Cscript%3E", "/wp-login.php", "/.env", "/favicon.ico",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_leads_nowhere_shows_the_form_for_the_code(client, db, path, method):
    response = getattr(client, method)(path)

    assert (response.status_code, state(response)) == (404, "unknown-link")
    assert 'name="code"' in response.content.decode()


def test_a_transactional_message_has_no_link(client, world):
    path = links.path(links.message(world.acme, PHONE, category="transactional"))

    for response in (client.get(path), client.post(path, {"phone": PHONE})):
        assert (response.status_code, state(response)) == (404, "unknown-link")
    assert not is_out(world.acme)


def test_the_code_of_an_sms_opens_no_email_and_the_reverse(client, message, mail):
    assert client.get(f"/{codes().encode(mail.pk)}").status_code == 404
    assert client.post(f"/{codes().encode(mail.pk)}", {"phone": PHONE}).status_code == 404
    assert client.post(f"/e/{codes().encode_tagged(message.pk)}").status_code == 404


# Limits --------------------------------------------------------------------------------


def wrong(client, message, network="198.51.100.1", n=0):
    return client.post(links.path(message), {"phone": f"+3168765{n:04}"}, REMOTE_ADDR=network).status_code


def test_ten_wrong_numbers_per_link_and_network(client, message):
    answers = [wrong(client, message, n=n) for n in range(12)]

    assert answers == [422] * 10 + [429] * 2
    assert wrong(client, message, network="198.51.100.2") == 422


def test_too_many_attempts_names_the_other_ways_out(client, world):
    world.acme.contact_details = "help@acme.example"
    world.acme.save()
    message = links.message(world.acme, PHONE, reply_code="2525")
    for n in range(10):
        wrong(client, message, n=n)

    response = client.post(links.path(message), {"phone": "+31687654321"}, REMOTE_ADDR="198.51.100.1")

    assert (response.status_code, state(response)) == (429, "too-many-attempts")
    assert "2525" in response.content.decode()
    assert "help@acme.example" in response.content.decode()


def test_the_right_number_is_never_refused(client, world, message):
    for n in range(15):
        wrong(client, message, n=n)

    response = client.post(links.path(message), {"phone": PHONE}, REMOTE_ADDR="198.51.100.1")

    assert response.status_code == 303
    assert is_out(world.acme)


def test_past_sixty_a_day_a_network_may_be_wrong_once_in_a_while(client, message):
    for n in range(60):
        assert wrong(client, message, network=f"198.51.{n}.1", n=n) == 422

    assert [wrong(client, message, network="192.0.2.9", n=n) for n in range(3)] == [422, 429, 429]
    assert wrong(client, message, network="192.0.2.10") == 422


def test_a_household_counts_as_one_in_ipv6(client, message):
    answers = [wrong(client, message, network=f"2001:db8:1:2::{n:x}", n=n) for n in range(1, 12)]

    assert answers == [422] * 10 + [429]
    assert wrong(client, message, network="2001:db8:1:3::1") == 422


def test_other_links_from_the_same_network_still_answer(client, world, message):
    other = links.message(world.acme, "+31611111111")
    for n in range(11):
        wrong(client, message, n=n)

    assert wrong(client, other) == 422


def test_limits_wear_off(client, message):
    for n in range(11):
        wrong(client, message, n=n)

    Bucket.objects.update(updated_at=make.long_ago(timedelta(hours=2)))

    assert wrong(client, message) == 422


def test_whoever_looks_for_codes_is_slowed_down(client, message, monkeypatch):
    monkeypatch.setattr(attempts, "MISSES_PER_NETWORK", 3)

    answers = [client.get(f"/{codes().encode(message.pk + n)}").status_code for n in range(1, 6)]

    assert answers == [404, 404, 404, 429, 429]
    assert client.get(links.path(message)).status_code == 200
    assert client.get(f"/{codes().encode(message.pk + 9)}", REMOTE_ADDR="192.0.2.1").status_code == 404


# Afterwards ----------------------------------------------------------------------------


def test_a_reason_can_be_told_afterwards(client, world, message):
    location = client.post(links.path(message), {"phone": PHONE})["Location"]
    assert 'name="reason"' in client.get(location).content.decode()

    response = client.post(location, {"reason": "not_relevant", "comment": "wrong city"})

    assert response.status_code == 303
    told = ConsentEvent.objects.of(world.acme).get(type="reason")
    assert (told.reason, Evidence.objects.of(world.acme).get(event_id=told.pk).comment) == (
        "not_relevant",
        "wrong city",
    )
    thanks = client.get(response["Location"])
    assert state(thanks) == "opted-out"
    assert 'name="reason"' not in thanks.content.decode()


def test_a_reason_that_was_given_is_not_asked_again(client, message):
    location = client.post(links.path(message), {"phone": PHONE, "reason": "too_many"})["Location"]

    assert 'name="reason"' not in client.get(location).content.decode()


def test_a_reason_nobody_offered_is_left_out(client, world, message):
    client.post(links.path(message), {"phone": PHONE, "reason": "invented"})

    assert ConsentEvent.objects.of(world.acme).get(cause_id=None).reason == ""


def test_coming_back_is_an_opt_in_with_the_text_that_was_shown(client, world, message):
    location = client.post(links.path(message), {"phone": PHONE})["Location"]
    page = client.get(location).content.decode()

    response = client.post(location, {"action": "opt-in"}, follow=True)

    assert (response.status_code, state(response)) == (200, "opted-in")
    assert not is_out(world.acme)
    event = ConsentEvent.objects.of(world.acme).filter(type="opt_in", cause_id=None).get()
    details = Evidence.objects.of(world.acme).get(event_id=event.pk).details
    assert (event.source, details["method"]) == ("landing", "landing")
    assert details["text"] in page
    assert details["occurred_at"]


def test_the_page_afterwards_tells_what_is_true_now(client, world, message):
    out = client.post(links.path(message), {"phone": PHONE})["Location"]
    client.post(out, {"action": "opt-in"})
    assert state(client.get(out)) == "opted-in"

    again = client.post(links.path(message), {"phone": PHONE})["Location"]

    assert state(client.get(again)) == "opted-out"


def test_nobody_comes_back_without_the_receipt(client, world, message):
    location = client.post(links.path(message), {"phone": PHONE})["Location"]

    response = client.post(location[:-1] + ("0" if location[-1] != "0" else "1"), {"action": "opt-in"})

    assert response.status_code == 404
    assert is_out(world.acme)


# E-mail --------------------------------------------------------------------------------


def test_one_button_in_an_email_is_enough(client, world, mail):
    response = client.post(links.path(mail), follow=True)

    assert (response.status_code, state(response)) == (200, "opted-out")
    assert ConsentEvent.objects.of(world.acme).get(cause_id=None).source == "landing"
    assert is_out(world.acme, mail.address)


@pytest.mark.parametrize("multipart", [True, False])
def test_one_click_is_out_at_once_without_redirect_or_cookie(client, world, mail, multipart):
    body = {"List-Unsubscribe": "One-Click"}
    encoded = {"data": body} if multipart else {
        "data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"
    }  # fmt: skip

    response = client.post(links.path(mail), **encoded)

    assert response.status_code == 200
    assert not response.cookies
    assert ConsentEvent.objects.of(world.acme).get(cause_id=None).source == "one_click"
    assert is_out(world.acme, mail.address)


def test_a_cut_or_forged_email_code_is_unknown(client, world, mail):
    good = links.path(mail).removeprefix("/e/")

    for n in range(len(good)):
        forged = good[:n] + ("2" if good[n] != "2" else "3") + good[n + 1 :]
        assert client.post(f"/e/{forged}", {"List-Unsubscribe": "One-Click"}).status_code == 404
        assert client.post(f"/e/{good[:n]}" if n else "/e/x").status_code == 404
    assert not is_out(world.acme, mail.address)


def test_the_link_of_an_erased_person_still_keeps_them_out(client, world, mail):
    Message.objects.of(world.acme).filter(pk=mail.pk).update(address="")

    response = client.post(links.path(mail), follow=True)

    assert state(response) == "opted-out"
    assert Suppression.objects.of(world.acme).filter(digest=mail.digest).exists()


# The root ------------------------------------------------------------------------------


def test_the_root_leads_to_the_link(client, message):
    code = codes().encode(message.pk)

    assert 'name="code"' in client.get("/").content.decode()
    for typed in (code, code.lower(), f" {code[:3]}-{code[3:]} ", f"http://short.test/{code}"):
        response = client.get("/", {"code": typed})
        assert (response.status_code, response["Location"]) == (303, f"/{code}")


@pytest.mark.parametrize("typed", ["", "abc", "%00", "\x00", "é" * 9, "<script>", "U" * 7, "1" * 5000])
def test_a_code_that_cannot_be_one_says_so(client, db, typed):
    response = client.get("/", {"code": typed})

    assert (response.status_code, state(response)) == (404, "unknown-link")


def test_robots_are_shut_out(client):
    assert client.get("/robots.txt").content == b"User-agent: *\nDisallow: /\n"


def test_the_short_host_is_alive(client, db):
    assert client.get("/healthz").status_code == 200


# Failures ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
def test_when_the_database_fails_nobody_is_told_that_it_was_recorded(client, message, monkeypatch, method):
    def fail(*args, **kwargs):
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(views, "find", fail)

    response = getattr(client, method)(links.path(message), {"phone": PHONE})

    assert (response.status_code, state(response)) == (503, "unavailable")


def test_a_failing_opt_out_is_not_acknowledged(client, world, message, monkeypatch):
    def fail(**facts):
        raise OperationalError("could not extend file: No space left on device")

    monkeypatch.setattr(views.consent, "opt_out", fail)

    response = client.post(links.path(message), {"phone": PHONE})

    assert (response.status_code, state(response)) == (503, "unavailable")
    assert not is_out(world.acme)


# Brand ---------------------------------------------------------------------------------


@pytest.mark.parametrize("brand", ["#ffffff", "#000000", "#ffee00", "#0f6e5c", "#ff0000", "#7f7f7f"])
def test_the_brands_colour_can_be_read_by_day_and_night(brand):
    found = colours(brand)

    assert contrast(found.light, found.on_light) >= 4.5
    assert contrast(found.dark, found.on_dark) >= 4.5
    assert contrast(found.dark, "#0f1419") >= 4.5


@pytest.mark.parametrize("brand", ["", "red", "#fff", "#12345g", "#123456;}"])
def test_what_is_no_colour_is_ours(brand):
    assert colours(brand) == Colours()
