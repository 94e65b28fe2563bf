"""The product's main job, played by a marketer at a desk and by a recipient on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from addressbook.models import Contact, GroupContact
from campaigns import gate
from messaging.addresses import Address
from messaging.models import HandsetMessage, Message, Sender
from optout import links
from tests import make
from tests.browser.conftest import PHONE as PHONE_SCREEN
from tests.processes import manage

LINK_READER, REPLY_READER = "+27821234567", "+31687654321"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(live_server, settings):
    settings.APP_URL = settings.SHORT_URL = live_server.url
    links._shown_host.cache_clear()
    yield live_server
    links._shown_host.cache_clear()


@pytest.fixture
def shop():
    company = make.company("Acme", country="NL", language="en")
    Sender.objects.create(company=company, value="4411", kind="short_code", country="NL")
    return company


def _work(site) -> None:
    worker = manage("worker", "--drain", APP_URL=site.url, SHORT_URL=site.url)
    said, _ = worker.communicate(timeout=120)
    assert worker.returncode == 0, said.decode()


def _add_contact(page: Page, site, *, phone: str, name: str) -> None:
    page.goto(site.url + "/contacts")
    page.get_by_role("link", name="Add contact").first.click()
    page.get_by_label("First name").fill(name)
    page.get_by_label("Phone").fill(phone)
    page.get_by_role("main").get_by_role("button", name=re.compile("Add|Save")).last.click()
    expect(page.locator("h1")).to_contain_text(name)


def _launch(page: Page) -> None:
    page.get_by_role("button", name="Review and launch").first.click()
    page.get_by_role("button", name=re.compile("Launch to")).click()


def _received(to: str) -> list[str]:
    return list(HandsetMessage.objects.across_companies().filter(to=to).order_by("pk").values_list("text", flat=True))


def test_who_leaves_by_link_or_by_reply_is_left_out_of_the_next_campaign(site, shop, new_page, login):
    owner = make.member(shop, "owner")
    desk = new_page()
    login(desk, site, owner)

    _add_contact(desk, site, phone=LINK_READER, name="Thandi")
    _add_contact(desk, site, phone=REPLY_READER, name="Sanne")
    _add_contact(desk, site, phone="+31611122233", name="Daan")
    group = make.group(shop, "Everybody")
    for contact in Contact.objects.of(shop):
        GroupContact.objects.create(company=shop, group=group, contact=contact)

    desk.goto(site.url + "/campaigns/new")
    desk.get_by_label("Name", exact=True).fill("Spring sale")
    desk.get_by_label("Everybody").first.check()
    desk.get_by_label("Text", exact=True).fill("Hi {first_name}, everything is half price.")
    expect(desk.locator("#preview")).to_contain_text("STOP")
    _launch(desk)
    _work(site)

    desk.goto(site.url + "/campaigns")
    desk.get_by_role("link", name="Spring sale").click()
    expect(desk.get_by_role("main")).to_contain_text("3")
    assert len(_received(REPLY_READER)) == 1
    assert "4411" in _received(REPLY_READER)[0]

    # The recipient abroad opens the link on a phone, without script.
    phone = new_page(viewport=PHONE_SCREEN, java_script_enabled=False)
    link = re.search(r"\S+/[0-9A-Z]{7}", _received(LINK_READER)[0])
    assert link
    phone.goto(link[0])
    phone.get_by_label("Your phone number").fill("082 123 4567")
    phone.get_by_role("button", name="Stop these messages").click()
    expect(phone.locator("main")).to_have_attribute("data-state", "opted-out")

    # The one at home answers STOP on the simulator's handset.
    desk.goto(site.url + "/simulator/?to=%2B31687654321")
    desk.get_by_label(re.compile("Answer from")).first.fill("Stop!")
    desk.get_by_role("button", name="Send").first.click()
    expect(desk.locator(".talk .mine").first).to_be_visible()

    desk.goto(site.url + "/campaigns")
    desk.get_by_role("link", name="Spring sale").click()
    desk.get_by_role("button", name="Duplicate").click()
    _launch(desk)
    _work(site)
    sale = [text for text in _received(LINK_READER) + _received(REPLY_READER) if "half price" in text]
    assert len(sale) == 2
    assert len([text for text in _received("+31611122233") if "half price" in text]) == 2

    # What they need still reaches them.
    gate.send(company=shop, to=Address("sms", LINK_READER), body="Your code is 1234", category="transactional")
    _work(site)
    assert _received(LINK_READER)[-1] == "Your code is 1234"
    assert Message.objects.of(shop).get(text="Your code is 1234").status == "delivered"
