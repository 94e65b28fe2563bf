"""A company's own lines and reasons."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from optout import own_words
from optout.models import OptOutText, Reason

pytestmark = pytest.mark.django_db


def set_line(company, text, method="link"):
    own_words.set_line(company=company, language="nl", method=method, text=text)


def shown(company, method="link"):
    return next(x for x in own_words.lines_of(company) if (x.language, x.method) == ("nl", method))


def test_a_line_of_one_s_own_stands_beside_the_standard(world):
    set_line(world.acme, "Weg: {link}")

    assert shown(world.acme).own == "Weg: {link}"
    assert shown(world.acme).standard
    assert shown(world.rival).own == ""


def test_an_empty_line_brings_the_standard_back(world):
    set_line(world.acme, "Weg: {link}")

    set_line(world.acme, "")

    assert shown(world.acme).own == ""
    assert OptOutText.objects.filter(company=None, language="nl", method="link").exists()


@pytest.mark.parametrize(("method", "text"), [("link", "Weg"), ("reply", "Weg: {link}"), ("link", "{link} {naam}")])
def test_a_line_that_shows_no_way_out_is_refused_when_saved(world, method, text):
    with pytest.raises(ValidationError):
        set_line(world.acme, text, method=method)

    assert not OptOutText.objects.filter(company=world.acme).exists()


def test_reasons_get_codes_of_their_own(world):
    codes = [own_words.add_reason(company=world.acme, text="Too many!").code for _ in range(3)]

    assert codes == ["too_many", "too_many_2", "too_many_3"]


@pytest.mark.parametrize("text", ["多すぎる", "!!!", "x" * 100])
def test_any_reason_gets_a_code(world, text):
    assert 0 < len(own_words.add_reason(company=world.acme, text=text).code) <= 40


def test_a_new_company_offers_the_standard_reasons(world):
    own_words.offer_standard_reasons(world.acme)

    assert Reason.objects.of(world.acme).count() >= 4
    assert not Reason.objects.of(world.rival).exists()
