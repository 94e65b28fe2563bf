"""The number is the key: however it is written it opens, and no other number ever does."""

from __future__ import annotations

import pytest
from django.test.utils import override_settings
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accounts.models import Bucket
from addressbook.models import ConsentEvent, Suppression
from messaging.addresses import InvalidAddress, parse_phone
from tests.optout import links

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.short_urls")]

#: Country, its calling code, the national number, the digit written before it at home.
PEOPLE = [("NL", "31", "612345678", "0"), ("FR", "33", "612345678", "0"), ("ZA", "27", "821234567", "0")]
PEOPLE += [("US", "1", "2125550123", ""), ("ES", "34", "612345678", ""), ("IT", "39", "3123456789", "")]
#: Zero of each script: ASCII, full width, Arabic-Indic, Persian, Devanagari, Bengali, Thai.
ZEROS = "0０٠۰०০๐"
BETWEEN = ["", "", "", " ", "-", ".", "/", "\u00a0", "\u2009", "–", "\u2011", "  ", " - "]
UNSEEN = [
    "",
    "",
    "",
    "\u200b",
    "\u200e",
    "\u200f",
    "\u202a",
    "\u202c",
    "\u2066",
    "\u2069",
    "\ufeff",
    "\u00ad",
    "\u2060",
]
AROUND = ["", " ", "\t", "\u202d", "\u202c", "\u00a0", "\ufeff", "\n"]


@pytest.fixture(autouse=True)
def short_host():
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://short.test", ALLOWED_HOSTS=["*"]):
        yield


@st.composite
def writings(draw, code: str, national: str, trunk: str) -> str:
    """One of the ways in which people, phones and address books write a number."""
    form = draw(st.sampled_from(["home", "+", "00", "(0)" if trunk else "+", "tel:"]))
    groups = [national[:2], national[2:5], national[5:]] if draw(st.booleans()) else list(national)
    if form == "home":
        head, groups[0] = "", trunk + groups[0]
    elif form == "(0)":
        head = draw(st.sampled_from([f"+{code}(0)", f"+{code} (0) ", f"00{code} (0)"]))
    else:
        head = {"+": draw(st.sampled_from("+＋")), "00": "00", "tel:": "tel:+"}[form] + code
    if head and not head.endswith((")", ") ")):
        groups.insert(0, "")
    between = draw(st.sampled_from(BETWEEN))
    if draw(st.booleans()) and form == "home" and len(groups) == 3:
        groups[0] = f"({groups[0]})"
    zero = ord(draw(st.sampled_from(ZEROS)))
    written = "".join(chr(zero + int(c)) if "0" <= c <= "9" else c for c in head + between.join(groups))
    places = draw(st.lists(st.integers(0, len(written)), max_size=4))
    for place in sorted(places, reverse=True):
        written = written[:place] + draw(st.sampled_from(UNSEEN)) + written[place:]
    return draw(st.sampled_from(AROUND)) + written + draw(st.sampled_from(AROUND))


def repeatedly(examples: int):
    """One database for all examples: what one leaves behind the next takes away."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def answer(client, message, written: str) -> int:
    Bucket.objects.all().delete()
    return client.post(links.path(message), {"phone": written}).status_code


@repeatedly(250)
@given(data=st.data())
def test_the_right_number_opens_in_any_writing(client, world, data):
    country, code, national, trunk = data.draw(st.sampled_from(PEOPLE))
    message = links.message(world.acme, f"+{code}{national}")
    written = data.draw(writings(code, national, trunk))
    assume(len(written) <= 64)

    assert answer(client, message, written) == 303, written.encode("unicode_escape")
    assert Suppression.objects.of(world.acme).filter(digest=message.digest).exists()


@repeatedly(250)
@given(data=st.data())
def test_no_other_number_opens(client, world, data):
    country, code, national, trunk = data.draw(st.sampled_from(PEOPLE))
    message = links.message(world.acme, f"+{code}{national}")
    place = data.draw(st.integers(0, len(national) - 1))
    other = data.draw(st.sampled_from([c for c in "0123456789" if c != national[place]]))
    changed = data.draw(
        st.sampled_from(
            [
                national[:place] + other + national[place + 1 :],
                national[:place] + national[place + 1 :],
                national[:place] + other + national[place:],
                national + national[:place],
            ]
        )
    )
    assume(changed != national)
    written = data.draw(writings(code, changed, trunk))
    assume(not same_person(written, country=country, number=f"+{code}{national}"))

    assert answer(client, message, written) == 422, written.encode("unicode_escape")
    assert not ConsentEvent.objects.across_companies().exists()


@repeatedly(250)
@given(typed=st.text(max_size=200) | st.text(alphabet="0123456789+()- ٠١٢０１²ⅫABC;ext=#*\u200b\u202e", max_size=80))
def test_no_text_whatever_breaks_the_page(client, world, typed):
    message = links.message(world.acme, "+31612345678")

    assert answer(client, message, typed.encode("utf-8", "replace").decode()) == 422
    assert not ConsentEvent.objects.across_companies().exists()


@pytest.mark.parametrize(
    "written",
    [
        "0612345678" + " " * 60 + "9",
        "+31612345678 / 0612345679",
        "+31612345678;ext=1",
        "+31612345678 x1",
        "+31612345678+31612345678",
        "+32612345678",
        "+33612345678",
        "612345678 31",
        "0612345678,0612345678",
    ],
)
def test_the_right_number_with_something_behind_it_is_another_one(client, world, written):
    message = links.message(world.acme, "+31612345678")

    assert answer(client, message, written) == 422
    assert not ConsentEvent.objects.across_companies().exists()


def same_person(written: str, *, country: str, number: str) -> bool:
    """A changed digit may be the one that the writing adds or leaves out, such as a doubled one."""
    try:
        return parse_phone(written, default_country=country).identity == number
    except InvalidAddress:
        return False
