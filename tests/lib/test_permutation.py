"""The keyed bijection behind the codes."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.permutation import Permutation

KEY = b"a key of this test"
BIG = Permutation(KEY, 35)
LARGEST = Permutation(KEY, 48)


@pytest.mark.parametrize("bits", [8, 9, 11, 16])
def test_every_number_has_one_image_and_every_image_one_number(bits):
    permutation = Permutation(KEY, bits)

    images = [permutation.forward(n) for n in range(1 << bits)]

    assert sorted(images) == list(range(1 << bits))
    assert [permutation.backward(image) for image in images] == list(range(1 << bits))


@given(st.integers(min_value=0, max_value=(1 << 35) - 1))
def test_backward_undoes_forward(number):
    assert BIG.backward(BIG.forward(number)) == number
    assert BIG.forward(BIG.backward(number)) == number
    assert 0 <= BIG.forward(number) < 1 << 35


@given(st.integers(min_value=0, max_value=(1 << 48) - 1))
def test_a_permutation_too_large_for_tables_can_be_undone(number):
    assert LARGEST.backward(LARGEST.forward(number)) == number
    assert LARGEST.forward(LARGEST.backward(number)) == number


@pytest.mark.parametrize("bits", [36, 37, 45, 48])
def test_no_permutation_takes_more_memory_than_its_tables_may(bits):
    """Whoever types a code of nine characters must not cost the server seconds and hundreds of megabytes."""
    tracemalloc.start()
    try:
        Permutation(KEY, bits)
        assert tracemalloc.get_traced_memory()[0] < 12_000_000
    finally:
        tracemalloc.stop()


@given(st.integers(max_value=-1) | st.integers(min_value=1 << 35))
def test_a_number_outside_is_refused(number):
    with pytest.raises(ValueError, match="out of range"):
        BIG.forward(number)
    with pytest.raises(ValueError, match="out of range"):
        BIG.backward(number)


@pytest.mark.parametrize("bits", [0, 7, 49, -1])
def test_sizes_without_a_table_are_refused(bits):
    with pytest.raises(ValueError, match="between 8 and 48"):
        Permutation(KEY, bits)


def test_another_key_is_another_permutation():
    other = Permutation(b"another key", 35)

    assert sum(BIG.forward(n) == other.forward(n) for n in range(2000)) <= 1


def test_neighbours_share_no_pattern():
    """Half of the 35 bits differ between the images of n and n + 1, as between two random numbers."""
    differing = [(BIG.forward(n) ^ BIG.forward(n + 1)).bit_count() for n in range(4000)]

    assert 17 < sum(differing) / len(differing) < 18
    assert min(differing) > 0


#: Images under KEY of 0, 1, 2 and 10**9.
PINNED = [19195649500, 23428425822, 30515976832, 10415964388]


def test_codes_that_were_sent_stay_valid():
    """These images are printed in messages: a change of the algorithm would break every link that is out."""
    assert [BIG.forward(n) for n in (0, 1, 2, 10**9)] == PINNED
