from __future__ import annotations

import csv
import io

import pytest

from lib import sheets

RISKY = [
    "=1+1", "+31612345678", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\xa0=1", "a\n=1", "a\r\n+1", "a\r @x",
    "'=1", "''+1", "' =1", "＝1", "\tplain", "\n", "'\tx", "-", "=", "a\n'=1\n=2",
]  # fmt: skip
HARMLESS = ["", "Sanne", "a=b", "O'Neill", "'s-Gravenhage", "1-2", "a\nb", "mail@example.org", "  x", "émilie"]


@pytest.mark.parametrize("text", RISKY)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe_before_it(text):
    assert sheets.guarded(text) != text
    for line in sheets.guarded(text).replace("\r", "\n").split("\n"):
        assert not line.strip(" \xa0\t").startswith(("=", "+", "-", "@", "＝"))


@pytest.mark.parametrize("text", RISKY + HARMLESS)
def test_a_guarded_cell_reads_back_unchanged(text):
    assert sheets.plain(sheets.guarded(text)) == text


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_left_alone(text):
    assert sheets.guarded(text) == text


def test_the_file_begins_with_the_mark_of_utf_8_and_quotes_what_needs_it():
    text = "".join(sheets.lines(["name", "note"], [["Émilie", 'says "no", twice'], [None, 3]]))
    assert text.startswith("\ufeff")
    assert list(csv.reader(io.StringIO(text[1:]))) == [["name", "note"], ["Émilie", 'says "no", twice'], ["", "3"]]


def test_rows_are_read_only_when_they_are_sent():
    lines = sheets.lines(["n"], ([n] for n in iter(int, 1)))
    assert next(lines).startswith("\ufeff")
    assert next(lines) == "0\r\n"
