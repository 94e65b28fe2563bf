"""An Excel workbook as CSV, row by row: from then on there is one kind of file.

A workbook is a zip of XML, and both are known for bombs. What is declared is not
believed: entries, what they unpack to, their ratio, rows, columns and cells are counted
while reading, entity declarations are refused, and texts that do not fit in memory lie
in a temporary file.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import BinaryIO
from xml.parsers import expat

from django.utils.translation import gettext as _

from addressbook.imports.reader import LARGEST_FILE, MEGABYTE, MOST_COLUMNS, FileProblem

MOST_ENTRIES = 2000
MOST_UNPACKED = 2048 * MEGABYTE
#: Sheets of one repeated value are packed a hundred times; what is beyond is no table.
MOST_RATIO = 200
SMALL = 10 * MEGABYTE
MOST_ROWS = 1_048_576  # Excel's own limit
LONGEST_CELL = 32_767  # Excel's own limit
LONGEST_TOKEN = MEGABYTE
PIECE = 64 * 1024
SIGNATURE = b"PK\x03\x04"
_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)


def is_workbook(head: bytes) -> bool:
    return head.startswith(SIGNATURE)


def as_csv(file: BinaryIO) -> Iterator[bytes]:
    """The first sheet as UTF-8 CSV, a piece at a time. Raises FileProblem."""
    try:
        with zipfile.ZipFile(file) as archive, tempfile.TemporaryFile() as texts:
            yield from _Workbook(archive, texts).lines()
    except (
        zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, KeyError, NotImplementedError, RuntimeError,
        UnicodeError, OverflowError, ValueError,
    ) as problem:  # fmt: skip
        if isinstance(problem, FileProblem):
            raise
        raise _damaged() from problem


def _damaged() -> FileProblem:
    return FileProblem(
        "damaged_workbook",
        _("This workbook is damaged or protected. Open it, save it as “CSV UTF-8” and upload that file."),
    )


def _bomb() -> FileProblem:
    return FileProblem(
        "too_much_unpacked",
        _("This workbook unpacks to more than can be a list of contacts. Save it as “CSV UTF-8” and upload that file."),
    )


class _Workbook:
    def __init__(self, archive: zipfile.ZipFile, texts: BinaryIO) -> None:
        self.archive = archive
        self.unpacked = 0
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
            raise _bomb()
        self.names = {entry.filename.lstrip("/"): entry for entry in entries}
        if "xl/workbook.xml" not in self.names:
            raise FileProblem(
                "no_workbook", _("This is an archive, not an XLSX workbook. Upload a CSV or an XLSX file.")
            )
        self.texts = _Texts(texts)
        self.dates = frozenset[int]()
        self.from_1904 = False

    def lines(self) -> Iterator[bytes]:
        sheet = self._first_sheet()
        if "xl/styles.xml" in self.names:
            self._read_styles()
        if "xl/sharedStrings.xml" in self.names:
            self._read_texts()
        written = 0
        for piece in self._rows(sheet):
            written += len(piece)
            if written > LARGEST_FILE:
                raise _bomb()
            yield piece

    def _parse(self, name: str, parser: expat.XMLParserType) -> Iterator[None]:
        """Feeds an entry to the parser, a piece at a time, within the limits."""

        def refuse(*_arguments: object) -> None:
            raise _damaged()

        parser.StartDoctypeDeclHandler = refuse
        parser.EntityDeclHandler = refuse
        entry = self.names[name]
        fed = 0
        with self.archive.open(entry) as stream:
            while piece := stream.read(PIECE):
                fed += len(piece)
                self.unpacked += len(piece)
                if self.unpacked > MOST_UNPACKED or (fed > SMALL and fed > MOST_RATIO * max(entry.compress_size, 1)):
                    raise _bomb()
                parser.Parse(piece, False)
                if fed - parser.CurrentByteIndex > LONGEST_TOKEN:
                    raise _damaged()
                yield
        parser.Parse(b"", True)
        yield

    def _read(self, name: str, start: Callable[[str, dict[str, str]], None]) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(":")[2], attributes)
        for _piece in self._parse(name, parser):
            pass

    def _first_sheet(self) -> str:
        """The entry of the first sheet that people see."""
        sheets: list[str] = []
        targets: dict[str, str] = {}

        def workbook(tag: str, attributes: dict[str, str]) -> None:
            if tag == "sheet" and attributes.get("state", "visible") == "visible" and len(sheets) < MOST_ENTRIES:
                sheets.append(next((v for k, v in attributes.items() if k.endswith(":id")), ""))
            if tag == "workbookPr":
                self.from_1904 = attributes.get("date1904") in ("1", "true")

        def relations(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship" and len(targets) < MOST_ENTRIES:
                target = attributes.get("Target", "")
                targets[attributes.get("Id", "")] = target.lstrip("/") if target.startswith("/") else "xl/" + target

        self._read("xl/workbook.xml", workbook)
        if "xl/_rels/workbook.xml.rels" in self.names:
            self._read("xl/_rels/workbook.xml.rels", relations)
        for sheet in sheets:
            if (name := targets.get(sheet, "")) in self.names:
                return name
        if "xl/worksheets/sheet1.xml" in self.names:
            return "xl/worksheets/sheet1.xml"
        raise _damaged()

    def _read_styles(self) -> None:
        """Which of the cells' styles show a number as a date."""
        custom: dict[str, bool] = {}
        formats: list[str] = []
        within = ""

        def style(tag: str, attributes: dict[str, str]) -> None:
            nonlocal within
            if tag in ("cellXfs", "cellStyleXfs", "dxfs", "cellStyles"):
                within = tag
            elif tag == "numFmt" and len(custom) < 10_000:
                code = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", attributes.get("formatCode", ""))
                custom[attributes.get("numFmtId", "")] = any(c in code.lower() for c in "ydh")
            elif tag == "xf" and within == "cellXfs" and len(formats) < 100_000:
                formats.append(attributes.get("numFmtId", "0"))

        self._read("xl/styles.xml", style)
        self.dates = frozenset(
            n
            for n, key in enumerate(formats)
            if custom.get(key, key.isascii() and key.isdigit() and int(key) in _DATE_FORMATS)
        )

    def _read_texts(self) -> None:
        parts: list[str] = []
        inside = phonetic = False
        length = 0

        def start(tag: str, _attributes: dict[str, str]) -> None:
            nonlocal inside, phonetic, length
            tag = tag.rpartition(":")[2]
            if tag == "si":
                parts.clear()
                length = 0
            phonetic = phonetic or tag == "rPh"
            inside = tag == "t" and not phonetic

        def end(tag: str) -> None:
            nonlocal inside, phonetic
            tag = tag.rpartition(":")[2]
            inside = False
            if tag == "rPh":
                phonetic = False
            if tag == "si":
                self.texts.add("".join(parts))

        def data(text: str) -> None:
            nonlocal length
            if inside:
                length += len(text)
                if length > LONGEST_CELL:
                    raise _long_cell()
                parts.append(text)

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
        for _piece in self._parse("xl/sharedStrings.xml", parser):
            pass

    def _rows(self, name: str) -> Iterator[bytes]:
        sheet = _Sheet(self.texts, self.dates, self.from_1904)
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = sheet.start
        parser.EndElementHandler = sheet.end
        parser.CharacterDataHandler = sheet.data
        for _piece in self._parse(name, parser):
            if content := sheet.taken():
                yield content.encode("utf-8", "replace")


