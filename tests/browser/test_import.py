"""The import wizard, played by a marketer with a long file."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import expect

from addressbook.models import Contact, Import
from tests import make
from tests.processes import manage, until

#: Set to 100000 for the size of a real list; the way is the same.
ROWS = int(os.environ.get("IMPORT_ROWS", "30000"))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "November customers.csv"
    with path.open("w", encoding="cp1252", newline="") as out:
        out.write("Mobiel;Voornaam;Opmerking\r\n")
        for n in range(ROWS):
            out.write(f"06{10_000_000 + n};Zoë {n};x\r\n" if n % 100 else "4.92E+11;Jonas;x\r\n")
    return path


def test_a_long_file_is_imported_and_undone_with_the_bar_seen_moving(live_server, page, login, axe, file):
    shop = make.company("Acme", country="NL", language="en")
    login(page, live_server, make.member(shop, "owner"), "/imports/")
    page.get_by_role("link", name="Import contacts").first.click()
    axe(page)
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_label("Mobiel")).to_have_value("phone")
    expect(page.get_by_text("Windows-1252")).to_be_visible()
    page.get_by_label("Add to a new group").fill("November")
    axe(page)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("last digits are lost").first).to_be_visible()
    expect(page.get_by_text("+31 6 10000001")).to_be_visible()
    axe(page)
    page.get_by_role("button", name=f"Import {ROWS:,} rows").click()

    bar, seen = page.locator("#import-progress progress"), set()
    expect(bar).to_have_attribute("value", "0")

    def look() -> bool:
        seen.add(int(bar.get_attribute("value") or 0))
        return 100 in seen

    worker = manage("worker")
    try:
        until(look, seconds=120)
    finally:
        worker.terminate()
        worker.communicate()
    assert len(seen) >= 3, seen
    expect(page.get_by_text(f"{ROWS * 99 // 100:,} new")).to_be_visible()
    expect(page.get_by_text(f"{ROWS // 100:,} rejected")).to_be_visible()
    axe(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download with reasons").click()
    assert download.value.path().read_text("utf-8-sig").count("4.92E+11;") == 0
    assert Contact.objects.of(shop).count() == ROWS * 99 // 100

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Undo this import").click()
    if page.locator("dialog[open]").count():
        page.locator("dialog[open]").get_by_role("button").last.click()
    until(lambda: Import.objects.of(shop).filter(status="undoing").exists())
    drain = manage("worker", "--drain")
    drain.communicate(timeout=120)
    expect(page.get_by_text("contacts that this import had created were deleted")).to_be_visible()
    assert not Contact.objects.of(shop).exists()
