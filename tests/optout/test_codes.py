"""The path of an opt-out link: short, forgiving to type, never shared, never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optout.codes import ALPHABET, TAG_LENGTH, Codes

CODES = Codes(b"a link key of this test")
OTHER = Codes(b"another link key")
IDS = st.integers(min_value=0, max_value=32**9 - 1)
SHORT_IDS = st.integers(min_value=0, max_value=32**7 - 1)


@given(IDS)
def test_a_code_leads_back_to_its_message(message_id):
    assert CODES.decode(CODES.encode(message_id)) == message_id


@given(st.text(st.sampled_from(ALPHABET), min_size=7, max_size=9))
def test_every_code_that_leads_somewhere_is_the_only_one_that_does(code):
    message_id = CODES.decode(code)

    assert message_id is None or CODES.encode(message_id) == code


def test_no_two_messages_share_a_code():
    codes = [CODES.encode(number) for number in range(50_000)]

    assert len(set(codes)) == 50_000


@given(SHORT_IDS)
def test_seven_characters_by_default(message_id):
    assert len(CODES.encode(message_id)) == 7


@pytest.mark.parametrize("length", [0, 5, 10])
def test_a_code_has_six_to_nine_characters(length):
    with pytest.raises(ValueError, match="between 6 and 9"):
        Codes(b"key", length=length)


@pytest.mark.parametrize(("message_id", "length"), [(32**7 - 1, 7), (32**7, 8), (32**8 - 1, 8), (32**8, 9)])
def test_codes_grow_when_they_are_used_up(message_id, length):
    code = CODES.encode(message_id)

    assert len(code) == length
    assert CODES.decode(code) == message_id


def test_a_code_of_six_characters_is_possible():
    six = Codes(b"key", length=6)

    assert len(six.encode(5)) == 6
    assert six.decode(six.encode(5)) == 5


@given(IDS, st.data())
def test_however_a_person_types_it(message_id, data):
    typed = ""
    for c in CODES.encode(message_id):
        looks_like = {"0": "0Oo", "1": "1IiLl"}.get(c, c + c.lower())
        typed += data.draw(st.sampled_from(looks_like)) + data.draw(st.sampled_from(["", "-", "--"]))

    assert CODES.decode(typed) == message_id


@given(st.text(st.characters(codec=None), max_size=80))
def test_any_text_is_a_code_or_none(text):
    assert CODES.decode(text) is None or 7 <= len(text.replace("-", "")) <= 9
    CODES.decode_tagged(text)
    CODES.check_receipt(1, "out", text)


@pytest.mark.parametrize("text", ["", "-", "ABCDEF", "ABCDEFGHJK", "ABCDEFU", "ABCDEF!", "ＡＢＣＤＥＦＧ", "١٢٣٤٥٦٧"])
def test_what_cannot_be_a_code_is_none(text):
    assert CODES.decode(text) is None


def test_without_the_key_a_neighbour_s_code_cannot_be_told():
    """Under another key the next message's code agrees in no more characters than chance has it: 1 in 32."""
    agreeing = sum(a == b for n in range(2000) for a, b in zip(CODES.encode(n), OTHER.encode(n), strict=True))

    assert agreeing < 2000 * 7 / 32 * 1.3


def test_the_link_in_an_email_carries_at_least_128_bits():
    assert TAG_LENGTH * 5 >= 128
    assert len(CODES.encode_tagged(1)) == 7 + TAG_LENGTH


@given(IDS)
def test_a_tagged_code_leads_back_to_its_message(message_id):
    tagged = CODES.encode_tagged(message_id)

    assert CODES.decode_tagged(tagged) == CODES.decode_tagged(tagged.lower()) == message_id
    assert OTHER.decode_tagged(tagged) is None


@given(SHORT_IDS, st.data())
def test_one_wrong_character_spoils_a_tagged_code(message_id, data):
    tagged = CODES.encode_tagged(message_id)
    place = data.draw(st.integers(0, len(tagged) - 1))
    wrong = data.draw(st.sampled_from([c for c in ALPHABET if c != tagged[place]]))

    assert CODES.decode_tagged(tagged[:place] + wrong + tagged[place + 1 :]) is None


@given(SHORT_IDS, st.integers(1, 32))
def test_a_cut_tagged_code_is_none(message_id, cut):
    tagged = CODES.encode_tagged(message_id)

    assert CODES.decode_tagged(tagged[:-cut]) is None
    assert CODES.decode_tagged(tagged[cut:]) is None


@given(SHORT_IDS)
def test_an_sms_code_opens_no_email_link(message_id):
    assert CODES.decode_tagged(CODES.encode(message_id)) is None


def test_a_receipt_is_for_one_message_and_one_purpose():
    receipt = CODES.receipt(7, "out")

    assert CODES.check_receipt(7, "out", receipt)
    assert not CODES.check_receipt(8, "out", receipt)
    assert not CODES.check_receipt(7, "in", receipt)
    assert not OTHER.check_receipt(7, "out", receipt)
    assert CODES.decode_tagged(CODES.encode(7) + receipt) is None
