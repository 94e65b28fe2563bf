from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from tests import make
from tests.webhooks.receiver import deliver, receiver
from tests.world import CANARY
from webhooks.models import EVENTS, MOST_ENDPOINTS, Delivery, Endpoint

URL = "https://8.8.8.8/hook"
FORM = {"url": URL, "events": ["suppression.created", "reply.received"]}
LIST = reverse("webhooks:endpoints")


@pytest.fixture
def owner(client, world):
    client.force_login(world.owner.user)
    return client


@pytest.fixture
def endpoint(world) -> Endpoint:
    return Endpoint.issue(company=world.acme, url=URL, events=list(EVENTS))[0]


def _page(name, endpoint, *more):
    return reverse(f"webhooks:{name}", args=[endpoint.pk, *more])


def test_a_webhook_is_added_and_its_secret_shown_once(owner, world):
    added = owner.post(LIST, FORM)

    assert "whsec_" in added.content.decode()
    endpoint = Endpoint.objects.of(world.acme).get()
    assert (endpoint.url, endpoint.events) == (URL, FORM["events"])
    assert "whsec_" not in owner.get(LIST).content.decode()
    assert URL in owner.get(LIST).content.decode()


@pytest.mark.parametrize("change", [{"url": "https://127.0.0.1"}, {"url": "http://8.8.8.8"}, {"events": []}])
def test_a_wrong_one_is_refused_at_its_field(owner, world, change):
    answer = owner.post(LIST, {**FORM, **change})

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == list(change)
    assert not Endpoint.objects.of(world.acme).exists()


def test_no_more_are_added_than_allowed(owner, world):
    for _ in range(MOST_ENDPOINTS):
        Endpoint.issue(company=world.acme, url=URL, events=["reply.received"])

    assert owner.post(LIST, FORM).status_code == 422
    assert Endpoint.objects.of(world.acme).count() == MOST_ENDPOINTS


def test_a_webhook_is_deleted(owner, world, endpoint):
    owner.post(_page("delete", endpoint))

    assert not Endpoint.objects.of(world.acme).exists()
    assert owner.get(_page("endpoint", endpoint)).status_code == 404


def test_the_log_shows_what_was_told_and_a_button_tells_it_again(owner, world, loopback):
    with receiver(world.acme) as acme:
        owner.post(_page("test", acme.endpoint))
        deliver()
        log = owner.get(_page("endpoint", acme.endpoint)).content.decode()
        owner.post(_page("again", acme.endpoint, Delivery.objects.of(world.acme).get().pk))
        deliver()

    assert ">204<" in log
    assert len(acme.ids) == 2
    assert len(set(acme.ids)) == 1


def test_the_log_goes_on_on_further_pages(owner, world, endpoint):
    for _ in range(60):
        endpoint.send_test()
    first = owner.get(_page("endpoint", endpoint))
    rest = owner.get(_page("endpoint", endpoint), {"after": first.context["page"].next})

    assert (len(first.context["page"].items), len(rest.context["page"].items)) == (50, 10)


def test_what_was_switched_off_says_why_and_is_switched_on(owner, world, endpoint):
    Endpoint.objects.of(world.acme).update(disabled_at=make.long_ago(timedelta(days=1)), disabled_why="gone")
    page = owner.get(_page("endpoint", endpoint)).content.decode()
    owner.post(_page("test", endpoint))
    assert not Delivery.objects.of(world.acme).exists()
    owner.post(_page("enable", endpoint))

    assert "410" in page
    endpoint.refresh_from_db()
    assert endpoint.disabled_at is None


def test_a_new_secret_is_shown_once(owner, endpoint):
    assert "whsec_" in owner.post(_page("rotate", endpoint)).content.decode()
    assert "whsec_" not in owner.get(_page("endpoint", endpoint)).content.decode()


@pytest.mark.parametrize("role", ["marketer", "viewer"])
def test_only_owners_see_webhooks(client, world, endpoint, role):
    client.force_login(getattr(world, role).user)

    assert client.get(LIST).status_code == 403
    assert client.get(_page("endpoint", endpoint)).status_code == 403
    assert client.post(_page("delete", endpoint)).status_code == 403


def test_nothing_of_rival_s_is_shown_or_tried_again(owner, world, endpoint):
    theirs, _secret = Endpoint.issue(company=world.rival, url=f"https://{CANARY}.example", events=list(EVENTS))
    delivery = theirs.send_test()

    assert CANARY not in owner.get(LIST).content.decode()
    assert owner.get(_page("endpoint", theirs)).status_code == 404
    assert owner.post(_page("again", theirs, delivery.pk)).status_code == 404
    assert owner.post(_page("again", endpoint, delivery.pk)).status_code == 404
