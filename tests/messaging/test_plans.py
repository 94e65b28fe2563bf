"""The compiled plans say nothing that `phonenumbers` does not say."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import plans
from messaging.addresses import Address

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def by_the_library(text: str, country: str) -> tuple[str, str | None] | None:
    text = "+" + text[2:] if text.startswith("00") else text
    try:
        number = phonenumbers.parse(text, country or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164, phonenumbers.region_code_for_number(number)


@pytest.mark.parametrize("kind", [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
def test_an_example_of_every_region_is_read_as_by_the_library(kind):
    answered = 0
    for region in REGIONS:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        national = "0" + e164[1 + len(str(example.country_code)) :]
        for text, country in ((e164, ""), ("00" + e164[1:], "DE"), (national, region), (national, "FR")):
            found = plans.valid(text, country)
            answered += found is not None
            assert found is None or found == by_the_library(text, country), (text, country)
    assert answered > len(REGIONS)


@given(st.from_regex(r"(\+|00|0)[1-9][0-9]{4,13}", fullmatch=True), st.sampled_from(["", *REGIONS]))
def test_any_digits_are_read_as_by_the_library_or_left_to_it(text, country):
    found = plans.valid(text, country)
    assert found is None or found == by_the_library(text, country)


@given(st.text(max_size=20))
def test_any_text_is_left_to_the_library(text):
    found = plans.valid(text, "NL")
    assert found is None or found == by_the_library(text, "NL")


@pytest.mark.parametrize("kind", sorted(phonenumbers.PhoneNumberType.values()))
def test_landlines_are_those_of_the_library(kind):
    for region in REGIONS:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None or not phonenumbers.is_valid_number(example):
            continue
        landline = phonenumbers.number_type(example) == phonenumbers.PhoneNumberType.FIXED_LINE
        address = Address("sms", phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
        assert address.is_landline == landline, address.value
        assert (address.country, address.is_landline) == address.plan
