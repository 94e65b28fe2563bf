"""GSM-7 with its extension table, else UCS-2; 160/153 and 70/67."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.segments import BASIC, EXTENSION, measure, non_gsm

GRINNING = "\U0001f600"


@pytest.mark.parametrize(
    ("text", "encoding", "characters", "segments"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 159 + "€", "GSM-7", 161, 2),
        # An escape pair is not split: 152 + € does not fit into 153, and the pair moves on.
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 305, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),
        ("\n\r é£", "GSM-7", 5, 1),
        ("ç", "UCS-2", 1, 1),
        ("Ç", "GSM-7", 1, 1),
        ("я" * 70, "UCS-2", 70, 1),
        ("я" * 71, "UCS-2", 71, 2),
        ("я" * 134, "UCS-2", 134, 2),
        ("я" * 135, "UCS-2", 135, 3),
        (GRINNING, "UCS-2", 2, 1),
        (GRINNING * 35, "UCS-2", 70, 1),
        (GRINNING * 36, "UCS-2", 72, 2),
        # 67 is odd, so a part holds 33 pairs.
        (GRINNING * 66, "UCS-2", 132, 2),
        (GRINNING * 67, "UCS-2", 134, 3),
        # e + combining acute arrives as é, which GSM-7 has.
        ("e\u0301", "GSM-7", 1, 1),
        ("\ud800", "UCS-2", 1, 1),
        ("\x00", "UCS-2", 1, 1),
    ],
)
def test_known_sizes(text, encoding, characters, segments):
    size = measure(text)

    assert (size.encoding, size.characters, size.segments) == (encoding, characters, segments)


def test_the_alphabet_is_128_septets_with_the_escape():
    assert len(BASIC) == len(set(BASIC)) == 127
    assert not set(BASIC) & set(EXTENSION)


@given(st.text(st.characters(codec=None), max_size=700))
def test_any_text_has_a_size_that_holds_it(text):
    size = measure(text)

    single, part = (160, 153) if size.encoding == "GSM-7" else (70, 67)
    assert size.per_segment == (single if size.segments == 1 else part)
    assert size.left >= 0
    assert size.characters + size.left <= size.segments * size.per_segment
    # A part wastes at most one septet or unit, where a pair did not fit.
    assert size.segments <= max(1, math.ceil(size.characters / (part - 1)))


@given(st.text(st.sampled_from(BASIC + EXTENSION), max_size=400))
def test_text_of_the_alphabet_needs_no_other(text):
    assert measure(text).encoding == "GSM-7"
    assert non_gsm(text) == {}


@given(st.text(max_size=60))
def test_what_forces_the_larger_encoding_is_named(text):
    assert (measure(text).encoding == "UCS-2") == bool(non_gsm(text))


@given(st.text(st.characters(codec=None), max_size=80))
def test_every_replacement_is_in_the_alphabet(text):
    for replacement in non_gsm(text).values():
        assert replacement is None or measure(replacement).encoding == "GSM-7"


def test_typographic_quotes_have_plain_ones():
    assert non_gsm("it’s – “so”") == {"’": "'", "–": "-", "“": '"', "”": '"'}
