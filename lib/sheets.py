"""CSV that a spreadsheet opens as text, streamed row by row.

A cell that begins like a formula would be run by the program that opens it (OWASP: CSV
injection), so an apostrophe is put before it; `plain` takes exactly that one away again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.text import get_valid_filename

# Blanks and apostrophes before the sign count too: programs trim the first, and a cell that
# itself begins with an apostrophe must stay distinguishable from one that we guarded.
_FORMULA = r"(?:[^\S\r\n]|')*[=+\-@＝＋－＠]"
_BREAK = r"'*[\t\r\n]"
_RISKY = re.compile(rf"\A(?={_BREAK})|(?:\A|(?<=[\r\n]))(?={_FORMULA})")
_GUARDED = re.compile(rf"\A'(?={_BREAK})|(?:\A|(?<=[\r\n]))'(?={_FORMULA})")


def guarded(text: str) -> str:
    """The text, harmless in a spreadsheet."""
    return _RISKY.sub("'", text)


def plain(text: str) -> str:
    """What `guarded` was given."""
    return _GUARDED.sub("", text)


class _Line:
    """What csv.writer writes to: hands each line back."""

    def write(self, line: str) -> str:
        return line


def lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file, line by line; begins with the mark by which spreadsheets know UTF-8."""
    writer = csv.writer(_Line())
    yield "\ufeff" + writer.writerow([guarded(str(name)) for name in header])
    for row in rows:
        yield writer.writerow([guarded("" if cell is None else str(cell)) for cell in row])


def response(file_name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download that takes no more memory for a million rows than for one."""
    answer = StreamingHttpResponse(lines(header, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{get_valid_filename(file_name)}"'
    return answer
