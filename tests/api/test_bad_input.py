"""Whatever is in a field: an answer below 500 in the one shape, and the field is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import make
from tests.api.calls import BODIES, CALLS
from tests.api.program import fields, problem

HUGE = "x" * 150_000
#: No field takes any of these.
NEVER = {
    "a number": 7.5,
    "a huge number": 10**400,
    "true": True,
    "an object in a list": [{"a": {"b": [1]}}],
    "a list in a list": [[["a"]]],
    "NUL": "a\x00b",
    "a lone surrogate": "\ud800",
    "a surrogate in a list": ["a", "\udfff"],
    "100 kB": HUGE,
    "a list of 20 000": ["a"] * 20_000,
    "deeply nested": json.loads("[" * 500 + "]" * 500),
}
#: Some fields take these; none may break on them.
SOMETIMES = {
    "null": None,
    "nothing": "",
    "blanks": "   ",
    "right to left": "\u202eمرحبا\u202c שלום",
    "combining": "e\u0301" * 50,
    "emoji": "👩‍👩‍👧‍👦" * 10,
    "line breaks": "a\r\nb\u2028c",
    "a quote": "'; DROP TABLE addressbook_contact; --",
    "percent": "%s %(x)s {0} {{ x }} {opt_out}",
    "a number as text": "99999999999999999999",
    "negative": -1,
    "zero": 0,
    "empty list": [],
    "empty object": {},
    "formula": "=cmd|' /C calc'!A0",
}


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a body that holds a value."""
    for name, value in body.items() if isinstance(body, dict) else enumerate(body):
        yield (*path, name)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, name))


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    copied = copy.deepcopy(body)
    place = copied
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copied


def without(body: Any, path: tuple[Any, ...]) -> Any:
    copied = copy.deepcopy(body)
    place = copied
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return copied


def named(path: tuple[Any, ...]) -> str:
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return name.removeprefix(".")


@pytest.fixture
def ids(world) -> dict[str, int]:
    return {
        "contacts": world.contact.pk,
        "campaigns": make.campaign(world.acme, world.customers).pk,
        "messages": 1,
        "webhooks": 1,
    }


def path_of(path: str, ids: dict[str, int]) -> str:
    return path.replace("/7", f"/{ids.get(path.split('/')[1])}")


def acceptable(response, what: str) -> None:
    assert response.status_code < 500, what
    if response.status_code >= 400:
        problem(response, response.status_code)


CASES = [(method, path, place) for (method, path), body in BODIES.items() for place in places(body)]


@pytest.mark.parametrize(("method", "path", "place"), CASES, ids=[f"{m} {p} {named(at)}" for m, p, at in CASES])
def test_a_value_that_no_field_takes_is_refused_and_named(acme, ids, method, path, place):
    for what, value in NEVER.items():
        if place == ("attributes", "size") and what in {"a number", "true", "a huge number"}:
            continue  # an attribute may be any simple value
        if place == ("contacts",) and what == "a list of 20 000":
            continue  # named row by row
        if place[0] == "contacts" and len(place) == 3 and what == "100 kB":
            continue  # wrong data of one person: the row is rejected, not the batch
        if place in {("addresses", 0), ("recipients", 0)} and what == "100 kB":
            continue  # answered as invalid, beside the others

        response = acme.send(method, path_of(path, ids), changed(BODIES[method, path], place, value))

        found = fields(response)
        assert any(name.startswith(named(place).split("[")[0].split(".")[0]) for name in found), (what, found)


@pytest.mark.parametrize(("method", "path", "place"), CASES, ids=[f"{m} {p} {named(at)}" for m, p, at in CASES])
def test_strange_values_never_break_a_call(acme, ids, method, path, place):
    for what, value in SOMETIMES.items():
        acceptable(acme.send(method, path_of(path, ids), changed(BODIES[method, path], place, value)), what)
    acceptable(acme.send(method, path_of(path, ids), without(BODIES[method, path], place)), "absent")


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_an_unknown_field_and_a_field_of_ours_are_refused(acme, ids, method, path):
    for name in ("nonsense", "id", "company", "company_id", "__class__", "\x00", "x" * 5000):
        response = acme.send(method, path_of(path, ids), {**BODIES[method, path], name: 1})

        assert len(fields(response)) == 1


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_body_that_is_no_object_is_refused(acme, ids, method, path):
    for body in ("[]", '"text"', "7", "null", "true", "[{}]", ""):
        problem(acme.send(method, path_of(path, ids), body), 422)


QUERIES = {
    "/contacts": ("phone", "email", "group", "suppressed"),
    "/groups": ("name",),
    "/suppressions": ("address", "channel"),
    "/events": ("type", "source", "channel", "address", "campaign", "after"),
    "/campaigns": ("status", "name"),
    "/campaigns/7/messages": ("status", "to"),
    "/insights": ("from", "to"),
    "/simulator/messages": ("to",),
}


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in QUERIES.items() for name in names])
def test_strange_filters_never_break_a_list(acme, ids, path, name):
    for what, value in {**SOMETIMES, **NEVER}.items():
        text = value if isinstance(value, str) else str(value)
        text = text.replace("\ud800", "\ufffd").replace("\udfff", "\ufffd")[:20_000]

        acceptable(acme.get(path_of(path, ids), **{name: text}), what)

    assert fields(acme.get(path_of(path, ids), **{name: "a\x00b"})) == [name]


@pytest.mark.parametrize("path", sorted({path for _, path, _ in CALLS if "/7" in path}))
def test_ids_that_are_none_are_404(acme, path):
    method = next(one for one, found, _ in CALLS if found == path)
    body = BODIES.get((method, path))
    for wrong in ("0", "-1", "abc", "1.5", "99999999999999999999", "9" * 5000, "%00", "%F0%9F%98%80", "7%0a", "٧"):
        problem(acme.send(method, path.replace("/7", f"/{wrong}"), body), 404)
