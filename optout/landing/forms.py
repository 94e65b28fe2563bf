"""What recipients hand in. Nothing here refuses: a form that cannot be read is an empty one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParserError

LONGEST_COMMENT = 1000
LONGEST_PHONE = 64
LONGEST_ADDRESS = 254
MOST_TOPICS = 50
# PostgreSQL's JSON takes neither NUL nor single surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Answer:
    phone: str
    reason: str
    comment: str
    one_click: bool
    opt_in: bool
    #: What else than the big button was pressed: pause-30, topics, undo-pause…
    action: str = ""
    topics: frozenset[str] = frozenset()

    @classmethod
    def of(cls, request: HttpRequest) -> Answer:
        fields = _fields(request)
        return cls(
            phone=_clean(fields.get("phone", ""), longest=LONGEST_PHONE + 1),
            reason=_clean(fields.get("reason", ""), longest=40),
            comment=_clean(fields.get("comment", ""), longest=LONGEST_COMMENT),
            one_click=fields.get("List-Unsubscribe", "").strip().lower() == "one-click",
            opt_in=fields.get("action", "") == "opt-in",
            action=_clean(fields.get("action", ""), longest=20),
            topics=frozenset(fields.getlist("topic")[:MOST_TOPICS]),
        )


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """On a company's own page: an address, then the code that was sent to it."""

    address: str
    code: str

    @classmethod
    def of(cls, request: HttpRequest) -> AddressAnswer:
        fields = _fields(request)
        return cls(
            address=_clean(fields.get("address", ""), longest=LONGEST_ADDRESS + 1),
            code=_clean(fields.get("code", ""), longest=40),
        )


def _fields(request: HttpRequest) -> QueryDict:
    try:
        return request.POST
    except (UnreadablePostError, MultiPartParserError, SuspiciousOperation, BadRequest):
        return QueryDict()


def _clean(text: str, *, longest: int) -> str:
    # Cut last: a number with something far behind it is not that number.
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n")).strip()[:longest]
