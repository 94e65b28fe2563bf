"""Workbooks for the tests of the import, as small as they can be, and as wrong as one likes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

WORKBOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
RELATIONS = '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>'
#: Style 1 shows a number as a date, 2 as a date by a format of its own.
STYLES = (
    '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd\\-mm\\-yyyy"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/></cellXfs></styleSheet>'
)


def text(value: str, at: str = "") -> str:
    return f'<c{f" r={quoteattr(at)}" if at else ""} t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def number(value: str, style: int = 0) -> str:
    return f'<c s="{style}"><v>{value}</v></c>'


def sheet(*rows: str) -> str:
    whole = [row if row.startswith("<row") else f"<row>{row}</row>" for row in rows]
    return f"<worksheet><sheetData>{''.join(whole)}</sheetData></worksheet>"


def book(content: str, shared: str = "", entries: Mapping[str, str | None] | None = None) -> bytes:
    """`entries` replace or, being None, remove what belongs into a workbook."""
    parts = {
        "xl/workbook.xml": WORKBOOK,
        "xl/_rels/workbook.xml.rels": RELATIONS,
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": shared or None,
        "xl/worksheets/sheet1.xml": content,
    } | dict(entries or {})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            if part is not None:
                archive.writestr(zipfile.ZipInfo(name), part, compress_type=zipfile.ZIP_DEFLATED)
    return out.getvalue()
