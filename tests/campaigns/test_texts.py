"""Which line a message gets, and the text as a whole."""

from __future__ import annotations

import pytest

from campaigns.texts import Composer
from optout import lines
from optout.models import OptOutText
from tests import make


def text(world, body="Sale", *, contact=(), **changes):
    override = changes.pop("override", "")
    campaign = make.campaign(world.acme, world.customers, body=body, opt_out_text=override)
    arguments = {
        "message_id": 7,
        "channel": "sms",
        "language": "en",
        "method": "link",
        "reply_code": "",
        "country": "NL",
    }
    return Composer(company=world.acme, campaign=campaign).text(contact=contact, **{**arguments, **changes})


def own(world, line, *, language="en", method="link"):
    OptOutText.objects.create(company=world.acme, language=language, method=method, text=line)


def test_the_campaigns_line_comes_first(world):
    own(world, "Ours {link}")
    assert "Mine " in text(world, override="Mine {link}")


def test_then_the_companys(world):
    own(world, "Ours {link}")
    assert "\nOurs " in text(world)


def test_then_the_platforms_in_the_recipients_language(world):
    assert text(world, language="nl") != text(world, language="de")


def test_a_campaigns_line_for_links_is_not_used_where_people_reply(world):
    written = text(world, override="Mine {link}", method="reply", reply_code="3010")
    assert "Mine" not in written
    assert "3010" in written


def test_a_campaigns_line_for_replies_is_not_used_where_a_link_is_needed(world):
    written = text(world, override="Text {keyword} to {code}")
    assert "{code}" not in written
    assert "/" in written.rpartition("\n")[2]


def test_every_message_has_a_link_of_its_own(world):
    assert text(world, message_id=1) != text(world, message_id=2)


def test_an_email_gets_the_link_in_full(world):
    assert "://" in text(world, channel="email").rpartition("\n")[2]


def test_what_a_company_is_called_is_not_expanded(world):
    world.acme.name = "{link} {code}"
    world.acme.save()
    own(world, "{company}: {link}")
    assert "\n{link} {code}: " in text(world)


def test_attributes_are_merged(world):
    assert text(world, "In {attr.city|town} {first_name}", contact=["Sanne", {"city": "Utrecht"}]).startswith(
        "In Utrecht Sanne\n"
    )
    assert text(world, "In {attr.city|town}", contact=[{}]).startswith("In town\n")


@pytest.mark.parametrize("value", [0, False, None, 3.5, ["a"], {"b": 1}])
def test_an_attribute_of_any_kind_is_written_somehow(world, value):
    assert "\n" in text(world, "In {attr.city|town}", contact=[{"city": value}])


# --- an override is checked when it is saved


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("Stop", "missing_placeholder"),
        ("Stop {keyword} {company}", "missing_placeholder"),
        ("{lnik}", "unknown_placeholder"),
        ("{first_name} {link}", "unknown_placeholder"),
        ("{link} {code}", "wrong_placeholder"),
        ("{link}\nmore", "control_character"),
        ("{link}\x00", "control_character"),
        ("{link}" + "x" * 155, "too_long"),
    ],
)
def test_a_line_that_would_not_show_the_way_out_is_refused(line, code):
    with pytest.raises(lines.InvalidLine) as told:
        lines.check_override(line)
    assert told.value.code == code


@pytest.mark.parametrize("line", ["{link}", "{company}: {link}", "Stop? {keyword} > {code}", "\u202bقف {link}"])
def test_a_line_with_what_its_method_needs_is_taken(line):
    lines.check_override(line)
