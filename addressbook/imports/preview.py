"""The first rows as they will be read, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from addressbook.imports import reading
from addressbook.imports.forms import FIELDS, OPT_OUT_FIELDS
from addressbook.imports.reading import ATTRIBUTE, Row
from addressbook.models import Contact, Import
from addressbook.upsert import known_contacts
from messaging.addresses import Address, display

LABELS = OPT_OUT_FIELDS | FIELDS
READ = 1000
SHOWN_FIRST = 20
SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    note: str = ""
    was: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the preview."""

    row: Row
    cells: list[Cell]
    known: Contact | None
    two: bool

    @property
    def out(self) -> bool:
        return bool(self.known and (self.known.suppressed_sms or self.known.suppressed_email))


@dataclass(frozen=True, slots=True)
class Preview:
    headings: list[tuple[str, str]]
    lines: list[Line]
    read: int
    refused: int
    mended: int


def preview(import_run: Import) -> Preview:
    rows = list(islice(reading.rows_of(import_run), READ))
    shown = rows[:SHOWN_FIRST]
    shown += [row for row in rows[SHOWN_FIRST:] if row.code or row.notes][:SHOWN_PROBLEMS]
    addresses = [a for row in shown for a in _addresses(row)]
    known = known_contacts(import_run.company, addresses)
    return Preview(
        headings=[
            (str(LABELS.get(field, field.removeprefix(ATTRIBUTE))), import_run.column_of(field))
            for field, _column in _fields(import_run)
        ],
        lines=[_line(import_run, row, known) for row in shown],
        read=len(rows),
        refused=sum(bool(row.code) for row in rows),
        mended=sum(bool(row.notes) for row in rows),
    )


def _fields(import_run: Import) -> list[tuple[str, int]]:
    """The address first, attributes last."""
    order = list(LABELS)
    return sorted(
        import_run.mapping.items(), key=lambda item: (order.index(item[0]) if item[0] in LABELS else 99, item[1])
    )


def _addresses(row: Row) -> list[Address]:
    return [row.values[name] for name in ("phone", "email") if row.values and name in row.values]


def _line(import_run: Import, row: Row, known: dict[Address, Contact]) -> Line:
    contacts = {c.pk: c for a in _addresses(row) if (c := known.get(a))}
    cells = []
    for field, column in _fields(import_run):
        raw = row.cells[column] if column < len(row.cells) else ""
        if row.values is None:
            cells.append(Cell(raw))
            continue
        value = (
            row.values.get(field)
            or row.values.get("attributes", {}).get(field)
            or row.values.get("attributes", {}).get(field.removeprefix(ATTRIBUTE), "")
        )
        text = display(value.value) if isinstance(value, Address) else str(value)
        if field == "when" and "when_as_written" in row.values:
            text = row.values["when_as_written"]
        cells.append(Cell(text, row.notes.get(field, ""), raw))
    return Line(row, cells, next(iter(contacts.values()), None), two=len(contacts) > 1)
