"""Files as people have them: what becomes of each row."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.imports import mapping, reader, reading, repair
from addressbook.imports.reader import FileProblem
from addressbook.models import Import
from lib import sheets

HEAD = b"phone,first name\r\n"


def opener(content: bytes):
    return lambda: io.BytesIO(content)


def results(content: bytes, *, country: str = "NL", fields: dict[str, int] | None = None) -> list[str]:
    """Per row the address, or the code of the reason; repaired ones with a mark."""
    shape = reader.inspect(opener(content))
    job = Import(
        delimiter=shape.delimiter,
        encoding=shape.encoding,
        columns=shape.columns,
        has_header=shape.has_header,
        mapping=fields or mapping.guess(shape.columns),
        default_country=country,
    )
    found = []
    rows = list(reader.rows(io.BytesIO(content), encoding=shape.encoding, delimiter=shape.delimiter))
    assert len(rows) - shape.has_header == shape.rows
    for number, cells in enumerate(rows[shape.has_header :]):
        row = reading.read(job, number, cells)
        if row.values is None:
            found.append(row.code)
            assert row.reason
        else:
            address = row.values.get("phone") or row.values["email"]
            name = f" {row.values['first_name']}" if "first_name" in row.values else ""
            found.append(("~" if row.notes else "") + address.value + name)
    return found


NL = "+31612345678"
NASTY = {
    "plain UTF-8": (HEAD + "+31612345678,Zoë\r\n".encode(), [NL + " Zoë"]),
    "UTF-8 with its mark": (b"\xef\xbb\xbf" + HEAD + "+31612345678,Zoë\r\n".encode(), [NL + " Zoë"]),
    "Windows-1252": (HEAD + "+31612345678,Zoë €\r\n".encode("cp1252"), [NL + " Zoë €"]),
    "UTF-16 as Excel writes it": ("phone\tfirst name\r\n+31612345678\tZoë\r\n".encode("utf-16"), [NL + " Zoë"]),
    "UTF-16 big-endian": (b"\xfe\xff" + "phone;first name\n+31612345678;Zoë\n".encode("utf-16-be"), [NL + " Zoë"]),
    "UTF-16 without a mark": ("phone,first name\n+31612345678,Ann\n".encode("utf-16-le"), [NL + " Ann"]),
    "semicolons, commas within": (
        b"phone;first name\n+31612345678;a, b\n0687654321;c\n",
        [NL + " a, b", "+31687654321 c"],
    ),
    "tabs": (b"phone\tfirst name\n+31612345678\tAnn\n", [NL + " Ann"]),
    "bars": (b"phone|first name\n+31612345678|Ann\n", [NL + " Ann"]),
    "Excel's sep line": (b"sep=;\r\nphone;first name\r\n+31612345678;Ann\r\n", [NL + " Ann"]),
    "old Mac line ends": (b"phone,first name\r+31612345678,Ann\r0687654321,Bo\r", [NL + " Ann", "+31687654321 Bo"]),
    "no line end at the end": (HEAD + b"0612345678,Ann", [NL + " Ann"]),
    "empty rows between": (HEAD + b"\r\n,\r\n0612345678,Ann\r\n  , \r\n\r\n", [NL + " Ann"]),
    "line break in quotes": (b'phone,first name\n+31612345678,"Ann\nMarie"\n', [NL + " Ann Marie"]),
    "doubled quotes": (b'phone,first name\n+31612345678,"Ann ""A"" B"\n', [NL + ' Ann "A" B']),
    "too few cells": (b"phone,first name,x\n0612345678\n", [NL]),
    "too many cells": (HEAD + b"0612345678,Ann,Bo\n0612345678,Ann,,\n", ["too_many_cells", NL + " Ann"]),
    "many writings of one number": (
        b"phone\n0612345678\n06-12345678\n+31 6 1234 5678\n0031612345678\n(06) 12 34 56 78\n+31 (0)6 12345678\n"
        b"tel:+31612345678\n06.12.34.56.78\n",
        [NL] * 8,
    ),
    "lost plus": (b"phone\n31612345678\n4915112345678\n", ["~" + NL, "~+4915112345678"]),
    "lost zero": (b"phone\n612345678\n", ["~" + NL]),
    "lost both, two readings": (
        b"phone\n15123456789\n4941234567\n4915112345678\n",
        ["ambiguous", "ambiguous", "~+4915112345678"],
        "DE",
    ),
    "shortened by the spreadsheet": (b'phone\n4.92E+11\n"3,16E+10"\n3.161234568E+10\n', ["digits_lost"] * 3),
    "exact in spite of the E": (b"phone\n3.1612345678E+10\n3.1612345678e10\n", ["~" + NL] * 2),
    "decimals": (b"phone\n31612345678.0\n31612345678.50\n", ["~" + NL, "decimals"]),
    "thousands": (b'phone,first name\n"31,612,345,678",Ann\n', ["~" + NL + " Ann"]),
    "apostrophes": ("phone\n'0612345678\n’0612345678\n'+31612345678\n".encode(), ["~" + NL, "~" + NL, NL]),
    "two numbers in one cell": (
        b'phone\n0612345678 / 0687654321\n0612345678;0687654321\n"0612345678, 0687654321"\n'
        b'0612345678 or 0687654321\n"0612345678\n0687654321"\n+31612345678 +31687654321\n0612345678 0687654321\n',
        ["two_numbers"] * 7,
    ),
    "an extension": (b"phone\n+31612345678 ext. 12\n+31612345678x12\n", ["extension"] * 2),
    "nothing in many words": (
        b"phone\nn/a\nN/A\n-\nonbekend\nNULL\n#N/A\nkeine\n",
        ["no_address"] * 7,
    ),
    "full-width and other digits": ("phone\n＋３１６１２３４５６７８\n٠٦١٢٣٤٥٦٧٨\n".encode(), [NL, NL]),
    "blanks that cannot be seen": (
        "phone\n\u00a006\u00a012345678\u00a0\n\u200e+31612345678\u202c\n".encode(),
        [NL, NL],
    ),
    "formulas": (
        b'phone\n"=""+31612345678"""\n=+31612345678\n=A1&B2\n"=HYPERLINK(""http://x"")"\n',
        ["~" + NL, "~" + NL, "formula", "formula"],
    ),
    "spreadsheet errors": (b"phone\n#NAME?\n#VALUE!\n########\n#REF!\n", ["spreadsheet_error"] * 4),
    "typing mistakes": (
        b"phone\n0612\n06123456789012\n0612345678a\n+999123456789\n",
        ["too_short", "too_long", "not_a_number", "not_a_number"],
    ),
    "national without a country": (
        b"phone\n0612345678\n31612345678\n+31612345678\n",
        ["no_country", "no_country", NL],
        "",
    ),
    "country of each row": (
        b"phone,land\n0612345678,NL\n0612345678,Frankreich\n0612345678,FRANCE\n06123456,Atlantis\n",
        [NL, "+33612345678", "+33612345678", "unknown_country"],
    ),
    "national in the United States": (
        b"phone\n(202) 555-0143\n1-202-555-0143\n2025550143\n",
        ["+12025550143"] * 3,
        "US",
    ),
    "e-mail addresses": (
        "e-mail\n Sanne@Example.ORG \nmailto:a@b.example\nSanne <s@b.example>\na@b.example; c@d.example\nsanne@\n"
        "no at sign\njo@münchen.example\n".encode(),
        [
            "sanne@example.org",
            "~a@b.example",
            "~s@b.example",
            "two_emails",
            "not_an_email",
            "not_an_email",
            "jo@xn--mnchen-3ya.example",
        ],
    ),
    "a good address does not hide a bad one": (
        b"phone,email\n0612,a@b.example\nn/a,a@b.example\n",
        ["too_short", "a@b.example"],
    ),
    "languages": (
        b"phone,taal\n0612345678,Nederlands\n0612345678,de-AT\n0612345678,\n0612345678,Klingon-ish\n",
        [NL, NL, NL, "unknown_language"],
    ),
    "names that look like nothing": (HEAD + b"0612345678,Null\n0612345678,None\n", [NL + " Null", NL + " None"]),
    "a very long name": (HEAD + b"0612345678," + b"x" * 101 + b"\n", ["too_long"]),
}


