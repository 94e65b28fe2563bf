"""Placeholders of transactional templates: what a filled text may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import placeholders
from campaigns.placeholders import BadText

PARCEL = "Hi {name|there}, order {order} is on its way: {tracking}"


def _fits(template: str, text: str, *linking: str) -> bool:
    return placeholders.fits(template, text, linking=linking)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your code is {code}. {opt_out}", "opt_out"),
        ("Your code is {", "brace"),
        ("Your code is { code }", "brace"),
        ("Your code is {code}}", "brace"),
        ("{text}", "no_words"),
        ("{a} - {b}: {c}!", "no_words"),
        ("Your code is {host}{path}", "adjacent"),
        ("Your code is " + " - ".join(f"{{p{n}}}" for n in range(21)), "too_many"),
    ],
)
def test_a_template_that_binds_nothing_is_refused(text, code):
    with pytest.raises(BadText) as problem:
        placeholders.parse(text)
    assert problem.value.code == code


def test_values_are_put_in_and_never_expanded_again():
    assert placeholders.filled("Code {a} for {b}", {"a": "{b}", "b": "Sanne"}) == "Code {b} for Sanne"


def test_a_fallback_stands_in_for_a_value():
    assert placeholders.filled("Hi {name|there}", {}) == "Hi there"
    assert placeholders.missing("Hi {name|there}, {code}", {"name": " "}) == ["code"]


def test_a_text_fits_its_template_from_beginning_to_end():
    assert _fits("Your code is {code}.", "Your code is 1234.")
    assert not _fits("Your code is {code}.", "Your code is 1234. Half price today!")
    assert not _fits("Your code is {code}.", "Sale! Your code is 1234.")
    assert not _fits("Your code is {code}.", "your code is 1234.")
    assert not _fits("Your code is {code}.", "Your code is .")
    assert _fits("Thank you.", "Thank you.")
    assert not _fits("Thank you.", "Thank you")


def test_a_value_has_at_most_200_characters():
    assert _fits("Code {code}", "Code " + "9" * 200)
    assert not _fits("Code {code}", "Code " + "9" * 201)


def test_a_value_stays_on_its_line():
    assert not _fits("Code {code}", "Code 12\n34")
    assert _fits("Code {code}\nAcme", "Code 12\nAcme")


@pytest.mark.parametrize("link", ["https://a.example/x", "www.acme.example", "bit.ly/x", "ACME.NL", "//acme。com"])
def test_a_link_passes_only_where_the_template_says_so(link):
    text = f"Hi Sanne, order 17 is on its way: {link}"
    assert _fits(PARCEL, text, "tracking")
    assert not _fits(PARCEL, text)
    assert not _fits(PARCEL, text, "order")


def test_the_reading_that_keeps_the_rules_is_found_among_several():
    assert _fits("See {a} {b} {c}", "See x y https://a.example/z 1 2", "b")
    assert not _fits("See {a} {b} {c}", "See x y https://a.example/z 1 https://b.example 2", "a")


def test_the_worst_text_is_read_in_one_pass():
    template = "Words " + " ".join(f"{{p{n}}}" for n in range(20)) + " end"
    assert not _fits(template, "Words " + "a " * 4_990 + "x")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=60)))
def test_what_a_template_makes_fits_it(found):
    values = {f"p{n}": value for n, value in enumerate(found[:5])}
    possible = {
        name: value
        for name, value in values.items()
        if value.strip() and not placeholders.problem(value, may_link=False)[0]
    }
    template = "Dear all, " + " / ".join(f"{{{name}}}" for name in possible) + "."
    assert _fits(template, placeholders.filled(template, possible))
