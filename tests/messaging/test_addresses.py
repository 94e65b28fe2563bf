"""One canonical form per address; any text is either that or a clear refusal."""

from __future__ import annotations

import hmac

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from messaging.addresses import Address, InvalidAddress, display, parse, parse_email, parse_phone

KEY = b"digest key of this test"
ANY_TEXT = st.text(st.characters(codec=None), max_size=300)
COUNTRIES = st.none() | st.sampled_from(["NL", "GB", "MX", "nl", "", "XX", "NLD", "ZZ", "001"])
EXAMPLES = {
    region: number
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE))
}


@pytest.mark.parametrize("key", [b"", KEY, b"k" * 64, b"k" * 100])
def test_the_digest_is_hmac_sha_256_of_channel_and_identity(key):
    expected = hmac.digest(key, b"sms:+31612345678", "sha256")
    assert Address("sms", "+31612345678").digest(key) == expected


def digest(text: str, country: str | None = None) -> bytes:
    return parse(text, default_country=country).digest(KEY)


@given(ANY_TEXT, COUNTRIES)
@example("\x00", None)
@example("\ud800@example.org", None)
@example("a@" + "b" * 70 + ".org", None)
@example("a@" + "." * 300, None)
@example("a@\ud800.org", None)
@example("+" * 60, "NL")
@example("٠" * 20, "NL")
@example("00", "NL")
@example("tel:", "NL")
@example("1" * 1_000_000, "NL")
@example("+1" + "0" * 62, None)
def test_any_text_is_an_address_or_refused_with_a_reason(text, country):
    try:
        address = parse(text, default_country=country)
    except InvalidAddress as refused:
        problem = refused
    else:
        assert parse(address.value) == address
        assert address.digest(KEY) == parse(address.value).digest(KEY)
        return
    assert problem.code
    assert str(problem)
    assert "\x00" not in str(problem)


@given(st.text(st.sampled_from("0123456789+ -()./٠١٢３４'’\u200e\u00a0tel:xe,;"), max_size=40), COUNTRIES)
def test_anything_like_a_number_is_e164_or_refused(text, country):
    try:
        address = parse_phone(text, default_country=country)
    except InvalidAddress:
        return
    assert address.channel == "sms"
    assert address.value.startswith("+")
    assert address.value[1:].isascii()
    assert address.value[1:].isdigit()
    assert 8 <= len(address.value) <= 16


@pytest.mark.parametrize(
    "written",
    [
        "+31612345678",
        "+31 6 12345678",
        "0031612345678",
        "06 12345678",
        "06-1234 5678",
        "(06) 12 34 56 78",
        "06.12.34.56.78",
        "+31 (0)6 12345678",
        "0031 (0)6 12345678",
        "+31(0)612345678",
        "tel:+31-6-12345678",
        "'0612345678",
        "’0612345678",
        "０６１２３４５６７８",
        "＋３１６１２３４５６７８",
        "٠٦١٢٣٤٥٦٧٨",
        "۰۶۱۲۳۴۵۶۷۸",
        "\u202a+31612345678\u202c",
        "\ufeff06\u00a012345678",
        "  0612345678\t",
        "06‑12345678",
        "06–12345678",
    ],
)
def test_every_usual_writing_of_a_number_is_that_number(written):
    assert parse_phone(written, default_country="NL") == Address("sms", "+31612345678")


@pytest.mark.parametrize("region", EXAMPLES)
def test_every_country_s_mobiles_are_read_national_and_international(region):
    number = EXAMPLES[region]
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    international = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)

    assert parse_phone(e164).value == e164
    assert digest(international) == digest(e164)
    assert digest(national, region) == digest(e164)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+5215512345678", "+525512345678"),
        ("+52 1 55 1234 5678", "+52 55 1234 5678"),
        ("+5491123456789", "+541123456789"),
        ("+54 9 11 2345-6789", "+54 11 2345-6789"),
        ("+2290195123456", "+22995123456"),
    ],
)
def test_an_old_and_a_new_writing_are_one_person(one, other):
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+55 11 96123-4567", "+55 11 6123-4567"),
        ("+55 21 98765-4321", "+55 21 8765-4321"),
    ],
)
def test_a_brazilian_mobile_with_and_without_its_ninth_digit_is_one_person(one, other):
    assert digest(one) == digest(other)


def test_neighbours_are_different_people():
    assert digest("+31612345678") != digest("+31612345679")
    assert digest("+525512345678") != digest("+525512345679")


def test_a_phone_and_an_email_never_share_a_digest():
    assert Address("sms", "x").digest(KEY) != Address("email", "x").digest(KEY)


def test_a_digest_needs_its_key():
    assert parse("+31612345678").digest(KEY) != parse("+31612345678").digest(b"another")


@pytest.mark.parametrize(
    ("text", "country", "code"),
    [
        ("", None, "empty"),
        ("   ", "NL", "empty"),
        ("0612345678", None, "no_country"),
        ("0612345678", "XX", "unknown_country"),
        ("call me", "NL", "not_a_number"),
        ("+31 6 123", None, "too_short"),
        ("+31 6 1234567890123", None, "too_long"),
        ("+999 123456789", None, "not_a_number"),
        ("4.92E+11", "DE", "not_a_number"),
        ("9" * 65, "NL", "too_many_characters"),
    ],
)
def test_a_refusal_says_which_mistake(text, country, code):
    with pytest.raises(InvalidAddress) as refused:
        parse_phone(text, default_country=country)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("Jo@Example.ORG", "jo@example.org"),
        (" jo@example.org ", "jo@example.org"),
        ("jo@bücher.example", "jo@xn--bcher-kva.example"),
        ("jo+tag@sub.example.org", "jo+tag@sub.example.org"),
        ("o'neil@example.org", "o'neil@example.org"),
    ],
)
def test_an_email_address_has_one_form(written, value):
    assert parse(written) == Address("email", value)


@pytest.mark.parametrize(
    "text",
    [
        "@",
        "jo@",
        "@example.org",
        "jo@example",
        "jo@@example.org",
        ".jo@example.org",
        "jo.@example.org",
        "j..o@example.org",
        "jo@-example.org",
        "jo@example..org",
        "jo b@example.org",
        "jo\r\nBcc: x@example.org",
        "<jo@example.org>",
        "jo@example.org, mia@example.org",
        "a" * 65 + "@example.org",
        "jo@" + "a." * 130 + "org",
        "jo\x00@example.org",
    ],
)
def test_what_is_no_email_address_is_refused(text):
    with pytest.raises(InvalidAddress):
        parse_email(text)


def test_the_country_follows_the_number():
    assert parse("+33612345678").country == "FR"
    assert parse("jo@example.org").country == ""


@given(ANY_TEXT)
def test_anything_can_be_displayed(text):
    display(text)


def test_a_number_is_displayed_for_people():
    assert display("+31612345678") == "+31 6 12345678"
