from __future__ import annotations

import pytest

from lib import cursors
from tests import make
from tests.api.program import codes

LISTS = ["/contacts", "/groups", "/suppressions", "/events", "/campaigns", "/simulator/messages"]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_has_the_one_shape(acme, path):
    assert set(acme.get(path).json()) == {"items", "next"}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", "99999999999999999999", "1.5", "\x00"])
def test_a_limit_is_between_1_and_1000(acme, path, limit):
    assert list(codes(acme.get(path, limit=limit))) == ["limit"]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("cursor", ["x", "1", "W10:1abcde:x", "a" * 100_000, "\x00", "ü", "../../etc"])
def test_a_cursor_that_is_none_is_refused(acme, path, cursor):
    assert list(codes(acme.get(path, cursor=cursor))) == ["cursor"]


def test_pages_hold_everything_once_while_more_comes_in(acme, world):
    contacts = [make.contact(world.acme).pk for _ in range(6)] + [world.contact.pk]

    first = acme.get("/contacts", limit=4).json()
    make.contact(world.acme)
    second = acme.get("/contacts", limit=4, cursor=first["next"]).json()

    seen = [contact["id"] for contact in first["items"] + second["items"]]
    assert seen == sorted(contacts, reverse=True)
    assert second["next"] is None


def test_a_cursor_belongs_to_its_filters(acme, world):
    for _ in range(3):
        make.contact(world.acme, group=world.customers)
    cursor = acme.get("/contacts", limit=1, group="Customers").json()["next"]

    assert acme.get("/contacts", limit=2, group="Customers", cursor=cursor).status_code == 200
    assert codes(acme.get("/contacts", limit=1, cursor=cursor)) == {"cursor": "not_a_cursor"}


def test_a_cursor_survives_and_cannot_be_changed():
    text = cursors.encode([7, "2026-01-01"], purpose="contacts")

    assert cursors.decode(text, purpose="contacts") == [7, "2026-01-01"]
    for wrong in (text[:-1], text + "a", text.swapcase(), ""):
        with pytest.raises(cursors.InvalidCursor):
            cursors.decode(wrong, purpose="contacts")
    with pytest.raises(cursors.InvalidCursor):
        cursors.decode(text, purpose="groups")
