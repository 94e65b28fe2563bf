"""From the first word to the report, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from campaigns import audience, dispatch
from campaigns.models import Campaign
from messaging.models import Message
from tests import make
from tests.browser.conftest import PHONE

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_preview_follows_what_is_typed_without_saving(world, live_server, page, login, axe):
    make.contact(world.acme, "+33612345601", group=world.customers)
    login(page, live_server, world.marketer, "/campaigns/new")
    axe(page)
    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_label("Customers").first.check()
    page.get_by_label("Text").fill("Hi {first_name|there}, sale")
    handset = page.locator("#preview .panel:visible .bubble")
    expect(handset).to_contain_text("Hi there, sale")  # France comes first by name among equals
    page.locator("#preview").get_by_text("Netherlands").click()
    expect(handset).to_contain_text("Hi Sanne, sale")
    expect(page.locator("#preview .total")).to_contain_text("2")

    page.get_by_label("Text").press_sequentially("’s on")
    expect(handset).to_contain_text("sale’s on")  # still the Netherlands
    expect(page.locator("#preview .panel:visible .costly")).to_contain_text("’")
    axe(page)

    page.get_by_label("Text").fill("Hi {frist_name}")
    expect(page.locator("#preview")).to_contain_text("{frist_name} is not a field")
    assert not Campaign.objects.of(world.acme).exists()


def test_costly_characters_are_replaced_at_one_click(world, live_server, page, login, axe):
    login(page, live_server, world.marketer, "/campaigns/new")
    page.get_by_label("Customers").first.check()
    page.get_by_label("Text").fill("It’s “on” – Zoë…")
    preview = page.locator("#preview .panel:visible")
    expect(preview).to_contain_text("UCS-2")
    axe(page)
    preview.locator("button.char", has_text="’").click()
    expect(page.get_by_label("Text")).to_have_value("It's “on” – Zoë…")
    preview.get_by_role("button", name="Replace all typographic signs").click()
    expect(page.get_by_label("Text")).to_have_value('It\'s "on" - Zoë...')
    expect(preview.get_by_role("button", name="Replace all typographic signs")).to_be_hidden()
    preview.locator("button.char", has_text="ë").click()
    expect(preview).to_contain_text("GSM-7")
    assert not Campaign.objects.of(world.acme).exists()


def test_a_letter_is_shown_as_page_and_as_text(world, live_server, page, login, axe):
    login(page, live_server, world.marketer, "/campaigns/new")
    page.get_by_label("Customers").first.check()
    page.get_by_label("e-mail").check()
    page.get_by_label("Subject").fill("Spring")
    page.get_by_label("Preview line").fill("Only today")
    page.get_by_label("Text").fill("## Sale\n\n**Now**, {first_name|you}: https://shop.example <script>x</script>")
    letter = page.locator("#preview .panel:visible .page-html")
    expect(letter.locator("strong")).to_have_text("Now")
    expect(letter).to_contain_text("Sanne")
    expect(letter).to_contain_text("<script>x</script>")
    expect(letter.get_by_role("link", name="Afmelden")).to_be_visible()
    axe(page)
    page.get_by_text("As plain text").click()
    expect(page.locator("#preview .panel:visible .plain")).to_contain_text("**Now**")


def test_a_test_is_sent_from_the_composer(world, live_server, page, login, axe):
    login(page, live_server, world.marketer, "/campaigns/new")
    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_label("Customers").first.check()
    page.get_by_label("Text").fill("Sale today")
    page.get_by_role("button", name="Save and send a test").click()
    page.get_by_label("Send a test to").fill("+31687654321")
    axe(page)
    page.get_by_role("button", name="Send the test").click()
    expect(page.get_by_text("on its way to 1 address")).to_be_visible()
    expect(page.locator(".history")).to_contain_text("sent a test to 1 address")
    assert Message.objects.of(world.acme).get().campaign_id is None


def test_only_the_fields_of_the_channel_are_shown(world, live_server, page, login):
    login(page, live_server, world.marketer, "/campaigns/new")
    expect(page.get_by_label("Subject")).to_be_hidden()
    page.get_by_label("e-mail").check()
    expect(page.get_by_label("Subject")).to_be_visible()
    expect(page.get_by_label("Sender")).to_be_hidden()


def test_from_the_first_word_to_the_report(world, live_server, page, login, axe):
    login(page, live_server, world.marketer, "/campaigns/new")
    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_label("Customers").first.check()
    page.get_by_label("Text").fill("Sale today")
    page.get_by_role("button", name="Review and launch").first.click()
    expect(page.get_by_text("Will be reached")).to_be_visible()
    axe(page)
    page.get_by_role("button", name="Launch to 1 person").click()
    expect(page.get_by_text("Finding out who will get it")).to_be_visible()
    axe(page)

    campaign = Campaign.objects.of(world.acme).get()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)
    # The page finds out by itself and shows the report.
    expect(page.get_by_role("heading", name="From audience to opt-out")).to_be_visible()
    expect(page.get_by_text("1 of 1 done")).to_be_visible()
    assert Message.objects.of(world.acme).count() == 1
    axe(page)


def test_a_running_campaign_is_paused_and_cancelled_after_a_question(world, live_server, page, login):
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    login(page, live_server, world.marketer, campaign.get_absolute_url())
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Cancel campaign").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("never will be")
    dialog.get_by_role("button", name="Cancel campaign").click()
    expect(page.get_by_text(re.compile("cancelled")).first).to_be_visible()
    campaign.refresh_from_db()
    assert campaign.status == "cancelled"


def test_composing_works_without_script(world, live_server, new_page, login):
    page = new_page(java_script_enabled=False)
    login(page, live_server, world.marketer, "/campaigns/new")
    page.get_by_label("Name", exact=True).fill("Spring")
    page.get_by_label("Customers").first.check()
    page.get_by_label("Text").fill("Hi {first_name}")
    page.get_by_role("button", name="Save").first.click()
    expect(page.locator("#preview .panel:visible .bubble")).to_contain_text("Hi Sanne")


@pytest.mark.parametrize("path", ["/", "/campaigns", "/campaigns/new", "/campaigns/{pk}", "/campaigns/{draft}/review"])
@pytest.mark.parametrize("width", [320, PHONE["width"]])
def test_nothing_sticks_out_on_a_phone(world, live_server, new_page, login, path, width):
    campaign = make.campaign(world.acme, world.customers, name="Black Week " * 8)
    draft = make.campaign(world.acme, world.customers, name="W" * 120, body="x" * 300)
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=5)
    page = new_page(viewport={"width": width, "height": 800})
    login(page, live_server, world.marketer, path.format(pk=campaign.pk, draft=draft.pk))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
