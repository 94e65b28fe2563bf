"""The recipients' pages in a browser without scripts: on a phone, by day and night, narrow, right to left."""

from __future__ import annotations

import re

import pytest
from django.test.utils import override_settings
from playwright.sync_api import Page, expect

from addressbook.models import Suppression
from messaging.models import Message
from optout import portal
from optout.codes import ALPHABET
from optout.landing import pages
from tests import make
from tests.browser.reading import complaints, complaints_of, does_not_scroll_sideways, keep
from tests.optout import links
from tests.optout.test_landing_texts import ALL, render
from tests.world import PHONE

pytestmark = pytest.mark.django_db(transaction=True)

HANDSET = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}

#: Scripts and directions in both schemes; every further pair costs half a minute and shows the same colours.
READERS = [("en", "light"), ("en", "dark"), ("ar", "light"), ("he", "dark"), ("uk", "light")]


@pytest.fixture
def short_host(live_server):
    with override_settings(APP_URL="http://app.test", SHORT_URL=live_server.url):
        yield live_server.url


@pytest.fixture
def message(world):
    world.acme.name, world.acme.brand_color = "Fjord & Fern", "#0f6e5c"
    world.acme.privacy_url, world.acme.imprint_url = "https://acme.example/privacy", "https://acme.example/imprint"
    world.acme.contact_details = "help@acme.example"
    world.acme.save()
    campaign = make.campaign(world.acme, world.customers, name="Summer sale")
    return links.message(world.acme, PHONE, campaign=campaign, reply_code="2525")


@pytest.fixture
def open_page(new_page):
    """Opens pages of a reader who has scripts switched off."""

    def opened(url: str, *, language: str = "en", scheme: str = "light", **options) -> Page:
        page = new_page(**HANDSET | options, java_script_enabled=False, locale=language, color_scheme=scheme)
        page.goto(url)
        return page

    return opened


def state(page: Page, name: str) -> None:
    expect(page.locator("main")).to_have_attribute("data-state", name)


def test_the_whole_way_out_and_back_on_a_phone(short_host, world, message, open_page):
    page = open_page(short_host + links.path(message))
    state(page, "form")
    button = page.get_by_role("button", name="Stop these messages")
    assert button.bounding_box()["height"] >= 48
    keep(page, "landing")

    page.get_by_label("Your phone number").fill("06 87654321")
    page.get_by_label("Not relevant to me").check()
    page.get_by_label("Anything to add?").fill("Wrong city")
    button.click()
    state(page, "wrong-number")
    expect(page.get_by_label("Your phone number")).to_have_value("06 87654321")
    expect(page.get_by_label("Your phone number")).to_be_focused()
    expect(page.get_by_label("Not relevant to me")).to_be_checked()
    expect(page.get_by_label("Anything to add?")).to_have_value("Wrong city")
    keep(page, "landing-wrong")

    page.get_by_label("Your phone number").fill("06 12 34 56 78")
    page.get_by_role("button", name="Stop these messages").click()
    state(page, "opted-out")
    assert Suppression.objects.of(world.acme).filter(address=PHONE).exists()
    expect(page.get_by_role("radio")).to_have_count(0)
    page.reload()
    state(page, "opted-out")

    page.get_by_text("Changed your mind?").click()
    page.get_by_role("button", name="Yes, Fjord & Fern may send me marketing again.").click()
    state(page, "opted-in")
    assert not Suppression.objects.of(world.acme).filter(address=PHONE).exists()
    keep(page, "landing-in")

    page.get_by_role("link", name="Stop it again").click()
    state(page, "form")
    page.get_by_label("Your phone number").fill(PHONE)
    page.get_by_label("Your phone number").press("Enter")
    state(page, "opted-out")


def test_the_reason_is_asked_afterwards_when_it_was_not_given(short_host, world, message, open_page):
    page = open_page(short_host + links.path(message))
    page.get_by_label("Your phone number").fill(PHONE)
    page.get_by_role("button", name="Stop these messages").click()
    state(page, "opted-out")
    keep(page, "landing-out")

    page.get_by_label("Too many messages").check()
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.get_by_role("status")).to_have_text("Thank you for telling them.")
    expect(page.get_by_role("radio")).to_have_count(0)
    keep(page, "landing-thanks")


def test_the_link_in_an_email_takes_one_press(short_host, world, message, open_page):
    mail = links.message(world.acme, world.contact.email, subject="Sale")
    page = open_page(short_host + links.path(mail))
    keep(page, "landing-email")

    page.get_by_role("button", name="Stop these messages").click()

    state(page, "opted-out")


def test_the_code_from_the_message_leads_to_the_page(short_host, world, message, open_page):
    page = open_page(short_host)
    keep(page, "landing-root")
    code = links.path(message).removeprefix("/")
    typo = ("2" if code[0] != "2" else "3") + code[1:]
    assert set(typo) <= set(ALPHABET)

    page.get_by_label("Code").fill("abc")
    page.get_by_role("button", name="Continue").click()
    state(page, "unknown-link")
    keep(page, "landing-unknown")
    page.get_by_label("Code").fill(f" {code[:3].lower()}-{code[3:]} ")
    page.get_by_role("button", name="Continue").click()

    state(page, "form")


