"""Characters that halve the room of an SMS, replaced at one click."""

from __future__ import annotations

import pytest

from campaigns import plain
from messaging.segments import measure, non_gsm


def test_typographic_signs_become_plain_ones():
    text = "„Now“ – it’s ‘here’ — wait… 5\u00a0€\u202f!\u200b"
    assert plain.replaced(text) == "\"Now\" - it's 'here' - wait... 5 € !"


@pytest.mark.parametrize("sign", sorted(plain.TYPOGRAPHIC))
def test_every_replacement_makes_room(sign):
    assert not non_gsm(plain.TYPOGRAPHIC[sign])
    assert measure(plain.replaced(sign)).encoding == "GSM-7"


def test_letters_are_replaced_one_by_one_only():
    assert plain.replaced("São “Paulo”") == 'São "Paulo"'
    assert plain.replaced("São “Paulo”", "ã") == "Sao “Paulo”"


@pytest.mark.parametrize("character", ["🎉", "xx", "\x00", "ж"])
def test_what_has_no_replacement_stays(character):
    assert plain.replaced(f"a{character}b", character) == f"a{character}b"


def test_what_comes_from_a_name_is_told_apart():
    found = {one.character: one.own for one in plain.costly("Hi Zoë – it’s on", written="Hi {first_name} – it’s on")}
    assert found == {"ë": False, "–": True, "’": True}


def test_links_in_a_text_are_found():
    text = "See https://a.example/x?y=1, www.b.example. Not a.b or mail@c.example"
    assert plain.links(text) == ["https://a.example/x?y=1", "www.b.example"]


def test_the_fields_come_back_replaced_and_the_preview_is_told(client, world):
    client.force_login(world.marketer.user)
    answer = client.post("/campaigns/plain", {"body": "It’s <b>“on”</b>", "opt_out_text": "Stop – {link}"})
    text = answer.content.decode()
    assert "It&#x27;s &lt;b&gt;&quot;on&quot;&lt;/b&gt;</textarea>" in text
    assert "Stop - {link}" in text
    assert text.count('hx-swap-oob="true"') == 2
    assert "texts-replaced" in answer["HX-Trigger-After-Swap"]


def test_nothing_sent_gives_empty_fields(client, world):
    client.force_login(world.marketer.user)
    assert client.post("/campaigns/plain", {"character": "\x00" * 100}).status_code == 200
