"""Why somebody in the groups of a campaign gets no message: one reason each, the first that holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

#: In the order in which they are asked after.
REASONS = {
    "no_address": _("No address"),
    "suppressed": _("Opted out"),
    "paused": _("Paused by the person"),
    "landline": _("A landline, which takes no SMS"),
    "no_way": _("No lawful way out there with this sender"),
    "received": _("Had a campaign that you leave out"),
    "lately": _("Had marketing in the days that you leave out"),
    "capped": _("Had as many messages as your company allows"),
}
#: Of these the contract's counts speak: they are part of the audience, as `suppressed` and `failed`.
IN_AUDIENCE = ("suppressed", "no_way")


def listed(counts: Mapping[str, int], *, channel: str) -> list[dict[str, Any]]:
    """For a page: who is left out, why, and how many; nobody is not mentioned."""
    missing = _("No e-mail address") if channel == "email" else _("No phone number")
    words = {**REASONS, "no_address": missing}
    return [{"reason": reason, "label": words[reason], "n": counts[reason]} for reason in REASONS if counts[reason]]


def field(reason: str) -> str:
    """Where a campaign keeps the number."""
    return f"left_out_{reason}"
