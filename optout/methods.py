"""Reply or link: what law and custom of a destination prefer, and what the sender can do (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optout.quiet_hours import NO_HOURS, Hours


@dataclass(frozen=True, slots=True)
class Rule:
    """What decides about the way out in one country, and about the hours."""

    country: str = ""
    methods: tuple[str, ...] = ("link",)
    link_allowed: bool = True
    prefix: str = ""
    keyword: str = "STOP"
    languages: tuple[str, ...] = ()
    confirmation: str = "allowed"
    hours: Hours = NO_HOURS


@dataclass(frozen=True, slots=True)
class SenderOption:
    """A sender that may be used; without a country it works everywhere."""

    value: str
    kind: str
    country: str = ""

    def receives_replies_in(self, country: str) -> bool:
        return self.kind != "alphanumeric" and self.country in {"", country}


@dataclass(frozen=True, slots=True)
class Way:
    """The way out of one message. `code` is the number that takes the reply."""

    method: str
    sender: str
    code: str
    keyword: str


def choose(*, rule: Rule, sender: SenderOption | None, codes: Sequence[SenderOption], country: str = "") -> Way | None:
    """The first method in the destination's order that this sender can offer; None when there is no lawful one."""
    country = country or rule.country
    number = _number(sender=sender, codes=codes, country=country)
    shown = sender.value if sender else (number.value if number else "")
    for method in rule.methods:
        if method == "reply" and number:
            return Way("reply", shown, number.value, rule.keyword)
        if method == "link" and rule.link_allowed:
            return Way("link", shown, "", rule.keyword)
    if rule.link_allowed:
        return Way("link", shown, "", rule.keyword)
    return None


def _number(*, sender: SenderOption | None, codes: Sequence[SenderOption], country: str) -> SenderOption | None:
    """The campaign's own number when it takes replies there, else one registered for the country."""
    if sender and sender.receives_replies_in(country):
        return sender
    named = [code for code in codes if code.kind == "short_code" and code.country == country]
    return named[0] if named else None
