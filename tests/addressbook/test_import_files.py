"""The corpus: files as people and providers have them, each with what must become of every row.

Beside each file of `files/` stands what is expected of it (NAME.json): the rows, or the
code of the reason why the whole file is refused.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from addressbook.imports import mapping, reader, reading, workbook
from addressbook.imports.reader import FileProblem
from addressbook.models import Import
from messaging.addresses import Address

FILES = sorted(path for path in (Path(__file__).parent / "files").iterdir() if path.suffix != ".json")


def read(path: Path, *, country: str, kind: str) -> list[dict[str, Any]]:
    """What the wizard makes of the file when nobody corrects its guesses."""
    content = path.read_bytes()
    is_book = workbook.is_workbook(content[:4])
    if is_book:
        with path.open("rb") as file:
            content = b"".join(workbook.as_csv(file))
    shape = reader.inspect(lambda: _opened(content), known=("utf-8", ",") if is_book else None)
    first = list(reader.rows(_opened(content), encoding=shape.encoding, delimiter=shape.delimiter))[:6]
    job = Import(
        kind=kind,
        encoding=shape.encoding,
        delimiter=shape.delimiter,
        columns=shape.columns,
        has_header=shape.has_header,
        default_country=country,
        mapping=mapping.guess(shape.columns, opt_outs=kind == "opt_outs")
        or mapping.guess_from(first[shape.has_header :]),
    )
    rows = list(reader.numbered_rows(_opened(content), encoding=shape.encoding, delimiter=shape.delimiter))
    assert len(rows) - shape.has_header == shape.rows
    return [_told(reading.RowReader(job).read(*row)) for row in rows[shape.has_header :]]


def _opened(content: bytes) -> Any:
    return io.BytesIO(content)


def _told(row: reading.Row) -> dict[str, Any]:
    if row.values is None:
        assert row.reason
        return {"row": row.number, "rejected": row.code}
    told: dict[str, Any] = {"row": row.number}
    for name, value in row.values.items():
        if value is not None:
            told[name] = value.value if isinstance(value, Address) else value
    if "when" in told:
        told["when"] = told["when"].isoformat()
    if row.notes:
        told["mended"] = sorted(row.notes)
    return told


def test_the_corpus_has_sixty_files_and_each_its_result():
    assert len(FILES) >= 60
    assert all(Path(f"{path}.json").exists() for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_read_row_for_row_as_it_must_be(path):
    expected = json.loads(Path(f"{path}.json").read_text())
    asked = {"country": expected.get("country", "NL"), "kind": expected.get("kind", "contacts")}
    if "refused" in expected:
        with pytest.raises(FileProblem) as problem:
            read(path, **asked)
        assert problem.value.code == expected["refused"]
        assert str(problem.value)
    else:
        assert read(path, **asked) == expected["rows"]
