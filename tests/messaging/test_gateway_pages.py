"""An owner's gateways: added, tried, watched, changed, routed and switched off in pages. Secrets never come back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from campaigns import dispatch, gate
from messaging import health
from messaging.addresses import Address
from messaging.gateway_forms import RouteForm
from messaging.gateways import ADAPTERS, Outcome, Outgoing, Simulator, Verdict
from messaging.models import Gateway, GatewayResult, GatewayTest, HandsetMessage, Message, Route
from tests import make
from tests.world import PHONE

pytestmark = pytest.mark.django_db
LIST = "/settings/gateways"
NEW = "/settings/gateways/new"
SECRET = "a-secret-that-nobody-sees"
PUBLIC_HOST = "93.184.215.14"


class Refuses(Simulator):
    """Nobody listens."""

    def send(self, messages):
        return [Outcome(Verdict.RETRYABLE, error="no connection to the provider", gateway_at_fault=True)] * len(
            messages
        )


@pytest.fixture
def owner(client, world):
    client.force_login(world.owner.user)
    return client


def simulator(world) -> Gateway:
    return Gateway.objects.of(world.acme).get(kind="simulator")


def twilio(world, **fields) -> Gateway:
    settings = {"account_sid": "AC1", "auth_token": SECRET}
    return Gateway.objects.create(company=world.acme, kind="twilio", settings=settings, **fields)


# Adding and changing


@pytest.mark.parametrize("role", ["viewer", "marketer"])
def test_gateways_are_for_owners(client, world, role):
    client.force_login(getattr(world, role).user)

    for path in (LIST, f"{NEW}?kind=cm", f"{LIST}/{simulator(world).pk}"):
        assert client.get(path).status_code == 403
    assert client.post(NEW, {"kind": "cm", "product_token": SECRET}).status_code == 403


@pytest.mark.parametrize(
    "kind", [k for k, a in ADAPTERS.items() if a.is_offered and "base_url" not in a.account.needed]
)
def test_each_provider_has_its_form_without_another_host(owner, kind):
    page = owner.get(NEW, {"kind": kind})

    assert page.status_code == 200
    assert set(ADAPTERS[kind].account.needed) <= set(page.context["form"].fields)
    assert "base_url" not in page.context["form"].fields


def test_every_provider_can_be_chosen_by_its_name(owner):
    page = owner.get(LIST).content.decode()

    for kind in ("cm", "twilio", "smtp", "mailgun"):
        assert f'<option value="{kind}">{ADAPTERS[kind].label}</option>' in page


@pytest.mark.parametrize("kind", ["nothing", "scripted", "", "x" * 5000, "\x00"])
def test_what_is_not_offered_cannot_be_added(owner, world, kind):
    assert owner.post(NEW, {"kind": kind}).status_code == 302
    assert Gateway.objects.of(world.acme).count() == 1


def test_an_owner_adds_an_account_and_gets_the_addresses_for_the_provider(owner, world):
    page = owner.post(NEW, {"kind": "cm", "name": "Ours", "product_token": SECRET}, follow=True)

    made = Gateway.objects.of(world.acme).get(kind="cm")
    assert (made.name, made.settings, made.is_default) == ("Ours", {"product_token": SECRET}, False)
    assert made.hook_url("inbound") in page.content.decode()
    assert made.hook_url("status") in page.content.decode()
    assert SECRET not in page.content.decode()
    assert SECRET.encode() not in bytes(made.sealed_settings)


def test_another_host_that_is_slipped_into_the_form_is_not_taken(owner, world):
    owner.post(NEW, {"kind": "cm", "product_token": SECRET, "base_url": "http://169.254.169.254"})

    assert "base_url" not in Gateway.objects.of(world.acme).get(kind="cm").settings


@pytest.mark.parametrize(
    "fields",
    [{}, {"product_token": ""}, {"product_token": "x\x00y"}, {"product_token": "x" * 20_000},
     {"product_token": "x", "rate": "many"}, {"product_token": "x", "rate": "-1"},
     {"product_token": "x", "name": "a\nb"}],
)  # fmt: skip
def test_an_account_that_makes_no_sense_is_refused_by_its_field(owner, world, fields):
    page = owner.post(NEW, {"kind": "cm", **fields})

    assert page.status_code == 422
    assert page.context["form"].errors
    assert not Gateway.objects.of(world.acme).filter(kind="cm").exists()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254", "[::1]", "::1", "::ffff:127.0.0.1", "0", "127.1",
             "2130706433", "0x7f000001", "192.168.0.1", "no such host", "x" * 254, "ä..ö"],
)  # fmt: skip
def test_a_mail_server_behind_us_is_refused(owner, world, host):
    page = owner.post(NEW, {"kind": "smtp", "host": host, "from_email": "news@acme.example", "port": "25"})

    assert page.status_code == 422
    assert "host" in page.context["form"].errors


def test_a_mail_server_in_the_world_is_taken_and_an_odd_port_is_not(owner, world):
    fields = {"kind": "smtp", "host": PUBLIC_HOST, "from_email": "news@acme.example", "password": SECRET}

    assert owner.post(NEW, {**fields, "port": "22"}).status_code == 422
    assert owner.post(NEW, {**fields, "port": "465"}).status_code == 302
    made = Gateway.objects.of(world.acme).get(kind="smtp")
    assert made.public_only
    assert made.settings["port"] == "465"


def test_a_name_that_leads_into_our_network_later_is_not_connected_to(world):
    """As a name server can be told to say something else after the form was saved."""
    made = Gateway.objects.create(
        company=world.acme,
        kind="smtp",
        public_only=True,
        settings={"host": "127.0.0.1", "port": "25", "from_email": "news@acme.example"},
    )
    (outcome,) = ADAPTERS["smtp"](made).send([Outgoing(1, "email", "a@b.example", "", "Hi", "Hi")])

    assert (outcome.verdict, outcome.error) == (Verdict.RETRYABLE, "no connection to the mail server")


def test_credentials_are_rotated_and_what_is_left_empty_stays(owner, world):
    found = twilio(world)
    path = f"{LIST}/{found.pk}"
    page = owner.get(path)
    assert SECRET not in page.content.decode()
    assert "AC1" not in page.content.decode()

    assert (
        owner.post(path, {"name": "Renamed", "auth_token": "newer", "auth_token_secondary": SECRET}).status_code == 302
    )
    found.refresh_from_db()
    assert found.name == "Renamed"
    assert found.settings == {"account_sid": "AC1", "auth_token": "newer", "auth_token_secondary": SECRET}

    owner.post(path, {"clear_auth_token_secondary": "on"})
    found.refresh_from_db()
    assert found.settings == {"account_sid": "AC1", "auth_token": "newer"}


def test_what_an_administrator_set_is_kept_when_an_owner_rotates(owner, world):
    found = Gateway.objects.create(
        company=world.acme, kind="cm", settings={"product_token": "old", "base_url": "http://gateway.internal"}
    )

    owner.post(f"{LIST}/{found.pk}", {"product_token": "new"})

    found.refresh_from_db()
    assert found.settings == {"product_token": "new", "base_url": "http://gateway.internal"}


def test_an_owner_cannot_send_a_stored_password_to_another_server_in_our_network(owner, world):
    found = Gateway.objects.create(
        company=world.acme,
        kind="smtp",
        settings={"host": "mail.internal", "from_email": "a@acme.example", "password": SECRET},
    )
    same = {"host": "mail.internal", "from_email": "b@acme.example"}

    assert owner.post(f"{LIST}/{found.pk}", {**same, "host": "127.0.0.1"}).status_code == 422
    found.refresh_from_db()
    assert found.settings["host"] == "mail.internal"


def test_settings_under_another_secret_key_can_be_typed_again(owner, world, settings):
    found = twilio(world)
    Gateway.objects.of(world.acme).filter(pk=found.pk).update(sealed_settings=b"sealed elsewhere")

    assert owner.post(f"{LIST}/{found.pk}", {"auth_token": "x"}).status_code == 422
    assert owner.post(f"{LIST}/{found.pk}", {"auth_token": "x", "account_sid": "AC2"}).status_code == 302


# Trying out


def test_an_owner_sends_herself_a_message_and_sees_what_became_of_it(owner, world):
    found = simulator(world)
    assert owner.post(f"{LIST}/{found.pk}/test", {"to": PHONE, "sender": ""}).status_code == 302
    assert 'hx-trigger="every 2s"' in owner.get(f"{LIST}/{found.pk}/tests").content.decode()

    dispatch.run(category="transactional")

    assert HandsetMessage.objects.of(world.acme).get().to == PHONE
    shown = owner.get(f"{LIST}/{found.pk}/tests").content.decode()
    assert "delivered" in shown
    assert "hx-trigger" not in shown


def test_a_test_is_tried_once_through_this_gateway_and_no_other(owner, world, monkeypatch):
    other = Gateway.objects.create(company=world.acme, kind="refuses")
    monkeypatch.setitem(ADAPTERS, "refuses", Refuses)
    for rank, gateway in enumerate((other, simulator(world)), 1):
        Route.objects.create(company=world.acme, channel="sms", gateway=gateway, rank=rank)
    Gateway.objects.of(world.acme).filter(pk=other.pk).update(
        failures=3, down_since=timezone.now(), next_try_at=timezone.now() + timedelta(minutes=5)
    )

    owner.post(f"{LIST}/{other.pk}/test", {"to": PHONE, "sender": ""})
    dispatch.run(category="transactional")

    message = GatewayTest.objects.of(world.acme).get().message
    assert (message.status, message.error) == ("failed", "no connection to the provider")
    assert not HandsetMessage.objects.of(world.acme).exists()
    assert "no connection to the provider" in owner.get(f"{LIST}/{other.pk}").content.decode()


@pytest.mark.parametrize("to", ["", "nobody", "x" * 300, "\x00", "+1", "99999999999999999999"])
def test_a_test_to_nowhere_is_refused(owner, world, to):
    assert owner.post(f"{LIST}/{simulator(world).pk}/test", {"to": to, "sender": ""}).status_code == 422


def test_tests_are_few(owner, world):
    for _ in range(25):
        owner.post(f"{LIST}/{simulator(world).pk}/test", {"to": "me@acme.example", "sender": ""})

    assert GatewayTest.objects.of(world.acme).count() == 20


# Health


def test_the_page_says_how_a_gateway_is_doing(owner, world):
    gate.send(company=world.acme, to=Address("sms", PHONE), body="Hi", category="transactional")
    assert health.queued(world.acme) == {simulator(world).pk: 1}
    dispatch.run(category="transactional")

    page = owner.get(LIST)

    (row,) = page.context["gateways"]
    assert (row.state, row.queued, row.hour.sent, row.hour.share) == ("Works", 0, 1, 0.0)
    assert row.gateway.last_success_at


def test_the_share_of_what_was_not_taken(world):
    found = simulator(world)
    accepted, unknown = Outcome(Verdict.ACCEPTED), Outcome(Verdict.UNKNOWN, error="x")
    health.heed(found, [accepted] * 3 + [unknown])
    GatewayResult.objects.create(company=world.acme, gateway=found, at=make.long_ago(timedelta(hours=3)), rejected=4)

    assert (health.figures(found, hours=1).share, health.figures(found, hours=24).share) == (25.0, 62.5)


def test_old_figures_are_kept_by_the_hour_and_then_not_at_all(world):
    found = simulator(world)
    for hours in (5, 5, 60):
        GatewayResult.objects.create(
            company=world.acme, gateway=found, at=make.long_ago(timedelta(hours=hours)), taken=2
        )

    health.sweep()
    health.sweep()

    (row,) = GatewayResult.objects.of(world.acme)
    assert (row.taken, row.at.minute) == (4, 0)


# Default, off, removed


def test_one_gateway_is_the_default(owner, world):
    found = twilio(world)

    owner.post(f"{LIST}/{found.pk}/default")

    assert list(Gateway.objects.of(world.acme).filter(is_default=True)) == [found]


def test_a_gateway_for_which_messages_wait_is_not_switched_off_without_another(owner, world):
    found = simulator(world)
    gate.send(company=world.acme, to=Address("sms", PHONE), body="Hi", category="transactional")

    owner.post(f"{LIST}/{found.pk}/switch")

    found.refresh_from_db()
    assert found.switched_off_at is None


def test_what_waits_for_a_real_gateway_does_not_end_in_the_simulator(owner, world):
    found = twilio(world)
    owner.post(f"{LIST}/{found.pk}/default")
    gate.send(company=world.acme, to=Address("sms", PHONE), body="Hi", category="transactional")

    owner.post(f"{LIST}/{found.pk}/switch")

    found.refresh_from_db()
    assert found.switched_off_at is None


def test_a_gateway_that_is_off_takes_nothing_and_can_be_switched_on(owner, world):
    found = twilio(world)
    owner.post(f"{LIST}/{found.pk}/default")
    owner.post(f"{LIST}/{found.pk}/switch")
    assert Gateway.carrying("sms", company=world.acme) == simulator(world)
    owner.post(f"{LIST}/{found.pk}/default")
    assert Gateway.carrying("sms", company=world.acme) == simulator(world)

    owner.post(f"{LIST}/{found.pk}/switch")

    found.refresh_from_db()
    assert found.switched_off_at is None


def test_only_an_unused_gateway_is_removed(owner, world):
    gate.send(company=world.acme, to=Address("sms", PHONE), body="Hi", category="transactional")
    used, unused = simulator(world), twilio(world)

    for found in (used, unused):
        owner.post(f"{LIST}/{found.pk}/remove")

    assert list(Gateway.objects.of(world.acme)) == [used]


# Routes


def test_a_route_is_added_and_removed(owner, world):
    found = twilio(world)
    fields = {"gateway": found.pk, "channel": "sms", "country": "fr", "sender": "", "rank": "1"}
    assert owner.post(LIST, {**fields, "price": "0.04", "currency": "eur"}).status_code == 302
    route = Route.objects.of(world.acme).get()
    assert (route.country, str(route.price), route.currency) == ("FR", "0.04000", "EUR")

    assert owner.post(LIST, fields).status_code == 422, "twice"
    owner.post(f"/settings/routes/{route.pk}/remove")
    assert not Route.objects.of(world.acme).exists()


@pytest.mark.parametrize(
    "wrong",
    [{"country": "XX"}, {"country": "\x00\x00"}, {"channel": "email"}, {"channel": "fax"},
     {"gateway": "99999999999999999999"}, {"gateway": "x"}, {"rank": "-1"}, {"rank": "99999999999"},
     {"price": "-1"}, {"price": "NaN"}, {"price": "1e99"},
     {"price": "1", "currency": ""}, {"price": "1", "currency": "€€€"}, {"sender": "Unknown"}],
)  # fmt: skip
def test_a_route_that_makes_no_sense_is_refused(owner, world, wrong):
    fields = {
        "gateway": twilio(world).pk,
        "channel": "sms",
        "country": "",
        "sender": "",
        "rank": "1",
        "currency": "EUR",
    }

    assert owner.post(LIST, {**fields, **wrong}).status_code == 422
    assert not Route.objects.of(world.acme).exists()


def test_a_route_that_somebody_adds_at_the_same_moment_is_a_message_not_an_error(owner, world, monkeypatch):
    found = simulator(world)
    Route.objects.create(company=world.acme, channel="sms", gateway=found)
    monkeypatch.setattr(RouteForm, "_known", lambda *_: False)  # as it was when the form looked

    page = owner.post(LIST, {"gateway": found.pk, "channel": "sms", "rank": 1})

    assert page.status_code == 422
    assert "You have this route already." in page.content.decode()


def test_a_rival_s_gateway_is_in_no_route(owner, world):
    foreign = Gateway.objects.of(world.rival).get()
    fields = {"gateway": foreign.pk, "channel": "sms", "country": "", "sender": "", "rank": "1"}

    assert owner.post(LIST, fields).status_code == 422


def test_the_launch_page_says_what_it_will_cost(owner, world):
    make.contact(world.acme, "+33612345678", group=world.customers)
    found = twilio(world)
    Route.objects.create(company=world.acme, channel="sms", country="NL", gateway=found, price="0.08", currency="EUR")
    campaign = make.campaign(world.acme, world.customers, sender="Acme", body="x" * 200)

    page = owner.get(f"/campaigns/{campaign.pk}/review")

    assert page.context["cost"].sums == [("EUR", Decimal("0.16"))], "two parts at 0.08"
    assert page.context["cost"].unpriced == 1
    assert "EUR" in page.content.decode()


def test_without_prices_nothing_is_said_about_costs(owner, world):
    campaign = make.campaign(world.acme, world.customers, sender="Acme")

    assert owner.get(f"/campaigns/{campaign.pk}/review").context["cost"] is None


def test_a_message_is_tested_but_not_counted_as_somebody_s(owner, world):
    """The test belongs to no contact and no campaign."""
    owner.post(f"{LIST}/{simulator(world).pk}/test", {"to": PHONE, "sender": ""})

    message = Message.objects.of(world.acme).get()
    assert (message.contact, message.campaign, message.category) == (None, None, "transactional")
