"""What comes out of the box, per destination."""

from __future__ import annotations

import re
import tomllib

import phonenumbers
import pytest

from campaigns.audience import Ways
from messaging.models import Sender
from optout import destinations
from optout.models import DestinationRule, OptOutText

pytestmark = pytest.mark.django_db
OUT_OF_THE_BOX = ("FR", "GB", "BE", "NL", "DE")
DATA = tomllib.loads((destinations.DATA / "destinations.toml").read_text("utf-8"))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(destinations, "_kept", (0.0, {}))


def shared(country: str, value: str = "36179") -> Sender:
    return Sender.objects.create(company=None, value=value, kind="short_code", country=country)


def way(company, country: str, sender: str = "ACME"):
    return Ways(company=company, sender=sender, channel="sms").for_country(country)


@pytest.mark.parametrize("country", OUT_OF_THE_BOX)
def test_a_reply_to_the_shared_short_code_where_one_is_set_up(world, country):
    shared(country)

    assert (way(world.acme, country).method, way(world.acme, country).code) == ("reply", "36179")


@pytest.mark.parametrize("country", OUT_OF_THE_BOX)
def test_a_link_where_no_short_code_is_set_up(world, country):
    shared("SE" if country != "SE" else "NO")

    assert way(world.acme, country).method == "link"


@pytest.mark.parametrize("country", ["AT", "CH", "ES", "IT", "PT", "PL", "XX", ""])
def test_a_link_everywhere_else(world, country):
    shared("FR")

    assert way(world.acme, country).method == "link"


def test_a_company_s_own_short_code_serves_itself_only(world):
    Sender.objects.create(company=world.acme, value="30303", kind="short_code", country="FR")

    assert way(world.acme, "FR").code == "30303"
    assert way(world.rival, "FR").method == "link"


def test_an_email_always_gets_a_link(world):
    shared("FR")

    assert Ways(company=world.acme, sender="", channel="email").for_country("FR").method == "link"


@pytest.mark.parametrize("country", [c for c in DATA if c != destinations.ANYWHERE])
def test_every_rule_is_of_a_country_and_names_its_source(country):
    rule = DestinationRule.objects.get(country=country)

    assert country in phonenumbers.SUPPORTED_REGIONS
    assert set(rule.methods) <= {"reply", "link"}
    assert rule.methods
    assert rule.languages
    assert rule.source
    assert rule.link_allowed or "link" not in rule.methods
    for day, hours in rule.window.items():
        assert day in {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
        for span in hours.split(","):
            start, end = re.fullmatch(r"([0-2]\d:[0-5]\d)-([0-2]\d:[0-5]\d)", span).groups()
            assert "00:00" <= start < end <= "24:00"


def test_an_unknown_country_follows_the_rule_for_every_other():
    assert destinations.rule("XX") == destinations.rule("")
    assert destinations.rule("XX").methods[0] == "link"


def test_what_an_administrator_has_edited_stays():
    DestinationRule.objects.filter(country="FR").update(methods=["link"])
    OptOutText.objects.filter(company=None, language="en", method="link").update(text="Bye: {link}")

    destinations.load_platform_data(rules=DestinationRule, texts=OptOutText)

    assert DestinationRule.objects.get(country="FR").methods == ["link"]
    assert OptOutText.objects.get(company=None, language="en", method="link").text == "Bye: {link}"


def test_a_missing_rule_comes_back():
    DestinationRule.objects.filter(country="FR").delete()

    destinations.load_platform_data(rules=DestinationRule, texts=OptOutText)

    assert DestinationRule.objects.get(country="FR").methods[0] == "reply"
