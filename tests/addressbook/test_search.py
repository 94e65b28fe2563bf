from __future__ import annotations

import pytest

from addressbook import consent, search
from addressbook.filters import ContactFilter
from addressbook.models import Contact, Suppression
from messaging.addresses import parse
from tests import make


def _found(world, text):
    return list(
        search.contacts(text, country="NL", company=world.acme.pk).among(search.written(Contact.objects.of(world.acme)))
    )


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


@pytest.mark.parametrize("text", ["sann", "devries", "678"])
def test_frequent_matches_are_found_from_the_newest_back(world, monkeypatch, text):
    monkeypatch.setattr(search, "MANY", 0)
    make.contact(world.acme, "+33612000000", first_name="Lucas")
    sought = search.contacts(text, country="NL", company=world.acme.pk)
    rows = search.written(Contact.objects.of(world.acme))
    assert sought.many
    assert list(sought.among(rows)) == list(sought.among(rows, one_by_one=True)) == [world.contact]


@pytest.mark.parametrize(("few", "found"), [(20_000, 1), (0, 0)])
def test_the_middle_of_a_word_is_found_in_a_small_address_book_only(world, monkeypatch, few, found):
    monkeypatch.setattr(search, "FEW", few)
    assert len(_found(world, "anne")) == found


def test_another_companys_contacts_are_not_found(world):
    assert _found(world, world.rivals_contact.first_name[:6]) == []


@pytest.mark.parametrize("name", ["Jean-Luc", "O'Brien", "Müller", "de la Cruz", "Ana\\Maria", "Σοφία"])
def test_names_are_found_as_they_are_written(world, name):
    made = make.contact(world.acme, "+33612000000", last_name=name)
    assert _found(world, name) == _found(world, name.upper()) == _found(world, name[:4]) == [made]


def test_a_suppression_is_found_by_any_writing(world):
    consent.opt_out(company=world.acme, address=parse("+33612345678"), source="marketer")
    rows = Suppression.objects.of(world.acme)
    for text in ["+33 6 12 34 56 78", "345678", "0033612345678"]:
        assert search.suppressions(text, country="FR", company=world.acme.pk).among(rows).count() == 1
    assert search.suppressions("999999", country="FR", company=world.acme.pk).among(rows).count() == 0


@pytest.mark.parametrize("near", [1_000, 1])
def test_a_page_of_frequent_matches_is_the_newest_near_or_far(world, monkeypatch, near):
    monkeypatch.setattr(search, "MANY", 10)
    monkeypatch.setattr(search, "NEAR", near)
    made = [make.contact(world.acme, f"+3361234{n:04}", first_name="Lucas") for n in range(120)]
    ids = [c.pk for c in reversed(made)]
    for after, wanted in ((None, ids[:50]), (ids[49], ids[50:100]), (ids[99], ids[100:])):
        form = ContactFilter({"q": "luc", "after": after or ""}, company=world.acme)
        assert form.is_valid()
        page = form.page(lambda rows: rows)
        assert [c.pk for c in page.items] == wanted
        assert str(form.count(page, form.found())) == "more than 10"


def test_what_is_new_is_found_before_the_worker_has_sorted_it_in_and_after(world):
    made = make.contact(world.acme, "+33612000000", first_name="Lucas")
    assert _found(world, "luc") == [made]
    search.tidy()
    assert _found(world, "luc") == [made]
