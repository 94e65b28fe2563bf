"""Import 500 k rows, 5 % bad, 10 % known already; floor: reading, parsing and COPY of the same file.

Ours includes what a marketer waits for after "Import": repairs, digests, who is known,
suppressions, groups, rejected rows with their reasons, and progress that survives a
crash. One process on either side, besides PostgreSQL.
"""

from __future__ import annotations

import csv
import io
import resource
import tempfile
from typing import BinaryIO

import phonenumbers
from django.db import connection

from accounts.models import Company
from accounts.scoping import company_scope
from addressbook.imports import run as importing
from addressbook.imports import storage
from addressbook.models import Contact, Group, Import
from addressbook.upsert import upsert
from bench import world
from messaging.addresses import Address

ROWS = 500_000
GOAL = 1.5
COLUMNS = ["phone", "first name", "last name", "city"]
MAPPING = {"phone": 0, "first_name": 1, "last_name": 2, "attribute:city": 3}
BAD = ("061234", "4.92E+11", "n/a", "0612345678 / 0687654321", "=1+1")


def run() -> list[dict[str, object]]:
    company = world.company()
    with tempfile.TemporaryFile() as file:
        _write_file(file)
        _known(company)
        import_run = _prepared(company, file)
        world.settle()
        before = _peak()
        with world.timed() as ours, company_scope(company):
            assert importing.run(import_run)
        grown = _peak() - before
        import_run.refresh_from_db()
        known, bad = ROWS // 10, ROWS // 20
        found = (import_run.created, import_run.updated, import_run.rejected)
        assert found == (ROWS - known - bad, known, bad), found
        world.settle()
        with world.timed() as floor:
            _floor(file)
    return [
        world.result(
            "import",
            seconds=ours.seconds,
            floor_seconds=floor.seconds,
            goal=GOAL,
            note=f"{ROWS / ours.seconds:,.0f} rows a second, peak memory + {grown / 1024:.0f} MiB",
        )
    ]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _number(n: int) -> str:
    """Valid mobile numbers, as many as one likes, of six countries and in three writings."""
    match n % 6:
        case 0:
            return f"+316{10_000_000 + n}"
        case 1:
            return f"06{10_000_000 + n}"
        case 2:
            return f"+49 151 {10_000_000 + n}"
        case 3:
            return f"0033 6 {10_000_000 + n}"
        case 4:
            return f"+346{10_000_000 + n}"
        case _:
            return f"+32470{n % 1_000_000:06}"


def _write_file(file: BinaryIO) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for n in range(ROWS):
        phone = BAD[n // 20 % len(BAD)] if n % 20 == 7 else _number(n)
        writer.writerow([phone, f"Name{n % 997}", f"Surname{n % 9973}", f"City {n % 311}"])
    text.flush()
    text.detach()


def _known(company: Company) -> None:
    """Every tenth is in the address book already, with less of them than the file has."""
    numbers = [_number(n) for n in range(ROWS) if n % 10 == 3]
    from addressbook.imports import repair

    for start in range(0, len(numbers), 2000):
        rows = [{"phone": repair.phone(text, country="NL").value} for text in numbers[start : start + 2000]]
        upsert(company=company, rows=rows)
    # As any other company's address book: not everybody here is in the file.
    assert Contact.objects.of(company).count() == len(numbers)
    assert isinstance(rows[0]["phone"], Address)


def _prepared(company: Company, file: BinaryIO) -> Import:
    made = Import.objects.create(
        company=company, file_name="bench.csv", columns=COLUMNS, mapping=MAPPING, default_country="NL", rows=ROWS
    )
    made.groups.set([Group.objects.create(company=company, name="November")])
    file.seek(0)
    storage.store(made, iter(lambda: file.read(1 << 20), b""))
    importing.start(made)
    made.refresh_from_db()
    return made


def _floor(file: BinaryIO) -> None:
    """The least that any import does: each number parsed, found valid and brought into E.164, each row stored."""
    world.sql("CREATE TABLE floor (phone text, first_name text, last_name text, city text)")
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.reader(text)
    next(rows)
    with connection.cursor() as cursor, cursor.copy("COPY floor FROM STDIN") as copy:
        for cells in rows:
            try:
                number = phonenumbers.parse(cells[0], "NL")
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(number):
                cells[0] = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                copy.write_row(cells)
    text.detach()
