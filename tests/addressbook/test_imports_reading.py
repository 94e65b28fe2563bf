"""The reader and the guesses; what becomes of whole files is in test_import_files.py."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.imports import mapping, reader, repair
from addressbook.imports.reader import FileProblem
from lib import sheets

HEAD = b"phone,first name\r\n"


def opener(content: bytes):
    return lambda: io.BytesIO(content)


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
