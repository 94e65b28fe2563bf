"""The opt-out line: an override that would leave nobody a way out is refused when it is saved."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optout import destinations, lines
from optout.lines import InvalidLine, check, check_override, fill, place

PLATFORM = [
    (language, method, text)
    for language, texts in tomllib.loads((destinations.DATA / "texts.toml").read_text("utf-8")).items()
    for method, text in texts.items()
]


@pytest.mark.parametrize(("language", "method", "text"), PLATFORM)
def test_every_line_of_the_platform_shows_its_way_out(language, method, text):
    check(text, method=method)


@pytest.mark.parametrize("method", lines.LAST_RESORT)
def test_the_last_resort_shows_its_way_out(method):
    check(lines.LAST_RESORT[method], method=method)


@pytest.mark.parametrize(
    ("text", "method", "code"),
    [
        ("", "link", "empty"),
        ("  ", "reply", "empty"),
        ("Stop?", "link", "missing_placeholder"),
        ("Stop: {code}", "link", "missing_placeholder"),
        ("Stop: {link} {code}", "link", "wrong_placeholder"),
        ("Text {keyword}", "reply", "missing_placeholder"),
        ("Stop: {link}", "reply", "missing_placeholder"),
        ("Text {keyword} to {code} {link}", "reply", "wrong_placeholder"),
        ("Stop: {link}", "email", None),
        ("Stop", "email", "missing_placeholder"),
        ("Stop: {Link}", "link", "unknown_placeholder"),
        ("Stop: {link} {first_name}", "link", "unknown_placeholder"),
        ("Stop:\n{link}", "link", "control_character"),
        ("Stop: {link}\x00", "link", "control_character"),
        ("Stop: {link}" + "x" * 160, "link", "too_long"),
        ("{company}: text {keyword} to {code}", "reply", None),
    ],
)
def test_a_line_is_checked_against_its_method(text, method, code):
    if code is None:
        check(text, method=method)
        return
    with pytest.raises(InvalidLine) as refused:
        check(text, method=method)
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["Stop: {link}", "Text {keyword} to {code}"])
def test_a_campaign_s_own_line_fits_one_method(text):
    check_override(text)


@pytest.mark.parametrize("text", ["Stop", "{link} {code}", ""])
def test_a_campaign_s_own_line_without_a_way_out_is_refused(text):
    with pytest.raises(InvalidLine):
        check_override(text)


@given(st.text(st.characters(codec=None), max_size=200), st.sampled_from(list(lines.NEEDED)))
def test_whatever_passes_the_check_shows_its_way_out_when_filled(text, method):
    try:
        check(text, method=method)
    except InvalidLine:
        return
    filled = fill(text, company="Acme", code="36179", keyword="STOP", link="no-s.ms/7K3QXPA")
    assert ("36179" if method == "reply" else "no-s.ms/7K3QXPA") in filled


@given(st.text(max_size=20), st.text(max_size=20))
def test_values_are_never_expanded_again(company, keyword):
    filled = fill("{company}|{keyword}", company=company, code="36179", keyword=keyword, link="L")

    assert filled == f"{company}|{keyword}"


def test_a_company_called_like_a_placeholder_stays_a_name():
    assert fill("{company}: {link}", company="{link}", code="", keyword="", link="L") == "{link}: L"


def test_the_line_goes_to_its_place_or_to_the_end():
    assert place("Sale", "Stop: L") == "Sale\nStop: L"
    assert place("{opt_out} Sale", "Stop: L") == "Stop: L Sale"
