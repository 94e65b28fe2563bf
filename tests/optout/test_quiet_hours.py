"""When marketing may reach a destination: a whole year, each country with a rule, changes of clocks, holidays."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from optout import destinations, zones
from optout.quiet_hours import DAYS, HORIZON, Hours, InvalidWindow, opens_at, parse

RULES = tomllib.loads((destinations.DATA / "destinations.toml").read_text("utf-8"))
COUNTRIES = [country for country in RULES if country != destinations.ANYWHERE]
STEP = timedelta(minutes=30)
START = datetime(2026, 1, 1, tzinfo=UTC)
#: Beyond the year's end, so that its last hours have an opening too.
STEPS = 48 * (365 + 14)
DAY_AND_NIGHT = parse(dict.fromkeys(DAYS, "08:00-20:00"))


def hours_of(country: str) -> Hours:
    rule = RULES[country]
    return Hours(parse(rule["window"]), holidays=rule.get("holidays", True))


@cache
def clocks(zone: str) -> tuple[timedelta, ...]:
    """What to add to UTC, each half-hour of the year."""
    place = ZoneInfo(zone)
    return tuple((START + n * STEP).astimezone(place).utcoffset() or timedelta(0) for n in range(STEPS))


@cache
def walls(offsets: tuple[timedelta, ...]) -> list[tuple[str, str, date]]:
    """What calendars and clocks show there each half-hour."""
    shown = [START + n * STEP + offset for n, offset in enumerate(offsets)]
    return [(DAYS[wall.weekday()], f"{wall.hour:02}:{wall.minute:02}", wall.date()) for wall in shown]


def slow_reference(country: str, where: list[ZoneInfo]) -> list[datetime | None]:
    """For each half-hour the next one that is allowed: read from the data file half-hour by half-hour, looking back
    from the end. Shares nothing with the product but the file, the clocks and the list of holidays."""
    rule = RULES[country]
    window = {day: [part.split("-") for part in text.split(",")] for day, text in rule["window"].items()}
    free = set()
    if rule.get("holidays", True):
        free = set(holidays.country_holidays(country, years=(2025, 2026, 2027)))
    shown = [walls(clocks(zone.key)) for zone in where]
    opening: datetime | None = None
    found: list[datetime | None] = []
    for n in range(STEPS - 1, -1, -1):
        if all(
            any(start <= clock < end for start, end in window.get(day, ())) and when not in free
            for day, clock, when in (there[n] for there in shown)
        ):
            opening = START + n * STEP
        found.append(opening)
    return found[::-1]


@pytest.mark.parametrize("country", COUNTRIES)
def test_each_hour_of_a_year_opens_as_a_slow_reference_says(country):
    # Zones whose clocks agree all year are one; the United States have eight of 29.
    where = list({clocks(zone.key): zone for zone in zones.country_zones(country)}.values())
    hours, expected = hours_of(country), slow_reference(country, where)

    wrong = []
    for n in range(0, 48 * 365, 2):
        at = START + n * STEP
        if (opens_at(hours, country, where, at) or at) != expected[n]:
            wrong.append((at, opens_at(hours, country, where, at), expected[n]))

    assert where, "a country with a rule has a time zone"
    assert not wrong, wrong[:3]
    assert any(expected[n] == START + n * STEP for n in range(STEPS)), "it opens at all"


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        # Clocks go forward in the night of 29 March, back in that of 25 October: 8 o'clock is another moment.
        ("Europe/Paris", "2026-03-28 22:00", "2026-03-30 06:00"),
        ("Europe/Paris", "2026-10-24 22:00", "2026-10-26 07:00"),
        ("America/New_York", "2026-03-07 23:00", "2026-03-09 12:00"),
        ("Australia/Lord_Howe", "2026-04-04 12:00", "2026-04-05 21:30"),
    ],
)
def test_hours_follow_the_clock_on_the_wall_when_it_changes(zone, before, after):
    place = ZoneInfo(zone)
    week = parse(dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat"), "08:00-18:00"))

    opening = opens_at(Hours(week), "", [place], datetime.fromisoformat(before).replace(tzinfo=UTC))

    assert opening == datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert f"{opening.astimezone(place):%H:%M}" == "08:00"


def test_an_hour_that_is_skipped_opens_when_the_clocks_have_changed():
    paris = ZoneInfo("Europe/Paris")
    week = parse({"sun": "02:30-04:00"})

    assert opens_at(Hours(week), "", [paris], datetime(2026, 3, 29, 0, 30, tzinfo=UTC)) == datetime(
        2026, 3, 29, 1, tzinfo=UTC
    )


def test_an_hour_that_comes_twice_is_judged_twice():
    paris = ZoneInfo("Europe/Paris")
    week = parse({"sun": "01:00-02:30"})
    allowed = [
        opens_at(Hours(week), "", [paris], datetime(2026, 10, 25, 0, tzinfo=UTC) + n * STEP) is None for n in range(4)
    ]

    assert allowed == [True, False, True, False]


@pytest.mark.parametrize(
    ("country", "day"),
    [
        ("FR", date(2026, 7, 14)),
        ("FR", date(2026, 5, 14)),  # Ascension moves with Easter
        ("DE", date(2026, 10, 3)),
        ("NL", date(2026, 4, 27)),
        ("ZA", date(2026, 9, 24)),
        ("GB", date(2026, 12, 28)),  # Boxing Day, observed
    ],
)
def test_nothing_leaves_on_a_public_holiday(country, day):
    where = zones.country_zones(country)
    noon = datetime.combine(day, datetime.min.time()).replace(hour=12, tzinfo=where[0])

    opening = opens_at(hours_of(country), country, where, noon)

    assert opening is not None
    assert opening.astimezone(where[0]).date() > day


def test_a_country_of_which_nobody_knows_the_holidays_has_its_hours_all_the_same():
    utc = [ZoneInfo("UTC")]
    hours = Hours(DAY_AND_NIGHT, holidays=True)

    assert opens_at(hours, "XX", utc, datetime(2026, 12, 25, 12, tzinfo=UTC)) is None
    assert opens_at(hours, "XX", utc, datetime(2026, 12, 25, 21, tzinfo=UTC)) == datetime(2026, 12, 26, 8, tzinfo=UTC)


def test_no_hours_are_no_restriction():
    assert opens_at(Hours(parse({})), "FR", [ZoneInfo("Europe/Paris")], datetime(2026, 12, 25, 3, tzinfo=UTC)) is None


def test_hours_that_two_zones_never_share_wait_and_are_looked_at_again():
    apart = [ZoneInfo("Pacific/Auckland"), ZoneInfo("Europe/London")]
    at = datetime(2026, 6, 1, 12, 0, 30, tzinfo=UTC)

    assert opens_at(Hours(parse(dict.fromkeys(DAYS, "12:00-13:00"))), "", apart, at) == at.replace(second=0) + HORIZON


MOMENTS = st.datetimes(
    min_value=datetime(2024, 1, 1), max_value=datetime(2032, 1, 1), timezones=st.just(UTC), allow_imaginary=False
)
PLACES = st.lists(
    st.sampled_from(
        ["Europe/Paris", "America/New_York", "America/Adak", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Chatham",
         "Africa/Casablanca", "Asia/Beirut", "America/Santiago", "Atlantic/Azores"]
    ),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip


@st.composite
def weeks(draw):
    """One or two spans on some days, at any minute."""
    window = {}
    for day in draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True)):
        minutes = sorted(draw(st.lists(st.integers(0, 24 * 60), min_size=2, max_size=4, unique=True)))
        pairs = zip(minutes[::2], minutes[1::2], strict=False)
        window[day] = ",".join(f"{a // 60:02}:{a % 60:02}-{b // 60:02}:{b % 60:02}" for a, b in pairs)
    return window


@cache
def holidays_of(country: str) -> set[date]:
    return set(holidays.country_holidays(country, years=range(2023, 2034))) if country else set()


def allowed(window: dict[str, str], country: str, places: list[str], at: datetime) -> bool:
    free = holidays_of(country)
    for place in places:
        wall = at.astimezone(ZoneInfo(place))
        spans = [part.split("-") for part in window.get(f"{wall:%a}".lower(), "").split(",") if part]
        if wall.date() in free or not any(a <= f"{wall:%H:%M}" < b for a, b in spans):
            return False
    return True


@hypothesis_settings(max_examples=50, deadline=None)
@given(window=weeks(), country=st.sampled_from(["", "FR", "JP"]), places=PLACES, at=MOMENTS)
def test_the_opening_is_allowed_and_the_first_that_is(window, country, places, at):
    where = [ZoneInfo(place) for place in places]

    opening = opens_at(Hours(parse(window), holidays=bool(country)), country, where, at)

    if opening is None:
        assert allowed(window, country, places, at)
        return
    assert at < opening <= at + HORIZON
    if opening < at.replace(second=0, microsecond=0) + HORIZON:
        assert allowed(window, country, places, opening)
    minute = timedelta(minutes=1)
    near = [opening - n * minute for n in range(1, 60)] + [at + n * timedelta(minutes=7) for n in range(40)]
    assert not any(allowed(window, country, places, moment) for moment in near if at <= moment < opening)


@pytest.mark.parametrize(
    "window",
    [
        [], "08:00-20:00", None, 5, {"monday": "08:00-20:00"}, {"mon": ""}, {"mon": None}, {"mon": "8-20"},
        {"mon": "20:00-08:00"}, {"mon": "08:00-08:00"}, {"mon": "08:00-24:01"}, {"mon": "08:60-20:00"},
        {"mon": "14:00-20:00,08:00-12:00"}, {"mon": "08:00-14:00,12:00-20:00"}, {"mon": "٠٨:٠٠-٢٠:٠٠"}, {"mon": ["a"]},
    ],
)  # fmt: skip
def test_hours_that_nobody_can_read_are_refused(window):
    with pytest.raises(InvalidWindow):
        parse(window)


def test_all_hours_out_of_the_box_can_be_read():
    for rule in RULES.values():
        assert len(parse(rule["window"])) == 7


@pytest.mark.parametrize(
    ("country", "number", "expected"),
    [
        ("FR", "+33612345678", {"Europe/Paris"}),
        ("US", "+12125551234", {"America/New_York"}),
        ("US", "+18085551234", {"Pacific/Honolulu"}),
        ("CA", "+16045551234", {"America/Vancouver"}),
        ("BR", "+5592987654321", {"America/Manaus"}),
        ("ZA", "+27821234567", {"Africa/Johannesburg"}),
        ("IN", "+919876543210", {"Asia/Kolkata"}),
    ],
)
def test_a_number_tells_the_zone(country, number, expected):
    assert {zone.key for zone in zones.zones_of(country, number)} == expected


@pytest.mark.parametrize(
    ("country", "number"),
    [("ES", "+34612345678"), ("AU", "+61412345678"), ("NZ", "+64211234567"), ("US", "+18005550100")],
)
def test_a_number_that_tells_no_area_has_all_zones_of_its_country(country, number):
    where = zones.zones_of(country, number)

    assert len(where) > 1
    assert {zone.key for zone in where} <= {zone.key for zone in zones.country_zones(country)}
    if country != "US":
        assert where == zones.country_zones(country)


def test_a_number_of_no_country_is_judged_by_what_its_digits_tell_or_by_utc():
    assert {zone.key for zone in zones.zones_of("", "+33612345678")} == {"Europe/Paris"}
    assert {zone.key for zone in zones.zones_of("", "")} == {"UTC"}


def test_all_zones_of_the_table_are_known_here():
    missing = {name for names in zones._table().values() for name in names} - {
        zone.key for country in zones._table() for zone in zones.country_zones(country)
    }
    assert len(missing) <= 3, missing  # a machine's database may be a little older
