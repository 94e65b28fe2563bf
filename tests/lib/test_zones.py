from __future__ import annotations

from datetime import datetime
from zoneinfo import available_timezones

import phonenumbers
import pytest

from lib import zones


@pytest.mark.parametrize(
    ("country", "name"),
    [("NL", "Europe/Amsterdam"), ("DE", "Europe/Berlin"), ("US", "America/New_York"), ("", "UTC"), ("ZZ", "UTC")],
)
def test_a_country_has_its_main_zone(country, name):
    assert zones.zone_of(country) == name


@pytest.mark.parametrize("country", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_country_with_telephones_has_a_zone_that_exists(country):
    assert zones.zone_of(country) in available_timezones()
    if country not in {"AC", "TA", "XK"}:
        assert zones.zone_of(country) != "UTC"


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "../../etc/passwd", "\x00", "x" * 300])
def test_a_zone_that_does_not_exist_is_the_country_s(name):
    assert zones.zone(name, country="NL").key == "Europe/Amsterdam"


def test_every_zone_to_choose_from_can_be_used():
    assert len(zones.names()) > 300
    for name in zones.names():
        assert datetime(2026, 7, 1, tzinfo=zones.zone(name)).utcoffset() is not None
