"""No company, no rows.

Every model that belongs to a company has `objects`, which shows the rows of the
current company only, and nothing at all when none is set. A forgotten filter
therefore shows nothing rather than everything. `across_companies()` is the one
way around it, for the few who must: codes, hooks, keys, log-in, the worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from accounts.models import Company

_current: ContextVar[int | None] = ContextVar("company", default=None)


def current_company_id() -> int | None:
    return _current.get()


@contextmanager
def company_scope(company: Company | int | None) -> Iterator[None]:
    """Inside, `objects` of every scoped model shows this company's rows."""
    token = _current.set(company if company is None or isinstance(company, int) else company.pk)
    try:
        yield
    finally:
        _current.reset(token)


class ScopedManager(models.Manager):
    """Rows of the current company; none without one."""

    def get_queryset(self) -> models.QuerySet[Any]:
        rows = super().get_queryset()
        company_id = _current.get()
        return rows.none() if company_id is None else rows.filter(company_id=company_id)

    def across_companies(self) -> models.QuerySet[Any]:
        """All rows. A test lists the callers."""
        return super().get_queryset()

    def of(self, company: Company | int) -> models.QuerySet[Any]:
        """The rows of one named company."""
        company_id = company if isinstance(company, int) else company.pk
        return super().get_queryset().filter(company_id=company_id)


class CompanyModel(models.Model):
    """Belongs to one company."""

    # No index of its own: every index that is used begins with the company and goes on.
    company = models.ForeignKey("accounts.Company", on_delete=models.PROTECT, related_name="+", db_index=False)

    objects = ScopedManager()

    class Meta:
        abstract = True
