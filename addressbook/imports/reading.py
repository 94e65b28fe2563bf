"""A row of the file as a row for `upsert`, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn

from django.utils.translation import gettext as _

from addressbook.imports import reader, repair, storage
from addressbook.imports.repair import CellProblem
from addressbook.models import Import

LONGEST_TEXT = {"first_name": 100, "last_name": 100}
LONGEST_ATTRIBUTE = 500
LONGEST_REASON = 100
ATTRIBUTE = "attribute:"


@dataclass(slots=True)
class Row:
    """One row as it was read."""

    number: int
    cells: list[str]
    values: dict[str, Any] | None = None
    #: Field → what was mended in it.
    notes: dict[str, str] = field(default_factory=dict)
    code: str = ""
    reason: str = ""


def cells_of(import_run: Import, *, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """The file's rows from the one after `skip` on, each with its number; empty rows are none."""
    found = reader.numbered_rows(
        storage.stream(import_run), encoding=import_run.encoding, delimiter=import_run.delimiter
    )
    return islice(found, skip + import_run.has_header, None)


def rows_of(import_run: Import) -> Iterator[Row]:
    reader = RowReader(import_run)
    for number, cells in cells_of(import_run):
        yield reader.read(number, cells)


def first_cells(import_run: Import) -> list[str]:
    """The names of the columns, when the first row holds them."""
    rows = reader.rows(storage.stream(import_run), encoding=import_run.encoding, delimiter=import_run.delimiter)
    cells = [cell.strip()[:100] for cell in next(rows)]
    return (cells + [""] * len(import_run.columns))[: len(import_run.columns)]


class RowReader:
    """What an import's columns mean, looked up once for all of its rows."""

    def __init__(self, import_run: Import) -> None:
        mapping = import_run.mapping
        self.width = len(import_run.columns)
        self.default_country = import_run.default_country
        self.mapping = mapping if import_run.is_of_opt_outs else None
        column = mapping.get
        self.country, self.phone, self.email = column("country"), column("phone"), column("email")
        self.language = column("language")
        self.consent_date, self.consent_source = column("consent_date"), column("consent_source")
        self.texts = [
            (name, name.replace("_", " "), mapping[name], longest)
            for name, longest in LONGEST_TEXT.items()
            if name in mapping
        ]
        self.attributes = [
            (name.removeprefix(ATTRIBUTE), number) for name, number in mapping.items() if name.startswith(ATTRIBUTE)
        ]
        self.needed = max([self.width, *(number + 1 for number in mapping.values())])

    def read(self, number: int, cells: list[str]) -> Row:
        row = Row(number, cells)
        try:
            row.values = self._values(cells, row.notes)
        except CellProblem as problem:
            row.code, row.reason = problem.code, str(problem)
        return row

    def _values(self, cells: list[str], notes: dict[str, str]) -> dict[str, Any]:
        if len(cells) > self.width and any(cell.strip() for cell in cells[self.width :]):
            detail = _(
                "This row has %(cells)d cells and the file %(columns)d columns. "
                "Put quotation marks around values that contain the delimiter."
            )
            raise CellProblem("too_many_cells", detail % {"cells": len(cells), "columns": self.width})
        if len(cells) < self.needed:
            cells = cells + [""] * (self.needed - len(cells))
        values: dict[str, Any] = {}
        country = ""
        if self.country is not None and (country := repair.country(cells[self.country])):
            values["country"] = country
        if self.phone is not None:
            phone, note = repair.phone(cells[self.phone], country=country or self.default_country)
            if phone:
                values["phone"] = phone
                if note:
                    notes["phone"] = note
        if self.email is not None:
            email, note = repair.email(cells[self.email])
            if email:
                values["email"] = email
                if note:
                    notes["email"] = note
        if "phone" not in values and "email" not in values:
            raise CellProblem("no_address", _("There is neither a phone number nor an e-mail address in this row."))
        if self.mapping is not None:
            return values | _about_the_opt_out(self.mapping, cells, notes)
        if self.language is not None and (language := repair.language(cells[self.language])):
            values["language"] = language
        for name, called, column, longest in self.texts:
            if value := repair.text(cells[column]):
                values[name] = value if len(value) <= longest else _too_long(called, longest)
        attributes: dict[str, str] = {}
        for name, column in self.attributes:
            if value := repair.text(cells[column]):
                attributes[name] = value if len(value) <= LONGEST_ATTRIBUTE else _too_long(name, LONGEST_ATTRIBUTE)
        if self.consent_date is not None and (when := repair.moment(cells[self.consent_date])):
            attributes["consent_date"] = when.isoformat()
        if self.consent_source is not None and (value := repair.text(cells[self.consent_source])):
            if len(value) > LONGEST_ATTRIBUTE:
                _too_long(_("consent source"), LONGEST_ATTRIBUTE)
            attributes["consent_source"] = value
        if attributes:
            values["attributes"] = attributes
        return values


def _about_the_opt_out(mapping: Mapping[str, int], cells: Sequence[str], notes: dict[str, str]) -> dict[str, Any]:
    """When, why and from where. Whatever is odd about these, the person wants to be left alone: nothing is refused."""
    values: dict[str, Any] = {}
    if "when" in mapping:
        try:
            values["when"] = repair.moment(cells[mapping["when"]])
        except CellProblem as problem:
            values["when_as_written"] = repair.text(cells[mapping["when"]])[:LONGEST_ATTRIBUTE]
            notes["when"] = str(problem)
    for name, longest in (("reason", LONGEST_REASON), ("origin", LONGEST_ATTRIBUTE)):
        if name in mapping and (value := repair.text(cells[mapping[name]])):
            values[name] = value[:longest]
    return values


def _too_long(name: str, longest: int) -> NoReturn:
    detail = _("%(field)s is longer than %(longest)d characters. Shorten it.")
    raise CellProblem("too_long", detail % {"field": name, "longest": longest})