def test_the_language_is_one_press_away_and_stays(short_host, world, message, open_page):
    page = open_page(short_host + links.path(message))

    page.get_by_role("link", name="Deutsch").click()
    page.get_by_label("Ihre Telefonnummer").fill(PHONE)
    page.get_by_role("button", name="Nachrichten stoppen").click()

    state(page, "opted-out")
    expect(page.get_by_role("heading", name="Sie erhalten keine Werbung mehr von Fjord & Fern.")).to_be_visible()


def test_everything_works_with_the_keyboard(short_host, world, message, open_page):
    page = open_page(short_host + links.path(message), has_touch=False)

    page.keyboard.press("Tab")
    page.keyboard.type("0612345678")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("too loud")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop these messages")).to_be_focused()
    page.keyboard.press("Enter")

    state(page, "opted-out")


@pytest.mark.parametrize(("language", "scheme"), READERS)
def test_every_page_can_be_read_by_everybody(short_host, world, message, open_page, browser, language, scheme):
    """axe finds nothing, nothing scrolls sideways at 320 px, on every page a recipient may meet."""
    page = open_page(
        short_host + links.path(message), language=language, scheme=scheme, viewport={"width": 320, "height": 640}
    )
    assert (page.locator("html").get_attribute("dir") == "rtl") == (language in {"ar", "he"})

    def read(name: str) -> None:
        state(page, name)
        assert complaints(page, browser) == []
        assert does_not_scroll_sideways(page)
        keep(page, f"landing-{name}-{language}-{scheme}")

    read("form")
    page.locator("[name=phone]").fill("0687654321")
    page.locator("form button").first.click()
    read("wrong-number")
    page.locator("[name=phone]").fill("12")
    page.locator("form button").first.click()
    read("invalid-number")
    for n in range(10):
        page.locator("[name=phone]").fill(f"068765430{n}")
        page.locator("form button").first.click()
    read("too-many-attempts")
    page.locator("[name=phone]").fill(PHONE)
    page.locator("form button").first.click()
    page.locator("summary").click()
    read("opted-out")
    page.locator("details button").click()
    read("opted-in")
    links.out(world.acme, PHONE)
    page.goto(short_host + links.path(message))
    page.locator("[name=phone]").fill(PHONE)
    page.locator("form button").first.click()
    read("already-opted-out")
    page.goto(f"{short_host}/ZZZZZZZ/nowhere")
    read("unknown-link")
    page.goto(short_host)
    read("code")


@pytest.mark.parametrize(("language", "scheme"), READERS)
def test_the_company_s_own_page_can_be_read_by_everybody(
    short_host, world, message, open_page, browser, language, scheme
):
    page = open_page(f"{short_host}/c/acme", language=language, scheme=scheme, viewport={"width": 320, "height": 640})

    def read(name: str, shown: str) -> None:
        state(page, name)
        assert complaints(page, browser) == []
        assert does_not_scroll_sideways(page)
        keep(page, f"landing-portal-{shown}-{language}-{scheme}")

    read("form", "form")
    page.locator("[name=address]").fill("nobody")
    page.locator("form button").click()
    read("invalid-number", "invalid")
    page.locator("[name=address]").fill(PHONE)
    page.locator("form button").click()
    read("code", "code")
    page.locator("[name=code]").fill("1")
    page.locator("form button").click()
    read("wrong-code", "wrong")
    portal.send_waiting()
    page.locator("[name=code]").fill(the_code())
    page.locator("form button").click()
    read("opted-out", "out")
    for _n in range(portal.PER_ADDRESS_AND_HOUR):
        page.goto(f"{short_host}/c/acme")
        page.locator("[name=address]").fill(PHONE)
        page.locator("form button").click()
    read("too-many-attempts", "many")


@pytest.mark.parametrize("language", ALL)
def test_every_page_is_clean_in_every_language(db, browser, language):
    """As axe sees it on a narrow screen, each second language by night."""
    scheme = ["light", "dark"][ALL.index(language) % 2]
    for name in pages.TITLES:
        body = render(name, language=language).body.decode()
        viewport = {"width": 320, "height": 640}
        assert complaints_of(body, browser, scheme=scheme, viewport=viewport) == [], name


def test_out_without_a_link_and_in_another_language(short_host, world, message, open_page):
    page = open_page(f"{short_host}/c/acme")
    page.get_by_label("Phone number or e-mail address").fill(world.contact.email)
    page.get_by_role("button", name="Send the code").click()
    page.get_by_role("link", name="Nederlands").click()
    state(page, "code")
    portal.send_waiting()

    page.get_by_label("Code").fill(the_code())
    page.get_by_role("button", name="Stop deze berichten").click()

    state(page, "opted-out")
    assert Suppression.objects.of(world.acme).filter(address=world.contact.email).exists()


def the_code() -> str:
    sent = Message.objects.across_companies().filter(category="transactional").latest("pk")
    return re.search(r"\b[0-9]{6}\b", sent.text)[0]


def test_a_long_name_breaks_instead_of_the_page(short_host, world, message, open_page):
    world.acme.name = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft mbH & Co. KG"
    world.acme.save()

    page = open_page(short_host + links.path(message), viewport={"width": 320, "height": 640})

    assert does_not_scroll_sideways(page)


def test_a_page_is_one_request_and_no_cookie(short_host, world, message, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(short_host + links.path(message))
    page.get_by_role("textbox").first.fill(PHONE)
    page.locator("form button").first.click()

    assert not context.cookies()
    assert [url for url in asked if not re.search(r"/favicon\.ico$", url)] == [
        short_host + links.path(message),
        short_host + links.path(message),
        page.url,
    ]
    context.close()
