"""The frame around every page of the marketer's side, with a mouse, with keys, on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from accounts.models import Member
from tests import make
from tests.browser.conftest import PHONE
from tests.browser.reading import does_not_scroll_sideways, keep

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ["/settings", "/settings/team", "/settings/api-keys", "/settings/senders", "/settings/reasons"]


@pytest.fixture
def in_both(world) -> Member:
    """Somebody who owns Acme and looks at Rival."""
    Member.objects.create(company=world.rival, user=world.owner.user, role="viewer")
    return world.owner


def test_a_person_logs_in_and_finds_the_way(page, live_server, world):
    page.goto(live_server.url)
    page.get_by_label("E-mail").fill("Owner@Acme.example")
    page.get_by_label("Password").fill(make.PASSWORD)
    page.get_by_role("button", name="Log in").click()

    side = page.get_by_role("navigation", name="Main")
    expect(side.get_by_role("link", name="Dashboard")).to_have_attribute("aria-current", "page")
    for name in ("Campaigns", "Address book", "Suppressions", "Replies", "Simulator", "Settings"):
        expect(side.get_by_role("link", name=name)).to_be_visible()
    keep(page, "frame")


def test_a_wrong_password_is_told_beside_the_field_and_the_address_is_kept(page, live_server, world, axe):
    page.goto(live_server.url + "/login")
    page.get_by_label("E-mail").fill("owner@acme.example")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_label("Password")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("E-mail")).to_have_value("owner@acme.example")
    axe(page)


def test_the_company_is_switched_in_the_side_bar(page, live_server, in_both, login):
    login(page, live_server, in_both, "/settings")
    page.locator("summary").filter(has_text="Acme").click()
    page.get_by_role("button", name="Rival").click()

    expect(page.locator(".company .name")).to_have_text("Rival")


def test_who_is_in_one_company_sees_its_name_and_no_switch(page, live_server, world, login):
    login(page, live_server, world.owner, "/settings")

    expect(page.locator("p.company")).to_have_text("Acme")
    expect(page.locator("details.company")).to_have_count(0)


def test_the_menu_opens_on_a_phone_without_scripts(new_page, live_server, world, login):
    page = new_page(viewport=PHONE, java_script_enabled=False)
    login(page, live_server, world.owner, "/settings")
    link = page.get_by_role("link", name="Campaigns")
    expect(link).to_be_hidden()

    page.get_by_text("Menu").click()

    expect(link).to_be_visible()


@pytest.mark.parametrize("width", [390, 320])
def test_nothing_scrolls_sideways_on_a_phone(new_page, live_server, in_both, login, width):
    page = new_page(viewport={"width": width, "height": 844})
    login(page, live_server, in_both, "/settings")
    for path in PAGES:
        page.goto(live_server.url + path)
        assert does_not_scroll_sideways(page), path
        keep(page, f"frame{path.replace('/', '-')}-{width}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_by_day_or_night(new_page, live_server, in_both, login, axe, scheme):
    page = new_page(color_scheme=scheme)
    login(page, live_server, in_both, "/settings")
    for path in PAGES:
        page.goto(live_server.url + path)
        axe(page)
        keep(page, f"frame{path.replace('/', '-')}-{scheme}")
    page.set_viewport_size(PHONE)
    page.get_by_text("Menu").click()
    axe(page)


def test_removing_somebody_asks_first(page, live_server, world, login):
    login(page, live_server, world.owner, "/settings/team")
    remove = page.get_by_role("button", name=f"Remove {world.viewer.user.email}")

    remove.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(remove).to_be_visible()
    remove.click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()

    expect(page.get_by_role("status")).to_have_text("Removed.")
    assert not Member.objects.filter(pk=world.viewer.pk).exists()


def test_the_sketch_of_the_opt_out_page_follows_what_is_typed(page, live_server, world, login):
    login(page, live_server, world.owner, "/settings")

    page.get_by_label("Name").fill("Fjord & Fern")
    page.get_by_label("Brand colour").fill("#ffee00")

    expect(page.locator(".landing-sketch .who")).to_have_text("Fjord & Fern")
    # Yellow under white could not be read, so the button gets a darker one.
    expect(page.locator(".landing-sketch .go")).not_to_have_css("background-color", "rgb(255, 238, 0)")
    expect(page.locator(".landing-sketch .go")).not_to_have_css("background-color", "rgb(15, 110, 92)")


def test_the_keyboard_skips_to_the_content(page, live_server, world, login):
    login(page, live_server, world.owner, "/settings")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()

    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()


CHART = """
const data = {labels: ["1 Nov", "2 Nov"], series: [{label: "Link", data: [3, 5]}, {label: "Reply", data: [1, 2]}]};
const card = document.createElement("div");
card.className = "card pad";
card.innerHTML = '<h2>Opt-outs by day</h2><div class="chart"><canvas data-chart="figures"></canvas></div>' +
  '<script type="application/json" id="figures"></' + 'script>';
card.querySelector("script").textContent = JSON.stringify(data);
document.querySelector("main").append(card);
card.dispatchEvent(new CustomEvent("htmx:afterSettle", {bubbles: true}));
"""
INK = """canvas => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = {};
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3] === 255) colours[[pixels[at], pixels[at + 1], pixels[at + 2]]] = true;
  }
  return Object.keys(colours);
}"""


@pytest.mark.parametrize(("scheme", "violet"), [("light", "107,79,187"), ("dark", "179,157,240")])
def test_a_chart_that_comes_later_is_drawn_in_the_colours_of_day_or_night(
    new_page, live_server, world, login, scheme, violet
):
    page = new_page(color_scheme=scheme)
    login(page, live_server, world.owner, "/settings")

    page.evaluate(f"() => {{ {CHART} }}")
    page.wait_for_function("() => window.Chart && Chart.getChart(document.querySelector('canvas[data-chart]'))")

    canvas = page.locator("canvas[data-chart]")
    assert violet in canvas.evaluate(INK)
    expect(canvas).to_have_attribute("aria-label", "Opt-outs by day")
    keep(page, f"chart-{scheme}")


ROWS = """
document.querySelector("main").innerHTML = `<form><table class="table"><tbody>
<tr data-href="/settings/team"><td><input type="checkbox" aria-label="all" data-check-all="ids"></td><td>One</td></tr>
<tr><td><input type="checkbox" name="ids" value="1" aria-label="1">
<input type="checkbox" name="ids" value="2" aria-label="2"></td>
<td><button type="button" data-key="o">Opt out</button><input aria-label="Note"></td></tr></tbody></table>
<div data-bulk><span data-bulk-count></span></div></form>`;
document.querySelector("[data-key]").addEventListener("click", (event) => event.target.after("pressed"));
document.querySelector("main").dispatchEvent(new CustomEvent("htmx:afterSettle", {bubbles: true}));
"""


def test_rows_keys_and_boxes_answer(page, live_server, world, login):
    login(page, live_server, world.owner, "/settings/senders")
    page.evaluate(f"() => {{ {ROWS} }}")

    expect(page.locator("[data-bulk]")).to_be_hidden()
    page.get_by_label("all").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("2")
    page.get_by_label("Note").press("o")
    expect(page.get_by_text("pressed")).to_have_count(0)
    page.get_by_label("Note").blur()
    page.keyboard.press("o")
    expect(page.get_by_text("pressed")).to_have_count(1)
    page.locator("tr[data-href]").focus()
    page.keyboard.press("Enter")

    expect(page).to_have_url(live_server.url + "/settings/team")
