"""Promises 6, 7 and 12: opening changes nothing; the number is the key; in force at once."""

from __future__ import annotations

import re

import pytest
from django.test import Client, override_settings
from django.urls import get_resolver

from addressbook.models import ConsentEvent, Suppression
from campaigns import audience, dispatch, gate
from messaging.addresses import Address
from messaging.models import HandsetMessage
from optout import portal
from optout.links import codes
from tests import make
from tests.optout import links
from tests.optout.test_landing import everything
from tests.world import PHONE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("config.short_urls")]
OPENING = ("get", "head", "options")
OTHER = ("put", "patch", "delete", "trace")


@pytest.fixture(autouse=True)
def short_host():
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://testserver", ALLOWED_HOSTS=["*"]):
        yield


@pytest.fixture
def addresses(world) -> list[str]:
    """Every address of the short domain, for a real SMS and a real e-mail."""
    sms, mail = links.message(world.acme, PHONE), links.message(world.acme, world.contact.email)
    asked = portal.ask(company=world.acme, address=Address("sms", PHONE), language="en", network="192.0.2.1")
    values = {
        "code": codes().encode(sms.pk),
        "tagged": codes().encode_tagged(mail.pk),
        "slug": world.acme.slug,
        "token": asked,
        "name": "logo.png",
    }
    found = []
    for message in (sms, mail):
        for purpose in ("out", "already", "in"):
            more = values | {"purpose": purpose, "receipt": codes().receipt(message.pk, purpose), "path": "x"}
            found += [_fill(pattern, more) for pattern in _patterns(get_resolver("config.short_urls"))]
    return sorted(set(found))


def _patterns(resolver, prefix=""):
    for entry in resolver.url_patterns:
        if hasattr(entry, "url_patterns"):
            yield from _patterns(entry, prefix + str(entry.pattern))
        else:
            yield prefix + str(entry.pattern), entry.pattern.converters


def _fill(pattern, values) -> str:
    text, converters = pattern
    for name in converters:
        assert name in values, f"a new kind of address on the short domain: give {name} a value here"
        text = re.sub(rf"<(\w+:)?{name}>", str(values[name]), text)
    return f"/{text}"


@pytest.mark.parametrize("method", [*OPENING, *OTHER])
def test_opening_any_address_of_the_short_domain_changes_nothing(addresses, method):
    """As mail scanners and phones do, with whatever they append."""
    before = everything()

    for address in addresses:
        for query in ("", f"?phone={PHONE}&List-Unsubscribe=One-Click&reason=other", "?_method=POST"):
            answer = getattr(Client(), method)(address + query, headers={"X-HTTP-Method-Override": "POST"})
            assert answer.status_code < 500, (method, address)

    assert len(addresses) > 8
    after = everything()
    assert {table for table in after if after[table] != before[table]} <= {"accounts_bucket"}


@pytest.mark.parametrize("method", [*OPENING, *OTHER])
def test_a_form_in_the_body_of_another_method_changes_nothing(world, method):
    mail = links.message(world.acme, world.contact.email)

    form = "application/x-www-form-urlencoded"
    Client().generic(method.upper(), links.path(mail), b"List-Unsubscribe=One-Click", content_type=form)

    assert not ConsentEvent.objects.of(world.acme).exists()


@pytest.mark.parametrize("typed", ["+31612345679", "+33687654321", "0612345679", "", "abc", "' OR 1=1 --"])
def test_only_the_number_that_got_the_message_opens(world, client, typed):
    message = links.message(world.acme, PHONE)

    answer = client.post(links.path(message), {"phone": typed})

    assert answer.status_code == 422
    assert not Suppression.objects.of(world.acme).exists()
    assert PHONE not in answer.content.decode()
    assert PHONE[3:] not in answer.content.decode()


def test_the_page_does_not_tell_a_known_number_from_an_unknown_one(world, client):
    known = make.contact(world.acme, "+31612345679").phone
    message = links.message(world.acme, PHONE)

    numbers = (known, "+31612345670")
    answers = [client.post(links.path(message), {"phone": number}) for number in numbers]

    pages = {a.content.decode().replace(number, "") for a, number in zip(answers, numbers, strict=True)}
    assert {a.status_code for a in answers} == {422}
    assert len(pages) == 1


def test_one_person_s_link_does_not_open_with_another_s_number(world, client):
    mine = links.message(world.acme, PHONE)
    other = make.contact(world.acme, "+31612345679")
    links.message(world.acme, other.phone)

    assert client.post(links.path(mine), {"phone": other.phone}).status_code == 422
    assert not Suppression.objects.of(world.acme).exists()


def test_it_is_in_force_in_the_same_request(world, client):
    """Nobody waits: no job runs between the page and the next look."""
    campaign = make.campaign(world.acme, world.customers)
    campaign.launch()
    audience.build(campaign)
    message = campaign.messages(manager="objects").of(world.acme).get()

    client.post(links.path(message), {"phone": "06 12345678"})

    with pytest.raises(gate.Suppressed):
        gate.send(company=world.acme, to=Address("sms", PHONE), body="Sale", category="marketing")
    dispatch.run(category="marketing")
    assert not HandsetMessage.objects.of(world.acme).exists()
