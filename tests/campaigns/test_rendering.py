"""Merge fields: a closed list, one pass, nothing expanded twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rendering import Template, UnknownField

LINE = "Stop: no-s.ms/7K3QXPA"


def render(body, **values):
    return Template.parse(body).render(values, opt_out=LINE)


@pytest.mark.parametrize(
    ("body", "values", "text"),
    [
        ("Hi {first_name}", {"first_name": "Sanne"}, f"Hi Sanne\n{LINE}"),
        ("Hi {first_name|there}", {"first_name": ""}, f"Hi there\n{LINE}"),
        ("Hi {first_name|there}", {"first_name": "   "}, f"Hi there\n{LINE}"),
        ("Hi {first_name}!", {}, f"Hi !\n{LINE}"),
        ("{attr.city|your town}", {"attr.city": "Utrecht"}, f"Utrecht\n{LINE}"),
        ("{opt_out}\nSale", {}, f"{LINE}\nSale"),
        ("{opt_out} and {opt_out}", {}, f"{LINE} and {LINE}"),
        ("100 % {off", {}, f"100 % {{off\n{LINE}"),
        ("{}", {}, f"{{}}\n{LINE}"),
    ],
)
def test_texts(body, values, text):
    assert render(body, **values) == text


@pytest.mark.parametrize("name", ["{last_name}", "{opt_out}", "{first_name|x}", "{link}", "{0}", "%s"])
def test_a_name_is_never_expanded(name):
    assert render("Hi {first_name}", first_name=name) == f"Hi {name}\n{LINE}"


def test_a_name_cannot_start_a_new_line():
    assert render("Hi {first_name}, sale", first_name="A\nB\u2028C\x00D").startswith("Hi A B C D, sale")


def test_a_name_cannot_take_the_place_of_the_line():
    assert render("Hi {first_name}", first_name="{opt_out}").endswith(LINE)


@pytest.mark.parametrize("body", ["{frist_name}", "{link}", "{attr.}", "{First_name}", "{first_name.x}"])
def test_an_unknown_field_is_named(body):
    with pytest.raises(UnknownField) as told:
        Template.parse(f"Hi {body}")
    assert body in str(told.value)


def test_a_transactional_text_has_no_place_for_the_line():
    with pytest.raises(UnknownField):
        Template.parse("{opt_out}", category="transactional")


def test_without_a_line_nothing_is_added():
    assert Template.parse("Your code is 1234").render({}, opt_out=None) == "Your code is 1234"


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_refused_and_keeps_its_line(body):
    try:
        template = Template.parse(body)
    except UnknownField:
        return
    assert LINE in template.render({}, opt_out=LINE)


@given(st.text(max_size=120))
def test_any_name_leaves_text_and_line_whole(name):
    text = render("Hi {first_name|there}, sale", first_name=name)
    assert text.startswith("Hi ")
    assert text.endswith(f", sale\n{LINE}")
    assert text.count("\n") == 1
