"""A row of the file as a row for `upsert`, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils.translation import gettext as _

from addressbook.imports import reader, repair, storage
from addressbook.imports.repair import CellProblem
from addressbook.models import Import
from addressbook.upsert import Prepared

LONGEST_TEXT = {"first_name": 100, "last_name": 100}
LONGEST_ATTRIBUTE = 500
LONGEST_REASON = 100
ATTRIBUTE = "attribute:"
NOBODY = repair.Read(None)


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
    #: `values` as `upsert` takes them, when they are about to be written.
    ready: Prepared | None = None


def cells_of(import_run: Import, *, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """The file's rows from the one after `skip` on, each with its number; empty rows are none."""
    found = reader.numbered_rows(
        storage.stream(import_run), encoding=import_run.encoding, delimiter=import_run.delimiter
    )
    return islice(found, skip + import_run.has_header, None)


def rows_of(import_run: Import) -> Iterator[Row]:
    for number, cells in cells_of(import_run):
        yield read(import_run, number, cells)


def first_cells(import_run: Import) -> list[str]:
    """The names of the columns, when the first row holds them."""
    rows = reader.rows(storage.stream(import_run), encoding=import_run.encoding, delimiter=import_run.delimiter)
    cells = [cell.strip()[:100] for cell in next(rows)]
    return (cells + [""] * len(import_run.columns))[: len(import_run.columns)]


def read(import_run: Import, number: int, cells: list[str]) -> Row:
    row = Row(number, cells)
    try:
        row.values = _values(import_run, cells, row.notes)
    except CellProblem as problem:
        row.code, row.reason = problem.code, str(problem)
    return row


def _values(import_run: Import, cells: Sequence[str], notes: dict[str, str]) -> dict[str, Any]:
    mapping, width = import_run.mapping, len(import_run.columns)
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        detail = _(
            "This row has %(cells)d cells and the file %(columns)d columns. "
            "Put quotation marks around values that contain the delimiter."
        )
        raise CellProblem("too_many_cells", detail % {"cells": len(cells), "columns": width})

    def cell(name: str) -> str:
        column = mapping.get(name)
        return cells[column] if column is not None and column < len(cells) else ""

    values: dict[str, Any] = {}
    country = ""
    if "country" in mapping and (country := repair.country(cell("country"))):
        values["country"] = country
    phone = repair.phone(cell("phone"), country=country or import_run.default_country) if "phone" in mapping else NOBODY
    email = repair.email(cell("email")) if "email" in mapping else NOBODY
    for name, found in (("phone", phone), ("email", email)):
        if found.value:
            values[name] = found.value
            if found.note:
                notes[name] = found.note
    if not phone.value and not email.value:
        raise CellProblem("no_address", _("There is neither a phone number nor an e-mail address in this row."))
    if import_run.is_of_opt_outs:
        return values | _about_the_opt_out(mapping, cell, notes)
    if "language" in mapping and (language := repair.language(cell("language"))):
        values["language"] = language
    for name, longest in LONGEST_TEXT.items():
        if name in mapping and (value := repair.text(cell(name))):
            values[name] = _short(value, name.replace("_", " "), longest)
    attributes = {
        name.removeprefix(ATTRIBUTE): _short(value, name.removeprefix(ATTRIBUTE), LONGEST_ATTRIBUTE)
        for name in mapping
        if name.startswith(ATTRIBUTE) and (value := repair.text(cell(name)))
    }
    if "consent_date" in mapping and (when := repair.moment(cell("consent_date"))):
        attributes["consent_date"] = when.isoformat()
    if "consent_source" in mapping and (value := repair.text(cell("consent_source"))):
        attributes["consent_source"] = _short(value, _("consent source"), LONGEST_ATTRIBUTE)
    if attributes:
        values["attributes"] = attributes
    return values


def _about_the_opt_out(mapping: Mapping[str, int], cell: Callable[[str], str], notes: dict[str, str]) -> dict[str, Any]:
    """When, why and from where. Whatever is odd about these, the person wants to be left alone: nothing is refused."""
    values: dict[str, Any] = {}
    if "when" in mapping:
        try:
            values["when"] = repair.moment(cell("when"))
        except CellProblem as problem:
            values["when_as_written"] = repair.text(cell("when"))[:LONGEST_ATTRIBUTE]
            notes["when"] = str(problem)
    for name, longest in (("reason", LONGEST_REASON), ("origin", LONGEST_ATTRIBUTE)):
        if name in mapping and (value := repair.text(cell(name))):
            values[name] = value[:longest]
    return values


def _short(value: str, name: str, longest: int) -> str:
    if len(value) > longest:
        detail = _("%(field)s is longer than %(longest)d characters. Shorten it.")
        raise CellProblem("too_long", detail % {"field": name, "longest": longest})
    return value
