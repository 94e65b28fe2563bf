"""One browser for all tests; each test has pages of its own."""

from __future__ import annotations

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser():
    # Playwright's loop makes Django think that everything here is asynchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_page(browser):
    """Makes pages of a reader of one's choice; an error in a script or against the policy fails the test."""
    contexts, complaints = [], []

    def make(**options) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Security Policy" in said.text else None)
        return page

    yield make
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(new_page) -> Page:
    return new_page()


@pytest.fixture
def login():
    """Gives the page the session of this member, in this member's company."""

    def log_in(page: Page, live_server, member, path: str = "/") -> None:
        client = Client()
        client.force_login(member.user)
        session = client.session
        session["company"] = member.company_id
        session.save()
        name = settings.SESSION_COOKIE_NAME
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        page.goto(live_server.url + path)

    return log_in


@pytest.fixture
def axe():
    """Asserts that axe finds nothing to say about the page as it is now."""

    def look(page: Page) -> None:
        found = Axe().run(page).response["violations"]
        assert [f"{v['id']}: {node['html'][:200]}" for v in found for node in v["nodes"]] == []

    return look
