"""Why people leave: the reasons a company offers."""

from __future__ import annotations

import time

from django.utils.translation import gettext_noop as _

from optout.models import Reason

#: Offered until a company writes its own.
DEFAULTS = (
    ("too_many", _("Too many messages")),
    ("not_relevant", _("Not relevant to me")),
    ("never_signed_up", _("I never signed up")),
    ("other_channel", _("I prefer another channel")),
    ("other", _("Something else")),
)
SECONDS_KEPT = 30.0

_kept: dict[int, tuple[float, tuple[tuple[str, str], ...]]] = {}


def offered(company_id: int, *, fresh: bool = False) -> tuple[tuple[str, str], ...]:
    """(code, text) in order, as written by the company; known for up to SECONDS_KEPT."""
    found = _kept.get(company_id)
    if fresh or found is None or time.monotonic() - found[0] > SECONDS_KEPT:
        rows = tuple(Reason.objects.of(company_id).values_list("code", "text"))
        found = _kept[company_id] = (time.monotonic(), rows or DEFAULTS)
    return found[1]


def known(company_id: int, code: str) -> str:
    """The code if the company offers it, else empty."""
    if not code or len(code) > 40:
        return ""
    for fresh in (False, True):
        if any(code == one for one, _text in offered(company_id, fresh=fresh)):
            return code
    return ""
