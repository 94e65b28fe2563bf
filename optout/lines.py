"""The opt-out line: placeholders, what each method needs, where it goes (pure)."""

from __future__ import annotations

import re

PLACEHOLDERS = ("company", "code", "keyword", "link")
NEEDED = {"reply": "code", "link": "link", "email": "link"}
LONGEST = 160
LAST_RESORT = {"reply": "Stop: text {keyword} to {code}", "link": "Stop: {link}"}
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]{0,40})\}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
OPT_OUT = "{opt_out}"


class InvalidLine(ValueError):
    """The text cannot be an opt-out line; the message says what is missing."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def check(text: str, *, method: str) -> None:
    """Raises InvalidLine when the line would not show the way out its method offers (promise 11)."""
    if not text.strip():
        raise InvalidLine("empty", "The opt-out line is empty.")
    if _CONTROL.search(text):
        raise InvalidLine("control_character", "The opt-out line must be one line of plain text.")
    if len(text) > LONGEST:
        raise InvalidLine("too_long", f"The opt-out line has {len(text)} characters; {LONGEST} are allowed.")
    used = set(_PLACEHOLDER.findall(text))
    for name in sorted(used - set(PLACEHOLDERS)):
        raise InvalidLine(
            "unknown_placeholder", f"{{{name}}} is not known. Use {{company}}, {{code}}, {{keyword}}, {{link}}."
        )
    needed = NEEDED[method]
    if needed not in used:
        raise InvalidLine("missing_placeholder", f"The line must contain {{{needed}}}, or nobody could opt out.")
    if method == "reply" and "link" in used:
        raise InvalidLine("wrong_placeholder", "A line for replies has no {link}.")
    if method != "reply" and "code" in used:
        raise InvalidLine("wrong_placeholder", "A line for links has no {code}.")


def check_override(text: str) -> None:
    """A campaign's own line fits one method; destinations with the other keep the company's line."""
    try:
        check(text, method="link")
    except InvalidLine as as_link:
        try:
            check(text, method="reply")
        except InvalidLine as as_reply:
            if as_link.code == as_reply.code == "missing_placeholder":
                raise InvalidLine(
                    "missing_placeholder",
                    "The line must contain {link}, or {code} where people answer by reply, or nobody could opt out.",
                ) from None
            raise as_link from None


def fill(text: str, *, company: str, code: str, keyword: str, link: str) -> str:
    """One pass: what a value contains is never expanded."""
    values = {"company": company, "code": code, "keyword": keyword, "link": link}
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def place(body: str, line: str) -> str:
    """At `{opt_out}`, else on a new line at the end."""
    if OPT_OUT in body:
        return body.replace(OPT_OUT, line)
    return f"{body}\n{line}"
