"""Figures in the shape that charts, bars and tables on pages want."""

from __future__ import annotations

from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import Company
from optout.models import Reason

SHOWN = ("link", "reply", "one_click", "portal")


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
    """What app.js draws: labels, and one series per method that occurs."""
    used = [m for m in SHOWN if any(p.get(m) for p in points)] or ["link", "reply"]
    return {
        "labels": [_label(p["at"], points) for p in points],
        "series": [{"label": method_label(m), "data": [p.get(m, 0) for p in points]} for m in used],
    }


def rows(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chart as a table, days without opt-outs left out."""
    lines = [
        {"label": _label(p["at"], points), "total": sum(v for k, v in p.items() if k != "at"), **p} for p in points
    ]
    return [line for line in lines if line["total"]]


def _label(at: Any, points: list[dict[str, Any]]) -> str:
    hourly = len(points) > 1 and (points[1]["at"] - points[0]["at"]).total_seconds() < 86400
    return date_format(at, "H:i") if hourly else date_format(at, "j M")


def bars(counts: dict[str, int], labels: dict[str, str] | None = None) -> list[dict[str, Any]]:
    total, most = sum(counts.values()), max(counts.values(), default=0)
    return [
        {"label": (labels or {}).get(key, key), "n": n, "share": share(n, total), "of_most": share(n, most)}
        for key, n in sorted(counts.items(), key=lambda item: -item[1])
        if n
    ]


def methods(counts: dict[str, int]) -> list[dict[str, Any]]:
    return bars(counts, {m: method_label(m) for m in counts})


def reasons(counts: dict[str, int], *, company: Company) -> list[dict[str, Any]]:
    return bars(counts, dict(Reason.objects.of(company).values_list("code", "text")))


def share(part: float, whole: float) -> float:
    """In per cent; 0 of 0 is 0."""
    return 100 * part / whole if whole else 0.0


def changes(now: dict[str, Any], before: dict[str, Any]) -> dict[str, float | None]:
    """Per cent against the period before; None without one. The rate changes in points."""
    change: dict[str, float | None] = {
        key: 100 * (now[key] - before[key]) / before[key] if before[key] else None for key in ("sent", "opt_outs")
    }
    change["rate"] = 100 * (now["opt_out_rate"] - before["opt_out_rate"]) if before["sent"] else None
    return change
