"""Bytes to rows: character set, delimiter, header; streamed, with limits before anything is stored."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.utils.translation import gettext as _

MEGABYTE = 1024 * 1024
LARGEST_FILE = 1024 * MEGABYTE
MOST_COLUMNS = 200
MOST_ROWS = 5_000_000
LONGEST_LINE = 128 * 1024
DELIMITERS = ",;\t|"
SAMPLE = 64 * 1024
UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
CHARSETS = {"utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}

csv.field_size_limit(LONGEST_LINE)


class FileProblem(ValueError):
    """This file cannot be read; the message says what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Shape:
    """What the file turned out to be."""

    encoding: str
    delimiter: str
    has_header: bool
    columns: list[str]
    rows: int


def inspect(open_file: Callable[[], BinaryIO], *, known: tuple[str, str] | None = None) -> Shape:
    """Reads the file once from end to end, so that the import will not stumble. Raises FileProblem.

    `known` are character set and delimiter of a file that we wrote ourselves.
    """
    with open_file() as stream:
        head = stream.read(SAMPLE)
    if not head.strip(b"\0 \t\r\n,;" + codecs.BOM_UTF8 + codecs.BOM_UTF16_LE):
        raise FileProblem("empty", _("This file is empty. Choose a file with one contact per row."))
    if known:
        encoding, delimiter = known
    else:
        encoding = _encoding(head, open_file)
        delimiter = _delimiter(_sample(head, encoding))
    width, count, first = 0, 0, None
    with open_file() as stream:
        for row in rows(stream, encoding=encoding, delimiter=delimiter):
            first = row if first is None else first
            width = max(width, len(row))
            count += 1
            if width > MOST_COLUMNS:
                detail = _("This file has more than %(most)d columns. Keep only those that describe the contact.")
                raise FileProblem("too_many_columns", detail % {"most": MOST_COLUMNS})
            if count > MOST_ROWS:
                detail = _("This file has more than %(most)d rows. Split it into several files.")
                raise FileProblem("too_many_rows", detail % {"most": MOST_ROWS})
    if first is None:
        raise FileProblem("empty", _("This file is empty. Choose a file with one contact per row."))
    has_header = looks_like_header(first)
    columns = [cell.strip()[:100] for cell in first] if has_header else [""] * width
    while has_header and len(columns) > 1 and not columns[-1]:
        columns.pop()
    return Shape(encoding, delimiter, has_header, columns, count - has_header)


def rows(stream: BinaryIO, *, encoding: str, delimiter: str) -> Iterator[list[str]]:
    """The rows that have anything in them, one by one. Raises FileProblem."""
    for _number, row in numbered_rows(stream, encoding=encoding, delimiter=delimiter):
        yield row


def numbered_rows(stream: BinaryIO, *, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """With the number that a spreadsheet shows beside the row: empty ones count, line breaks within cells do not."""
    text = io.TextIOWrapper(stream, encoding=encoding, newline="")
    number = 0
    try:
        for row in csv.reader(_lines(text), delimiter=delimiter, strict=False):
            number += 1
            if any(cell and not cell.isspace() for cell in row):
                yield number, row
    except csv.Error as problem:
        detail = _("Near row %(row)d a value does not end. Look for a quotation mark that is opened and never closed.")
        raise FileProblem("open_quote", detail % {"row": number + 1}) from problem
    except UnicodeError as problem:
        raise _unknown_charset() from problem
    finally:
        text.detach()


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    first = True
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            detail = _(
                "A line of this file is longer than %(most)d characters. Is it a CSV file with one row per line?"
            )
            raise FileProblem("long_line", detail % {"most": LONGEST_LINE})
        if "\0" in line:
            raise _binary()
        if first:
            first = False
            line = line.removeprefix("\ufeff")
            if re.fullmatch(r"sep=.\s*", line, re.IGNORECASE):  # Excel's own directive
                continue
        yield line


def _binary() -> FileProblem:
    return FileProblem(
        "binary", _("This is not a text file. In your spreadsheet choose “Save as … CSV UTF-8” and upload that file.")
    )


def _unknown_charset() -> FileProblem:
    return FileProblem(
        "unknown_charset",
        _("The file's character set is not known, or several are mixed. Save it as “CSV UTF-8” and upload it again."),
    )


def _encoding(head: bytes, open_file: Callable[[], BinaryIO]) -> str:
    for mark, name in UTF16.items():
        if head.startswith(mark):
            return name
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise FileProblem(
            "old_workbook",
            _("This workbook is of an old kind or has a password. Save it as XLSX without one, or as “CSV UTF-8”."),
        )
    zeros = {name: head[start::2].count(0) for start, name in ((1, "utf-16-le"), (0, "utf-16-be"))}
    if any(zeros.values()):
        name = max(zeros, key=lambda n: zeros[n])
        # Western text in UTF-16 has a zero in every second byte and none in the others.
        if zeros[name] > 0.7 * (len(head) // 2) and min(zeros.values()) == 0:
            return name
        raise _binary()
    if head.startswith((b"PK\x03\x04", b"%PDF", b"\x1f\x8b")):
        raise _binary()
    if _decodes(open_file, "utf-8"):
        return "utf-8"
    if _mostly_utf8(open_file) or not _decodes(open_file, "cp1252"):
        raise _unknown_charset()
    return "cp1252"


def _decodes(open_file: Callable[[], BinaryIO], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_file() as stream:
        try:
            while piece := stream.read(MEGABYTE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _mostly_utf8(open_file: Callable[[], BinaryIO]) -> bool:
    """UTF-8 with some broken places: another character set would turn every umlaut into two signs."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    broken = whole = 0
    with open_file() as stream:
        while piece := stream.read(MEGABYTE):
            text = decoder.decode(piece)
            bad = text.count("\ufffd")
            broken += bad
            whole += len(text) - len(text.encode("ascii", "ignore")) - bad
    return whole >= broken


def _sample(head: bytes, encoding: str) -> list[str]:
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head).removeprefix("\ufeff")
    lines = io.StringIO(text, newline="").readlines()
    if len(head) == SAMPLE and len(lines) > 1:
        lines.pop()
    return lines


def _delimiter(sample: list[str]) -> str:
    """The one that cuts most rows into the same number of cells, more than one."""
    if sample and (found := re.fullmatch(r"sep=(.)\s*", sample[0], re.IGNORECASE)) and found[1] in DELIMITERS:
        return found[1]

    def regularity(delimiter: str) -> tuple[float, int]:
        try:
            widths = Counter(len(row) for row in csv.reader(sample, delimiter=delimiter) if any(row))
        except csv.Error:
            return 0, 0
        width, times = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        return (times / widths.total(), width) if width > 1 else (0, 0)

    best = max(DELIMITERS, key=regularity)
    return best if regularity(best) > (0, 0) else ","


def looks_like_header(row: list[str]) -> bool:
    """Names of columns, not a contact: no cell with an @ or five digits."""
    filled = [cell for cell in row if cell.strip()]
    return bool(filled) and not any("@" in cell or sum(c.isdigit() for c in cell) >= 5 for cell in filled)
