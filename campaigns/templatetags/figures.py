"""How figures are written for people."""

from __future__ import annotations

from datetime import timedelta

from django import template
from django.utils.formats import number_format
from django.utils.translation import ngettext

register = template.Library()
NBSP = "\u00a0"


@register.filter
def percent(share: float | None, digits: int = 2) -> str:
    """A share of one as per cent; nothing known is a dash, not a zero."""
    return "–" if share is None else f"{plain_percent(share, digits)}{NBSP}%"


@register.filter
def plain_percent(share: float, digits: int = 2) -> str:
    """Without the sign, for "between 0.75 and 0.87 %"."""
    # number_format cuts, so round first.
    return number_format(round(100 * share, digits), decimal_pos=digits, use_l10n=True)


@register.filter
def signed(value: float, digits: int = 0) -> str:
    """With its sign, a real minus included: +12, −0.02, ±0."""
    rounded = round(value, digits)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else "±"
    return sign + number_format(abs(rounded), decimal_pos=digits, use_l10n=True, force_grouping=True)


@register.filter
def direction(value: float, digits: int = 0) -> str:
    """The class of a change: `up`, `same`, or nothing for down."""
    rounded = round(value, digits)
    return "up" if rounded > 0 else "" if rounded < 0 else "same"


@register.filter
def span(time: timedelta) -> str:
    """A length of time in its largest unit."""
    seconds = max(int(time.total_seconds()), 1)
    if seconds < 90:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    hours = round(seconds / 3600)
    if hours < 48:
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    days = round(seconds / 86400)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