def _long_cell() -> FileProblem:
    detail = _("A cell of this workbook is longer than %(most)d characters. Shorten it.")
    return FileProblem("long_cell", detail % {"most": LONGEST_CELL})


class _Texts:
    """Texts by number, in a file: a million of them need no memory but their places."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.places = array("Q", [0])
        self.at = lru_cache(maxsize=20_000)(self._at)

    def add(self, text: str) -> None:
        written = self.file.write(text.encode("utf-8", "replace"))
        self.places.append(self.places[-1] + written)

    def _at(self, number: int) -> str:
        if not 0 <= number < len(self.places) - 1:
            raise _damaged()
        self.file.seek(self.places[number])
        return self.file.read(self.places[number + 1] - self.places[number]).decode()


class _Sheet:
    """Handlers for the XML of a sheet; whole rows collect as CSV."""

    def __init__(self, texts: _Texts, dates: frozenset[int], from_1904: bool) -> None:
        self.texts, self.dates = texts, dates
        self.epoch = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)
        self.out = io.StringIO(newline="")
        self.writer = csv.writer(self.out, lineterminator="\n")
        self.row = 0
        self.cells: list[str] = []
        self.column = 0
        self.kind = ""
        self.style = 0
        self.parts: list[str] = []
        self.length = 0
        self.inside = False

    def taken(self) -> str:
        content = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return content

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "c":
            self._begin_cell(attributes)
        elif tag in ("v", "t"):
            self.inside = True
        elif tag == "rPh":
            self.inside = False
        elif tag == "row":
            number = int(attributes.get("r", self.row + 1))
            if not self.row < number <= MOST_ROWS:
                raise _damaged()
            self.out.write("\n" * (number - self.row - 1))  # so that rows keep the numbers that people see
            self.row, self.cells, self.column = number, [], 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        found = _CELL.fullmatch(attributes.get("r", ""))
        self.column = _column(found[1]) if found else self.column + 1
        self.kind = attributes.get("t", "n")
        self.style = int(attributes.get("s", 0))
        self.parts, self.length, self.inside = [], 0, False

    def data(self, text: str) -> None:
        if self.inside:
            self.length += len(text)
            if self.length > LONGEST_CELL:
                raise _long_cell()
            self.parts.append(text)

    def end(self, tag: str) -> None:
        tag = tag.rpartition(":")[2]
        if tag in ("v", "t"):
            self.inside = False
        elif tag == "c" and self.parts:
            if self.column <= len(self.cells):
                raise _damaged()
            if self.column > MOST_COLUMNS:
                detail = _("This file has more than %(most)d columns. Keep only those that describe the contact.")
                raise FileProblem("too_many_columns", detail % {"most": MOST_COLUMNS})
            self.cells += [""] * (self.column - 1 - len(self.cells))
            self.cells.append(self._value("".join(self.parts)))
            self.parts = []
        elif tag == "row":
            self.writer.writerow(self.cells) if any(self.cells) else self.out.write("\n")

    def _value(self, raw: str) -> str:
        match self.kind:
            case "s":
                return self.texts.at(int(raw))
            case "b":
                return "TRUE" if raw.strip() == "1" else "FALSE"
            case "n":
                return self._number(raw.strip())
            case _:
                return raw

    def _number(self, raw: str) -> str:
        """As people typed it: a whole number in full where the file holds all its digits, a date as a date."""
        try:
            number = Decimal(raw)
        except InvalidOperation:
            return raw
        if self.style in self.dates and 0 < number < 2_958_466:
            moment = self.epoch + timedelta(seconds=round(float(number) * 86_400))
            return moment.isoformat(sep=" ") if number % 1 else moment.date().isoformat()
        # Beyond 15 digits Excel itself has put zeros for what it could not keep.
        if number.is_finite() and -10 < number.adjusted() < 15 and number == number.to_integral_value():
            return str(number.quantize(Decimal(1)))
        return raw


@lru_cache(maxsize=20_000)
def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
