"""Workbooks that are bombs, or large: refused, or read in little memory."""

from __future__ import annotations

import contextlib
import io
import random
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.imports import reader, workbook
from addressbook.imports.reader import FileProblem
from tests.addressbook import books

ROW = books.text("0612345678") + books.text("Ann")


def lines(content: bytes) -> list[str]:
    return b"".join(workbook.as_csv(io.BytesIO(content))).decode().splitlines()


def code(content: bytes) -> str:
    with pytest.raises(FileProblem) as problem:
        lines(content)
    assert str(problem.value)
    return problem.value.code


def test_a_sheet_that_unpacks_to_ten_gigabytes_is_refused_by_what_it_declares():
    """The directory alone is read: nothing of it is unpacked."""
    content = bytearray(books.book(books.sheet(ROW)))
    place = content.rindex(b"xl/worksheets/sheet1.xml") - 46 + 24
    content[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
    assert code(bytes(content)) == "too_much_unpacked"


def test_no_more_is_unpacked_than_was_declared():
    content = bytearray(books.book(books.sheet(*[ROW] * 20_000)))
    place = content.rindex(b"xl/worksheets/sheet1.xml") - 46 + 24
    content[place : place + 4] = (100_000).to_bytes(4, "little")
    assert code(bytes(content)) == "damaged_workbook"


def test_what_unpacks_to_more_than_any_table_is_refused_while_it_is_read(monkeypatch):
    monkeypatch.setattr(workbook, "SMALL", 1000)
    assert code(books.book(books.sheet(*[ROW] * 20_000))) == "too_much_unpacked"


def test_all_entries_together_are_limited(monkeypatch):
    monkeypatch.setattr(workbook, "MOST_UNPACKED", 100_000)
    assert code(books.book(books.sheet(*[ROW] * 2000))) == "too_much_unpacked"


def test_the_csv_that_comes_of_it_is_limited(monkeypatch):
    """A short name of a long shared text would make a small file large."""
    monkeypatch.setattr(workbook, "LARGEST_FILE", 100_000)
    shared = f"<sst><si><t>{'x' * 30_000}</t></si></sst>"
    assert code(books.book(books.sheet(*['<c t="s"><v>0</v></c>'] * 5000), shared=shared)) == "too_much_unpacked"


def test_an_archive_of_very_many_entries_is_refused(monkeypatch):
    monkeypatch.setattr(workbook, "MOST_ENTRIES", 50)
    assert code(books.book(books.sheet(ROW), entries={f"x{n}": "" for n in range(60)})) == "too_much_unpacked"


def test_a_workbook_within_a_workbook_is_not_opened():
    inner = books.book(books.sheet(*[ROW] * 1000)).decode("latin-1")
    assert lines(books.book(books.sheet(ROW), entries={"xl/embedded.xlsx": inner})) == ["0612345678,Ann"]


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml"])
def test_entities_are_refused_in_every_part(part):
    laughs = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>'
    assert code(books.book(books.sheet(ROW), entries={part: laughs})) == "damaged_workbook"


def test_an_endless_tag_is_refused_before_it_fills_the_memory():
    noise = random.Random(1).randbytes(2_000_000).hex()
    assert code(books.book(f'<worksheet a="{noise}"/>')) == "damaged_workbook"


@pytest.mark.parametrize("where", ["inline", "shared"])
def test_a_cell_longer_than_excel_allows_is_refused(where):
    long = "x" * 40_000
    content = books.book(books.sheet(books.text(long)))
    if where == "shared":
        content = books.book(books.sheet('<c t="s"><v>0</v></c>'), shared=f"<sst><si><t>{long}</t></si></sst>")
    assert code(content) == "long_cell"


def test_a_million_columns_are_refused():
    assert code(books.book(books.sheet("<c/>" * 1_000_000 + books.text("x")))) == "too_many_columns"


def test_empty_cells_far_to_the_right_are_nothing():
    assert lines(books.book(books.sheet('<c r="A1"><v>1</v></c><c r="XFD1" s="1"/>'))) == ["1"]


def test_an_encrypted_workbook_is_refused():
    content = bytearray(books.book(books.sheet(ROW)))
    for place in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[place] |= 1
    assert code(bytes(content)) == "damaged_workbook"


def test_a_large_workbook_is_read_in_little_memory():
    """A hundred thousand different texts, which together would be many times what is used."""
    noise = random.Random(1)
    count = 60_000
    shared = "<sst>" + "".join(f"<si><t>{noise.randbytes(100).hex()}</t></si>" for _ in range(count)) + "</sst>"
    rows = [f'<c t="s"><v>{n}</v></c>' for n in range(count)]
    file = io.BytesIO(books.book(books.sheet(*rows), shared=shared))
    del rows, shared
    tracemalloc.start()
    read = sum(piece.count(b"\n") for piece in workbook.as_csv(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == count
    assert peak < 12 * reader.MEGABYTE


@given(st.data())
def test_a_workbook_with_any_byte_changed_is_a_table_or_a_problem(data):
    content = bytearray(books.book(books.sheet(ROW, ROW), shared="<sst><si><t>x</t></si></sst>"))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FileProblem):
        lines(bytes(content))


@given(st.text(max_size=200))
def test_any_xml_is_a_table_or_a_problem(text):
    with contextlib.suppress(FileProblem):
        lines(books.book(f"<worksheet><sheetData>{text}</sheetData></worksheet>"))


@given(st.lists(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=9), max_size=5)))
def test_texts_of_a_workbook_are_read_back(table):
    content = books.book(books.sheet(*["".join(books.text(cell) for cell in row) for row in table]))
    file = io.BytesIO(b"".join(workbook.as_csv(io.BytesIO(content))))
    read = list(reader.rows(file, encoding="utf-8", delimiter=","))
    wanted = []
    for row in table:
        while row and not row[-1]:
            row = row[:-1]
        if any(cell.strip() for cell in row):
            wanted.append(row)
    assert read == wanted


def test_a_plain_archive_is_no_workbook():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("customers.csv", "phone\n")
    assert code(out.getvalue()) == "no_workbook"
