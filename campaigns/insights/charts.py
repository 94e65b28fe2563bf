"""Figures in the shape that charts, bars and tables on pages want."""

from __future__ import annotations

from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Company
from lib.countries import country_name
from messaging.models import Message
from optout import reasons as offered

#: Drawn one by one; what else occurs is one series of its own, so that bars add up.
SHOWN = ("link", "reply", "one_click", "portal")
#: More would not be read; the rest is one bar.
MOST_BARS = 8


def method_label(method: str) -> str:
    return {
        "link": _("Link"),
        "reply": _("Reply STOP"),
        "one_click": _("One-click e-mail"),
        "portal": _("Portal"),
        "api": _("API"),
        "import": _("Import"),
        "marketer": _("Marketer"),
        "administrator": _("Administrator"),
        "provider": _("Provider"),
        "complaint": _("Complaint or bounce"),
    }.get(method, method)


def over_time(points: list[dict[str, Any]]) -> dict[str, Any]:
    """What app.js draws (`labels`, `series`), and the same as a table without the empty lines."""
    others = [{k: v for k, v in point.items() if k not in {"at", *SHOWN}} for point in points]
    columns = {method_label(m): [p.get(m, 0) for p in points] for m in SHOWN}
    columns[_("Other ways")] = [sum(other.values()) for other in others]
    used = {label: data for label, data in columns.items() if any(data)}
    labels = [_label(p["at"], points) for p in points]
    rows = [
        {"label": label, "cells": cells, "total": sum(cells)}
        for label, *cells in zip(labels, *used.values(), strict=True)
        if sum(cells)
    ]
    return {
        "drawn": {"labels": labels, "series": [{"label": label, "data": data} for label, data in used.items()]},
        "columns": list(used),
        "rows": rows,
    }


def spark(data: list[int]) -> dict[str, Any]:
    """A curve without axes."""
    return {"labels": [""] * len(data), "series": [{"label": _("Opt-outs"), "data": data}], "kind": "spark"}


def _label(at: Any, points: list[dict[str, Any]]) -> str:
    step = (points[1]["at"] - points[0]["at"]).total_seconds() if len(points) > 1 else 86400
    if step < 86400:
        return date_format(at, "j M H:i")
    return date_format(at, "j M" if step < 28 * 86400 else "M Y")


def bars(counts: dict[str, int], labels: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Most first; beyond MOST_BARS one bar for the rest."""
    ordered = sorted(((key, n) for key, n in counts.items() if n), key=lambda item: (-item[1], item[0]))
    shown = [((labels or {}).get(key, key), n) for key, n in ordered[:MOST_BARS]]
    if rest := sum(n for _key, n in ordered[MOST_BARS:]):
        shown.append((_("All others"), rest))
    total, most = sum(counts.values()), max((n for _label, n in shown), default=0)
    return [{"label": label, "n": n, "share": share(n, total), "of_most": share(n, most)} for label, n in shown]


def methods(counts: dict[str, int]) -> list[dict[str, Any]]:
    return bars(counts, {m: method_label(m) for m in counts})


def reasons(counts: dict[str, int], *, company: Company) -> list[dict[str, Any]]:
    return bars(counts, reason_texts(company))


def reason_texts(company: Company) -> dict[str, str]:
    """Code → text, in the reader's language where the company kept our wording; removed reasons keep theirs."""
    texts = {**dict(offered.DEFAULTS), **dict(offered.offered(company.pk))}
    return {code: _(text) if text else code for code, text in texts.items()}


def comments(said: list[dict[str, Any]], *, company: Company) -> list[dict[str, Any]]:
    """With the reason in words."""
    texts = reason_texts(company)
    return [{**one, "reason": texts.get(one["reason"], one["reason"])} for one in said]


def countries(counts: dict[str, int]) -> list[dict[str, Any]]:
    return bars(counts, {code: country_name(code) for code in counts})


def funnel(figures: dict[str, Any], *, in_groups: int) -> list[dict[str, Any]]:
    """From everybody in the groups to those who left; each bar as a part of the first."""
    steps = [
        ("all", _("In the groups"), in_groups),
        ("out", _("Opted out before"), figures["suppressed"]),
        ("sent", _("Sent"), figures["sent"]),
        ("sent", _("Delivered"), figures["delivered"]),
        ("out", _("Opted out"), figures["opt_outs"]),
    ]
    return [
        {"kind": kind, "label": label, "n": n, "of_most": min(share(n, in_groups), 100.0)} for kind, label, n in steps
    ]


#: Status of a message → the colour of its word.
TONES = {"delivered": "ok", "failed": "bad", "unknown": "warn", "suppressed": "out"}


def split(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Where every message of the audience is now; together they are the audience."""
    return [
        {"status": status, "label": label, "n": counts[status], "tone": TONES.get(status, "quiet")}
        for status, label in Message.Status.choices
        if counts[status]
    ]


def share(part: float, whole: float) -> float:
    """In per cent; 0 of 0 is 0."""
    return 100 * part / whole if whole else 0.0


def changes(now: dict[str, Any], before: dict[str, Any]) -> dict[str, float | None]:
    """Per cent against the period before; None without one. The rate changes in points."""
    change: dict[str, float | None] = {
        key: 100 * (now[key] - before[key]) / before[key] if before[key] else None for key in ("sent", "opt_outs")
    }
    comparable = before["sent"] and now["sent"]
    change["rate"] = 100 * (now["opt_out_rate"] - before["opt_out_rate"]) if comparable else None
    return change
