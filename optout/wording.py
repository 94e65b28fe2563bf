"""Which opt-out line is used: the campaign's, else the company's, else the platform's, in the recipient's language."""

from __future__ import annotations

from accounts.models import Company
from optout import lines
from optout.models import OptOutText


class Wording:
    """The lines of one company, read once."""

    def __init__(self, *, company: Company, override: str = "") -> None:
        self.company = company
        self.override = override
        rows = OptOutText.objects.filter(company__in=[company]) | OptOutText.objects.filter(company=None)
        self._texts = {(row.company_id, row.language, row.method): row.text for row in rows}

    def line(self, *, language: str, method: str, channel: str) -> str:
        """The text with its placeholders. An override that does not fit the method is passed over."""
        if self.override and _fits(self.override, method=method):
            return self.override
        for wanted in dict.fromkeys([language, language.partition("-")[0], self.company.language, "en"]):
            for company_id in (self.company.pk, None):
                for kind in ("email", method) if channel == "email" else (method,):
                    text = self._texts.get((company_id, wanted, kind))
                    if text:
                        return text
        return lines.LAST_RESORT[method]


def _fits(text: str, *, method: str) -> bool:
    try:
        lines.check(text, method=method)
    except lines.InvalidLine:
        return False
    return True
