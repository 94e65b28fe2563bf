"""A request's body and query as data, refused with the field's name when they cannot be stored."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from django.http import HttpRequest
from django.http.request import UnreadablePostError
from ninja.parser import Parser

from api.problems import Problem, error, invalid, many_invalid

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")
_JSON_TYPES = re.compile(r"application/(json|[a-z0-9.+-]+\+json)", re.IGNORECASE)


class ReadBefore(Parser):
    """The door has read the body; ninja takes it from there."""

    def parse_body(self, request: HttpRequest) -> Any:
        return request.json  # type: ignore[attr-defined]


def body(request: HttpRequest) -> Any:
    """The JSON value, or None without a body. Raises 400, 413, 415, 422."""
    try:
        raw = request.body
    except UnreadablePostError as problem:
        raise Problem(400, "malformed", "The body ended too early.") from problem
    if not raw:
        return None
    if not _JSON_TYPES.fullmatch((request.content_type or "").strip()):
        raise Problem(415, "unsupported-media-type", "Send the body as application/json.")
    try:
        value = json.loads(
            raw.decode(), parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_without_twins
        )
    except RecursionError as problem:
        raise Problem(400, "malformed", "The JSON is nested too deeply.") from problem
    except ValueError as problem:
        where = f" near character {problem.pos}" if isinstance(problem, json.JSONDecodeError) else ""
        raise Problem(400, "malformed", f"The body is not JSON{where}; write it in UTF-8.") from problem
    # Neither can come into a JSON text but by an escape.
    if b"\\u" in raw and (field := _unstorable(value)) is not None:
        raise invalid(field, "not_text", "Remove the NUL characters and lone surrogates; they are not text.")
    return value


def query(request: HttpRequest, *, known: set[str]) -> None:
    """A misspelt filter must not answer with everything."""
    for name in request.GET:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise many_invalid([error(name, "unknown_field", f"There is no such parameter; known here: {names}.")])
        if any(_NOT_TEXT.search(value) for value in request.GET.getlist(name)):
            raise invalid(name, "not_text", "Remove the NUL characters; they are not text.")


def _no_number(text: str) -> None:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values under one name: whoever reads the first and whoever reads the last would disagree."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _unstorable(value: Any, field: str = "") -> str | None:
    """Where the first text is that no database takes; None when there is none."""
    waiting: list[tuple[Any, str]] = [(value, field)]
    while waiting:
        here, field = waiting.pop()
        if isinstance(here, str):
            if _NOT_TEXT.search(here):
                return field
        elif isinstance(here, list):
            waiting += [(item, f"{field}[{n}]") for n, item in enumerate(here)]
        elif isinstance(here, dict):
            for name, item in here.items():
                clean = _NOT_TEXT.sub("\ufffd", name)
                path = f"{field}.{clean}" if field else clean
                if clean != name:
                    return path
                waiting.append((item, path))
    return None
