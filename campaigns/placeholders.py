"""Placeholders of transactional templates (pure of any model): reading, filling, and recognising a filled text."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

from campaigns.rendering import FIELD, OPT_OUT, Part, Template

LONGEST_VALUE = 200
MOST_PLACEHOLDERS = 20
#: The least that makes a link on a phone. It looks at nothing around it, so whatever holds it holds a link.
_LINK = re.compile(r"(?=(://|www\.|[^\W_][.\u3002\uff0e\uff61][^\W\d_]{2}))", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LETTERS = re.compile(r"[^\W\d_]")


class BadText(ValueError):
    """A template that could not be kept to."""

    def __init__(self, code: str, found: str = "") -> None:
        super().__init__(code)
        self.code, self.found = code, found


def parse(text: str) -> Template:
    """Any name may be a placeholder. Raises BadText: stray braces, a way out, too many, or nothing but placeholders.

    A template of placeholders alone would let any text through, and two beside each other a link in two parts.
    """
    template = _parsed(text)
    if OPT_OUT in {part.name for part in template.parts if isinstance(part, Part)}:
        raise BadText("opt_out")
    for part in template.parts:
        if isinstance(part, str) and (stray := re.search(r"[{}]", part)):
            raise BadText("brace", part[max(0, stray.start() - 10) : stray.start() + 20].strip())
    for one, other in pairwise(template.parts):
        if isinstance(one, Part) and isinstance(other, Part):
            raise BadText("adjacent", f"{{{one.name}}}{{{other.name}}}")
    if len([part for part in template.parts if isinstance(part, Part)]) > MOST_PLACEHOLDERS:
        raise BadText("too_many")
    own = "".join(part for part in template.parts if isinstance(part, str))
    if len(_LETTERS.findall(own)) < 3:
        raise BadText("no_words")
    return template


def _parsed(text: str) -> Template:
    parts: list[str | Part] = []
    end = 0
    for found in FIELD.finditer(text):
        parts += [text[end : found.start()], Part(found[1], found[2] or "")]
        end = found.end()
    parts.append(text[end:])
    return Template([part for part in parts if part != ""])


def names(text: str) -> list[str]:
    """In their order, each once."""
    return list(dict.fromkeys(part.name for part in _parsed(text).parts if isinstance(part, Part)))


def filled(text: str, values: Mapping[str, str]) -> str:
    return _parsed(text).render(values, opt_out=None)


def missing(text: str, values: Mapping[str, str]) -> list[str]:
    """Placeholders that would leave a gap: no value, and no fallback in one of their places."""
    bare = {part.name for part in _parsed(text).parts if isinstance(part, Part) and not part.fallback}
    return [name for name in names(text) if name in bare and not values.get(name, "").strip()]


def problem(value: Any, *, may_link: bool) -> tuple[str, str]:
    """What is wrong with a value as code and remedy; empty when nothing is."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return "wrong_type", "Write the value as a text, just as it is to be read."
    if len(text := str(value)) > LONGEST_VALUE:
        return "too_long", f"A value has at most {LONGEST_VALUE} characters."
    if _CONTROL.search(text):
        return "control_character", "Write it on one line, without control characters."
    if not may_link and _LINK.search(text):
        return "link", (
            "This placeholder takes no link, nor what a phone would make one of. Have it listed with the template as "
            "one that does, or write a space after the dot."
        )
    return "", ""


def fits(template: str, text: str, *, linking: Collection[str]) -> bool:
    """Whether `text` is the template with something in each of its placeholders, from beginning to end.

    Goes through the parts once and keeps every place at which the text may have arrived, so that no text takes
    longer than its length times the number of parts. A value may not begin too early: not more than LONGEST_VALUE
    before its end, nor before a line break or a link. The latest beginning is therefore always the best one.
    """
    not_before_break = _earliest(text, [(found.start(), found.end()) for found in _CONTROL.finditer(text)])
    not_before_link = _earliest(text, [found.span(1) for found in _LINK.finditer(text)])
    arrived = [0]
    for part in _parsed(template).parts:
        if isinstance(part, str):
            arrived = [place + len(part) for place in arrived if text.startswith(part, place)]
        else:
            earliest = [not_before_break] if part.name in linking else [not_before_break, not_before_link]
            arrived = _after_value(arrived, len(text), earliest)
        if not arrived:
            return False
    return arrived[-1] == len(text)


def _after_value(begins: list[int], length: int, earliest: list[list[int]]) -> list[int]:
    ends: list[int] = []
    last = 0
    for end in range(begins[0] + 1, min(length, begins[-1] + LONGEST_VALUE) + 1):
        while last + 1 < len(begins) and begins[last + 1] < end:
            last += 1
        begin = begins[last]
        if end - begin <= LONGEST_VALUE and all(begin >= bound[end] for bound in earliest):
            ends.append(end)
    return ends


def _earliest(text: str, found: list[tuple[int, int]]) -> list[int]:
    """For every end of a value, where it may begin at the earliest to hold none of these."""
    bounds = [0] * (len(text) + 1)
    for start, end in found:
        bounds[end] = max(bounds[end], start + 1)
    for end in range(1, len(bounds)):
        bounds[end] = max(bounds[end], bounds[end - 1])
    return bounds