@pytest.mark.parametrize("name", NASTY)
def test_each_row_is_read_or_refused_for_its_reason(name):
    content, expected, *country = NASTY[name]
    assert results(content, country=country[0] if country else "NL") == expected


def test_a_file_without_header_is_read_by_what_it_holds():
    content = b"Ann,0612345678,a@b.example\nBo,0687654321,c@d.example\n"
    shape = reader.inspect(opener(content))
    rows = list(csv.reader(content.decode().splitlines()))
    assert not shape.has_header
    assert shape.rows == 2
    assert mapping.guess_from(rows) == {"phone": 1, "email": 2}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["Mobile", "First name", "Surname", "E-mail"], ["phone", "first_name", "last_name", "email"]),
        (["Handynummer", "Vorname", "Nachname", "Sprache"], ["phone", "first_name", "last_name", "language"]),
        (["Téléphone", "Prénom", "Nom", "Courriel", "Pays"], ["phone", "first_name", "last_name", "email", "country"]),
        (["Mobiel", "Voornaam", "Achternaam", "Land"], ["phone", "first_name", "last_name", "country"]),
        (["Móvil", "Nombre", "Apellidos", "Correo electrónico"], ["phone", "first_name", "last_name", "email"]),
        (["Cellulare", "Nome", "Cognome", "Lingua"], ["phone", "first_name", "last_name", "language"]),
        (["Telemóvel", "Primeiro nome", "Apelido", "País"], ["phone", "first_name", "last_name", "country"]),
        (["Telephone", "Mobile phone"], [None, "phone"]),
        (["PHONE_NUMBER", "Shoe size"], ["phone", None]),
    ],
)
def test_columns_are_known_by_their_names_in_seven_languages(columns, expected):
    assert mapping.guess(columns) == {field: n for n, field in enumerate(expected) if field}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\0" * 5000, "empty"),
        (b"PK\x03\x04" + bytes(range(256)) * 20, "binary"),
        (b"%PDF-1.7 some text\n" * 20, "binary"),
        (HEAD + b"0612345678,A\0nn\n", "binary"),
        (HEAD + b"0612345678,Ann\n" * 9000 + b"06\0,x\n", "binary"),
        (HEAD + b"x" * 200_000 + b"\n", "long_line"),
        (b",".join(b"c%d" % n for n in range(10_000)) + b"\n", "too_many_columns"),
        (HEAD + b'0612345678,"Ann\n' + b"0612345678,Bo\n" * 20_000, "open_quote"),
        ("phone,first name\n0612345678,Zoë Ünal Çelik\n".encode() + b"0687654321,\xe9\n", "unknown_charset"),
        (HEAD + b"0612345678,\x81\x8d\xff\n", "unknown_charset"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_reason(content, code):
    with pytest.raises(FileProblem) as problem:
        reader.inspect(opener(content))
    assert problem.value.code == code
    assert str(problem.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_a_problem(content):
    try:
        shape = reader.inspect(opener(content))
    except FileProblem:
        return
    rows = list(reader.rows(io.BytesIO(content), encoding=shape.encoding, delimiter=shape.delimiter))
    assert len(rows) == shape.rows + shape.has_header


_TEXT = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=12)


@given(
    st.lists(st.lists(_TEXT, min_size=2, max_size=4), min_size=1, max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_was_written_is_read_back(table, delimiter, encoding):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([["phone", "name"], *table])
    content = out.getvalue().encode(encoding)
    read = list(reader.rows(io.BytesIO(content), encoding=encoding, delimiter=delimiter))
    assert read[1:] == [row for row in table if any(cell.strip() for cell in row)]


@given(st.text(max_size=60))
def test_any_cell_is_an_address_or_a_problem_with_a_remedy(cell):
    for read in (lambda: repair.phone(cell, country="NL"), lambda: repair.phone(cell), lambda: repair.email(cell)):
        try:
            found = read()
        except repair.CellProblem as refusal:
            said = refusal
        else:
            said = found.value.value if found.value else None
        assert said is None or str(said)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_what_we_export_is_read_back_unchanged(value):
    assert repair.text(sheets.guarded(value)) == repair.text(value)
