"""Every form of every page with what nobody should send: a clear answer, never a fault of ours.

Pages and forms come from the project's addresses, so that a new one is tried without being named here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from tests.test_walls import OWN, PAGES, Cast, cast, undone

__all__ = ["cast"]
pytestmark = pytest.mark.django_db

BAD = {
    "nothing": "",
    "a NUL": "a\x00b",
    "much": "9" * 100_000,
    "a big number": "99999999999999999999",
    "a negative number": "-1",
    "right to left": "\u202eتوقف\u202c",
    "invisible": "\u200b\ufeff\u2028",
    "markup": "<script>alert(1)</script>'\"%s{}",
}
RAW = [
    (b"\xff\xfe\xfd=\xff&name=\xc3\x28", "application/x-www-form-urlencoded"),
    (b"name=%00%ff%u1234&=&&&;", "application/x-www-form-urlencoded; charset=nonsense"),
    (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
    (b"nonsense", "multipart/form-data"),
    (b"{", "application/json"),
]


@dataclass
class Form:
    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)


class Forms(HTMLParser):
    """The POST forms of a page with what they would send as they are."""

    def __init__(self, page: str, path: str) -> None:
        super().__init__()
        self.path, self.found, self._open, self._select = path, [], None, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        at = dict(attrs)
        if tag == "form" and (at.get("method") or "").lower() == "post":
            self._open = Form(at.get("action") or self.path)
            self.found.append(self._open)
        elif self._open and tag in {"input", "textarea", "button"} and at.get("name"):
            chosen = at.get("type") not in {"checkbox", "radio"} or "checked" in at
            self._open.fields.setdefault(at["name"], [])
            if chosen and at["name"] != "csrf":
                self._open.fields[at["name"]].append(at.get("value") or "x")
        elif self._open and tag == "select" and at.get("name"):
            self._select = at["name"]
            self._open.fields.setdefault(self._select, [])
        elif self._open and tag == "option" and self._select and "selected" in at:
            self._open.fields[self._select].append(at.get("value") or "")

    def handle_endtag(self, tag):
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""


def _forms(cast: Cast) -> list[tuple[str, Form]]:
    found = {}
    for route in PAGES:
        path = route.path(OWN)
        answer = cast.client.get(path)
        if answer.status_code == 200 and "text/html" in answer.get("Content-Type", ""):
            for form in Forms(answer.content.decode(), path).found:
                if "logout" not in form.action:
                    found.setdefault((form.action, tuple(form.fields)), (path, form))
    return list(found.values())


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_no_field_of_any_form_breaks_its_page(cast, value):
    forms = _forms(cast)
    assert len(forms) > 15
    tried = 0
    for path, form in forms:
        for name in form.fields:
            with undone():
                answer = cast.client.post(form.action, {**form.fields, name: value})
                assert answer.status_code < 500, (path, form.action, name)
            tried += 1
    assert tried > 60


def test_a_field_that_is_not_sent_breaks_no_page(cast):
    for path, form in _forms(cast):
        for name in form.fields:
            with undone():
                rest = {other: value for other, value in form.fields.items() if other != name}
                assert cast.client.post(form.action, rest).status_code < 500, (path, form.action, name)


def test_a_body_that_is_no_form_breaks_no_page(cast):
    for route in PAGES:
        if route.name == "logout":
            continue
        for body, kind in RAW:
            with undone():
                answer = cast.client.generic("POST", route.path(OWN), body, content_type=kind)
                assert answer.status_code < 500, (route.text, body)


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_a_query_that_makes_no_sense_breaks_no_page(cast, value):
    names = ["q", "after", "before", "page", "group", "country", "language", "state", "channel", "source", "since"]
    names += ["until", "status", "days", "to", "lang", "campaign", "reason", "cursor", "next", "tab", "opened"]
    for route in PAGES:
        if route.name == "logout":
            continue
        answer = cast.client.get(route.path(OWN), dict.fromkeys(names, value[:4000]))
        assert answer.status_code < 500, route.text
