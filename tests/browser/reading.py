"""What a reader with or without eyes, on a narrow or a wide screen, makes of a page."""

from __future__ import annotations

import os
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Browser, Page

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def complaints(page: Page, browser: Browser) -> list[str]:
    """What axe finds. A page without scripts is looked at as a copy in a context that has them."""
    dark = page.locator("body").evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
    context = browser.new_context(color_scheme="dark" if dark else "light", viewport=page.viewport_size)
    try:
        copy = context.new_page()
        copy.set_content(page.content())
        copy.evaluate(AXE.read_text("utf-8"))
        found = copy.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
    finally:
        context.close()
    return [
        f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def does_not_scroll_sideways(page: Page) -> bool:
    return page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def keep(page: Page, name: str) -> None:
    """A picture for people to look at, when SCREENS names a folder."""
    if folder := os.environ.get("SCREENS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
