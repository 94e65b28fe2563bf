"""What a reader with or without eyes, on a narrow or a wide screen, makes of a page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from weakref import WeakKeyDictionary

import axe_playwright_python
from playwright.sync_api import Browser, Page, ViewportSize

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_READERS: WeakKeyDictionary[Browser, dict[str, Page]] = WeakKeyDictionary()


def complaints(page: Page, browser: Browser) -> list[str]:
    """What axe finds. A page without scripts is looked at as a copy in a context that has them."""
    dark = page.locator("body").evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    return complaints_of(page.content(), browser, scheme="dark" if dark else "light", viewport=page.viewport_size)


def complaints_of(
    html: str, browser: Browser, *, scheme: Literal["dark", "light"], viewport: ViewportSize | None
) -> list[str]:
    """What axe finds in this document."""
    copy = _reader(browser, scheme)
    if viewport:
        copy.set_viewport_size(viewport)
    # Written into the open document, which keeps axe loaded: a fresh one would read its half megabyte again.
    copy.evaluate("html => { document.open(); document.write(html); document.close(); }", html)
    found = copy.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def _reader(browser: Browser, scheme: Literal["dark", "light"]) -> Page:
    """A blank page with axe in it, one per browser and scheme."""
    readers = _READERS.setdefault(browser, {})
    if scheme not in readers:
        readers[scheme] = browser.new_context(color_scheme=scheme).new_page()
        readers[scheme].evaluate(AXE.read_text("utf-8"))
    return readers[scheme]


def does_not_scroll_sideways(page: Page) -> bool:
    return page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def keep(page: Page, name: str) -> None:
    """A picture for people to look at, when SCREENS names a folder."""
    if folder := os.environ.get("SCREENS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
