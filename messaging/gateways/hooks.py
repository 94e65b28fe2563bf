"""A webhook as it came in, and the ways to read its body (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree

MOST_FIELDS = 200
#: Deeper than any provider nests, and far from where Python's own parsers give up.
DEEPEST = 20
_LEVELS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class NotUnderstood(ValueError):
    """The body is none of the provider's known shapes; the message says what is wrong, without quoting it."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One delivery. `url` is the configured one, whatever a Host header claims; headers are named in small letters."""

    kind: str
    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_form(self) -> bool:
        return self.content_type == "application/x-www-form-urlencoded"

    def pairs(self) -> list[tuple[str, str]]:
        """The form's fields in their order, blanks and repetitions included."""
        try:
            return parse_qsl(self.body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError as problem:
            raise NotUnderstood("the form has too many fields or is not UTF-8") from problem

    def form(self) -> dict[str, str]:
        return dict(self.pairs())

    def query(self) -> dict[str, str]:
        try:
            return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True, max_num_fields=MOST_FIELDS))
        except ValueError as problem:
            raise NotUnderstood("the address has too many fields") from problem

    def json(self) -> dict[str, Any]:
        if _depth(self.body) > DEEPEST:
            raise NotUnderstood("the JSON is nested too deeply")
        try:
            found = json.loads(self.body.decode("utf-8-sig"))
        except (ValueError, RecursionError) as problem:
            raise NotUnderstood("the body is not JSON in UTF-8") from problem
        if not isinstance(found, dict):
            raise NotUnderstood("the JSON is not an object")
        return found

    def xml(self) -> ElementTree.Element:
        # Entities are what makes XML dangerous, and no provider needs them.
        if b"<!" in self.body or self.body.count(b"<") > 10_000 or b"\x00" in self.body:
            raise NotUnderstood("the XML has a document type, or is too large")
        try:
            return ElementTree.fromstring(self.body)  # noqa: S314
        except (ElementTree.ParseError, ValueError, LookupError) as problem:
            raise NotUnderstood("the body is not XML") from problem


def _depth(body: bytes) -> int:
    deepest = depth = 0
    for token in _LEVELS.finditer(body):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest
