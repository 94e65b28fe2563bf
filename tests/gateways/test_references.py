from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from messaging.gateways import references


@given(st.integers(min_value=1, max_value=references.LARGEST))
def test_a_reference_leads_back_to_its_message(number):
    assert references.read(references.write(number)) == number
    assert references.read(references.write(number).upper()) == number


@given(st.text(max_size=40))
def test_anything_else_is_not_ours(text):
    assert references.read(text) is None


def test_a_changed_reference_is_not_ours():
    written = references.write(123456)
    for place, letter in enumerate(written[:-1]):
        changed = written[:place] + ("a" if letter != "a" else "b") + written[place + 1 :]
        assert references.read(changed) is None, place
