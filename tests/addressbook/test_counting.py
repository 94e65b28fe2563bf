from __future__ import annotations

import pytest
from django.db import connection

from addressbook import counting, totals
from addressbook.models import Contact
from tests import make


@pytest.mark.parametrize(("n", "shown"), [(0, 0), (7, 7), (99, 99), (1234, 1200), (4_987_654, 5_000_000)])
def test_an_estimate_has_two_figures(n, shown):
    assert counting.about(n) == shown


def test_few_are_counted_exactly(world):
    assert str(counting.count(Contact.objects.of(world.acme))) == "1"


def test_many_are_estimated_and_it_says_so(world):
    for _n in range(30):
        make.contact(world.acme)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE addressbook_contact")
    found = counting.count(Contact.objects.of(world.acme), most=10)
    assert not found.exact
    assert str(found).startswith("about ")


def test_a_large_address_book_is_estimated(world):
    for n in range(40):
        make.contact(world.acme, f"+3161234{n:04}")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE addressbook_contact")
    found = totals.of(world.acme, most=10)
    assert not found.exact
    assert 20 <= found.reachable <= 60
    assert found.opted_out == 0
