"""Merge fields of a text (pure). One pass over a closed list; values are never expanded again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FIELDS = ("first_name", "last_name", "company", "email", "phone")
OPT_OUT = "opt_out"
FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]{0,60})(?:\|([^{}|]{0,60}))?\}", re.ASCII)
_ATTRIBUTE = re.compile(r"attr\.[A-Za-z0-9_]{1,40}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class UnknownField(ValueError):
    """A merge field that does not exist."""

    def __init__(self, field: str) -> None:
        allowed = ", ".join(f"{{{name}}}" for name in (*FIELDS, "attr.NAME", OPT_OUT))
        super().__init__(f"{{{field}}} is not a field. You can use {allowed}.")
        self.field = field


@dataclass(frozen=True, slots=True)
class Part:
    """A field at its place."""

    name: str
    fallback: str

    def value(self, values: Mapping[str, str]) -> str:
        return self.shown(values.get(self.name) or "")

    def shown(self, value: str) -> str:
        """On one line, whatever stands in the address book."""
        if not value.isprintable():
            value = _CONTROL.sub(" ", value)
        return value.strip() or self.fallback


#: Where the link of a message goes.
LINK = Part("", "")


def _joined(parts: list[str | Part]) -> list[str | Part]:
    """With neighbouring literals as one."""
    joined: list[str | Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return joined


class Template:
    """A parsed text: literal parts and fields in order."""

    def __init__(self, parts: list[str | Part]) -> None:
        self.parts = parts
        self._places_line = any(isinstance(p, Part) and p.name == OPT_OUT for p in parts)
        self.fields = {p.name for p in parts if isinstance(p, Part)} - {OPT_OUT}

    @property
    def without_fallback(self) -> list[str]:
        """Fields that leave a gap where the address book has nothing; `company` is always known."""
        bare = {p.name for p in self.parts if isinstance(p, Part) and not p.fallback}
        return sorted(bare & self.fields - {"company"})

    @classmethod
    def parse(cls, body: str, *, category: str = "marketing") -> Template:
        """Raises UnknownField; transactional texts have no opt-out line, so no place for one either."""
        parts: list[str | Part] = []
        end = 0
        for found in FIELD.finditer(body):
            name, fallback = found[1], found[2] or ""
            known = name in FIELDS or _ATTRIBUTE.fullmatch(name) or (name == OPT_OUT and category == "marketing")
            if not known:
                raise UnknownField(name)
            parts += [body[end : found.start()], Part(name, fallback)]
            end = found.end()
        parts.append(body[end:])
        return cls([p for p in parts if p != ""])

    def bind(self, fixed: Mapping[str, str], *, line: tuple[str, str, str]) -> list[str | Part]:
        """The same text for one way out: what is the same for every recipient is filled in, and only the
        fields that differ are left. `line` is the opt-out line before its link, a sign where there is one,
        and after it; the link's place is LINK. Rendering what is left costs a fraction of rendering all."""
        before, gap, after = line
        way_out: list[str | Part] = [before, LINK, after] if gap else [before]
        bound: list[str | Part] = []
        for part in self.parts:
            if isinstance(part, str):
                bound.append(part)
            elif part.name == OPT_OUT:
                bound += way_out
            elif part.name in fixed:
                bound.append(part.value(fixed))
            else:
                bound.append(part)
        if before + after and not self._places_line:
            bound += ["\n", *way_out]
        return _joined(bound)

    def render(self, values: Mapping[str, str], *, opt_out: str | None) -> str:
        """The line goes to its place, else on a line of its own at the end."""
        out = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
            elif part.name == OPT_OUT:
                out.append(opt_out or "")
            else:
                out.append(part.value(values))
        if opt_out and not self._places_line:
            out.append("\n" + opt_out)
        return "".join(out)
