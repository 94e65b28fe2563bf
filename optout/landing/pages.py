"""The recipients' pages: rendered once per company and language, then kept as bytes."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string

from addressbook.preferences import DAYS
from optout.landing import texts
from optout.landing.branding import colours
from optout.landing.link import Brand

SECONDS_KEPT = 30.0
MOST_KEPT = 1000
LONGEST_SAID = 1000
NOTHING = "'none'"
IMAGES = "img-src 'self'; "
PLAIN_HEADERS = {
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}
#: What a company may say in its own words → where it is said.
OWN_TEXTS = {"heading": "heading", "sentence": "own_sentence"}
#: Template → its title.
TITLES = {
    "form": "heading",
    "out": "done",
    "opted_in": "back",
    "fewer": "paused",
    "too_many": "many",
    "unavailable": "unavailable",
    "code": "code_heading",
    "portal": "heading",
    "portal_code": "pin_heading",
    "portal_many": "many",
    "asked": "confirm_heading",
    "confirm": "come_back",
}
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_SAID = re.compile(r"<(h1|p|button)\b[^>]*>(.*?)</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")

_kept: dict[tuple[Any, ...], tuple[float, Page]] = {}


@dataclass(frozen=True, slots=True)
class Page:
    body: bytes
    headers: dict[str, str]
    #: Heading, sentence and button: what the reader was told before acting.
    said: str

    def response(self, status: int = 200) -> HttpResponse:
        return HttpResponse(self.body, status=status, headers=self.headers)


def page(template: str, *, state: str, language: str, brand: Brand | None = None, **facts: str | bool) -> Page:
    """For pages that show nothing of the person. `facts` are part of what is kept."""
    key = (template, state, language, brand, *facts.items())
    found = _kept.get(key)
    if found is None or time.monotonic() - found[0] > SECONDS_KEPT:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        found = _kept[key] = (
            time.monotonic(),
            render(template, state=state, language=language, brand=brand, **facts),
        )
    return found[1]


def render(template: str, *, state: str, language: str, brand: Brand | None = None, **facts: str | bool) -> Page:
    """A page of its own, for what a person has typed."""
    short_host = settings.SHORT_URL.partition("://")[2]
    company = brand.name if brand else ""
    own = {OWN_TEXTS[name]: said for name, said in (brand.own(language) if brand else {}).items()}
    logo = brand.logo_shown if brand and brand.logo else None
    text = render_to_string(
        f"landing/{template}.html",
        {
            "state": state,
            "language": language,
            "dir": "rtl" if language in texts.RIGHT_TO_LEFT else "ltr",
            "languages": texts.languages().items(),
            "t": texts.for_page(
                language,
                own=own,
                company=company,
                host=f"{short_host}/",
                code=str(facts.get("reply_code", "")),
                contact=brand.contact_details if brand else "",
                date=str(facts.get("date", "")),
            ),
            "title": texts.text(TITLES[template], language=language, company=company, own=own),
            "logo": logo,
            "company": brand,
            "shown_name": company or short_host,
            "colours": colours(brand.color if brand else ""),
            "reasons": texts.offered_reasons(brand.company_id, language=language) if brand else [],
            "pauses": _pauses(language) if brand and brand.offers_pause else [],
            "topics": brand.topics_in(language) if brand else [],
            **facts,
        },
    )
    return Page(body=text.encode(), headers=_headers(text, language=language, logo=bool(logo)), said=_said(text))


def _pauses(language: str) -> list[tuple[int, str]]:
    said = texts.template("pause", language=language)
    return [(days, said.replace("{days}", str(days))) for days in DAYS]


def _headers(text: str, *, language: str, logo: bool) -> dict[str, str]:
    styles = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
        for style in _STYLE.findall(text)
    )
    policy = (
        f"default-src 'none'; style-src {styles or NOTHING}; {IMAGES if logo else ''}form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": language,
        "X-Robots-Tag": "noindex, nofollow",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
    }


def _said(text: str) -> str:
    """Everything up to the first button."""
    found = []
    for tag, inner in _SAID.findall(text):
        found.append(" ".join(html.unescape(_TAG.sub("", inner)).split()))
        if tag == "button":
            break
    return " / ".join(found)[:LONGEST_SAID]
