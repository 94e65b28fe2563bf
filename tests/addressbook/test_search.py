from __future__ import annotations

import pytest

from addressbook import consent, search
from addressbook.models import Contact, Suppression
from messaging.addresses import parse
from tests import make


def _found(world, text):
    return list(search.contacts(Contact.objects.of(world.acme), text, country="NL", company=world.acme.pk))


@pytest.mark.parametrize(
    "text",
    [
        "+31612345678", "+31 6 12345678", "06 12345678", "0612345678", "0031612345678", "06-1234 56 78",
        "(06) 12345678", "+31 (0)6 12345678", "٠٦١٢٣٤٥٦٧٨", "０６１２３４５６７８", "345678", "061234", "6 1234",
        "Sanne", "sann", "SANNE devr", "sanne@devries.example", "SANNE@DEVRIES.example", "devries",
    ],
)  # fmt: skip
def test_a_contact_is_found_by_any_writing_of_what_is_known(world, text):
    make.contact(world.acme, "+33612000000", first_name="Lucas")
    assert _found(world, text) == [world.contact]


@pytest.mark.parametrize("text", ["Lucas", "0612345679", "999999", "nobody@devries.example", "%", "_", "\\", "'", "+"])
def test_who_does_not_match_is_not_found(world, text):
    assert _found(world, text) == []


def test_a_number_of_another_country_is_found_although_it_could_be_one_of_ours(world):
    french = make.contact(world.acme, "+33612345699")
    assert _found(world, "0612345699") == [french]


def test_an_empty_search_finds_everybody(world):
    assert _found(world, "  ") == [world.contact]


def test_a_suppression_is_found_by_any_writing(world):
    consent.opt_out(company=world.acme, address=parse("+33612345678"), source="marketer")
    rows = Suppression.objects.of(world.acme)
    for text in ["+33 6 12 34 56 78", "345678", "0033612345678"]:
        assert search.suppressions(rows, text, country="FR", company=world.acme.pk).count() == 1
    assert search.suppressions(rows, "999999", country="FR", company=world.acme.pk).count() == 0
