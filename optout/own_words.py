"""What a company says in its own words: its opt-out lines, and the reasons it offers."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils.text import slugify

from accounts.models import Company
from optout.models import METHODS, OptOutText, Reason
from optout.reasons import DEFAULTS


@dataclass(frozen=True, slots=True)
class Line:
    """One language and method: what we would say, and what the company says instead."""

    language: str
    method: str
    standard: str
    own: str


def lines_of(company: Company) -> list[Line]:
    """Every language and method that the platform or the company has a line for."""
    rows = OptOutText.objects.filter(company=company) | OptOutText.objects.filter(company=None)
    known = {(row.language, row.method, row.company_id): row.text for row in rows}
    order = [method for method, _name in METHODS]
    places = sorted({(language, order.index(method)) for language, method, _company in known})
    return [
        Line(
            language=language,
            method=order[n],
            standard=known.get((language, order[n], None), ""),
            own=known.get((language, order[n], company.pk), ""),
        )
        for language, n in places
    ]


def set_line(*, company: Company, language: str, method: str, text: str) -> None:
    """Raises ValidationError when the line would not show its way out; an empty one brings the standard back."""
    line = OptOutText.objects.filter(company=company, language=language, method=method).first()
    if not text:
        if line:
            line.delete()
        return
    line = line or OptOutText(company=company, language=language, method=method)
    line.text = text
    line.full_clean()
    line.save()


def add_reason(*, company: Company, text: str, position: int = 0) -> Reason:
    """Its code is made from the text and stays when the text is changed, so that figures stay comparable."""
    with transaction.atomic():
        Company.objects.select_for_update().get(pk=company.pk)
        taken = set(Reason.objects.of(company).values_list("code", flat=True))
        base = slugify(text).replace("-", "_")[:36] or "reason"
        code, n = base, 1
        while code in taken:
            n += 1
            code = f"{base}_{n}"
        return Reason.objects.create(company=company, code=code, text=text, position=position)


def offer_standard_reasons(company: Company) -> None:
    Reason.objects.bulk_create(
        Reason(company=company, code=code, text=text, position=n) for n, (code, text) in enumerate(DEFAULTS)
    )
