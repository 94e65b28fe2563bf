"""Through which gateway: by country and sender, in an order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from messaging.models import Gateway, Route
from messaging.routing import Routes

pytestmark = pytest.mark.django_db


@pytest.fixture
def simulator(world) -> Gateway:
    return Gateway.objects.of(world.acme).get()


@pytest.fixture
def cm(world, simulator) -> Gateway:
    return Gateway.objects.create(company=world.acme, kind="cm")


@pytest.fixture
def twilio(world, simulator) -> Gateway:
    return Gateway.objects.create(company=world.acme, kind="twilio")


def default(gateway: Gateway) -> None:
    Gateway.objects.of(gateway.company_id).update(is_default=False)
    Gateway.objects.of(gateway.company_id).filter(pk=gateway.pk).update(is_default=True)


def route(gateway: Gateway, **fields) -> Route:
    return Route.objects.create(**{"company_id": gateway.company_id, "channel": "sms", "gateway": gateway, **fields})


def order(world, **where) -> list[Gateway]:
    return Routes(company=world.acme, channel=where.pop("channel", "sms")).order(**where)


def down(gateway: Gateway, *, minutes: int = 1) -> None:
    at = timezone.now()
    Gateway.objects.of(gateway.company_id).filter(pk=gateway.pk).update(
        failures=3, down_since=at, next_try_at=at + timedelta(minutes=minutes)
    )


def test_without_routes_all_goes_through_the_default(world, simulator, cm):
    assert order(world, country="NL", sender="Acme") == [simulator]

    default(cm)
    assert order(world, country="NL", sender="Acme") == [cm]
    assert order(world, channel="email") == [simulator], "which CM.com does not carry"


def test_the_country_comes_first_then_every_country_then_the_default(world, cm, twilio):
    default(cm)
    vonage = Gateway.objects.create(company=world.acme, kind="vonage")
    route(vonage)
    route(twilio, country="NL")

    assert order(world, country="NL") == [twilio, vonage, cm]
    assert order(world, country="FR") == [vonage, cm]


def test_the_rank_decides_among_equals(world, cm, twilio):
    route(cm, rank=2)
    route(twilio, rank=1)

    assert order(world, country="NL") == [twilio, cm], "and never the simulator after them"


def test_a_sender_with_routes_goes_nowhere_else(world, cm, twilio):
    default(cm)
    route(cm, country="NL")
    route(twilio, sender="Acme")

    assert order(world, country="NL", sender="Acme") == [twilio]
    assert order(world, country="NL", sender="Other") == [cm]


@pytest.mark.parametrize("sender", ["36179", "+31970102030", "news@acme.example"])
def test_a_number_or_address_has_nobody_who_takes_over(world, cm, twilio, sender):
    route(cm, rank=1)
    route(twilio, rank=2)

    assert order(world, country="NL", sender=sender) == [cm]


def test_what_is_down_is_passed_until_it_is_time_to_try_it(world, cm, twilio):
    route(cm, rank=1)
    route(twilio, rank=2)
    down(cm)
    assert Gateway.carrying("sms", company=world.acme, country="NL") == twilio

    down(cm, minutes=-1)
    assert Gateway.carrying("sms", company=world.acme, country="NL") == cm


def test_where_all_are_down_the_first_one_waits(world, cm, twilio):
    route(cm, rank=1)
    route(twilio, rank=2)
    down(cm)
    down(twilio)

    routes = Routes(company=world.acme, channel="sms")

    assert routes.choose(country="NL") == cm
    assert routes.after(cm, country="NL", sender="") is None


def test_another_company_s_gateway_is_never_chosen(world, cm):
    theirs = Gateway.objects.create(company=world.rival, kind="twilio")
    Route.objects.create(company=world.acme, channel="sms", gateway=theirs)

    assert theirs not in order(world, country="NL")


def test_a_route_stands_once_and_a_price_has_a_currency(world, cm):
    route(cm)
    for wrong in ({}, {"country": "NL", "price": "1"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            route(cm, **wrong)
