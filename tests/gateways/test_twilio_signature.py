"""Twilio's own validator and ours agree on every request."""

from __future__ import annotations

import hashlib
import itertools
from urllib.parse import parse_qs, urlencode

import pytest
from django.test import Client
from twilio.request_validator import RequestValidator

from addressbook.models import Suppression
from messaging.gateways import ADAPTERS, Hook
from messaging.gateways.twilio import sign
from messaging.models import Gateway
from tests.world import PHONE

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-the-account"
OFFICIAL = RequestValidator(TOKEN)
URLS = [
    "https://app.example/hooks/twilio/7/inbound",
    "https://app.example:443/hooks/twilio/7/inbound",
    "https://app.example:8443/hooks/twilio/7/inbound",
    "http://app.example/hooks/twilio/7/inbound",
    "http://app.example:80/hooks/twilio/7/inbound",
    "http://localhost:8000/hooks/twilio/7/inbound?a=1&b=%20x%2B&c=é",
]
FORMS = [
    [],
    [("From", PHONE), ("To", "3010"), ("Body", "STOP")],
    [("Body", ""), ("From", "+33 6"), ("Empty", "")],
    [("Body", "Arrêt svp 🙂 ü\n\tnew line"), ("To", "+1&2=3"), ("From", "a%20b+c")],
    [("Url", "https://b"), ("Url", "https://a"), ("Url", "https://b"), ("Z", "1"), ("a", "2"), ("A", "3")],
    [("b[]", "2"), ("b[]", "10"), ("b", "x"), ("B", "y"), ('{"json"', ': "é"}')],
]


class Many(dict):
    """A form as frameworks give it to the validator."""

    def getall(self, name: str) -> list[str]:
        return self[name]


def form(fields) -> Many:
    return Many(parse_qs(urlencode(fields), keep_blank_values=True))


@pytest.fixture
def adapter(world):
    made = Gateway.objects.create(
        company=world.acme, kind="twilio", settings={"account_sid": "AC1", "auth_token": TOKEN}
    )
    return ADAPTERS["twilio"](made)


def hook(url: str, fields, signature: str, **headers: str) -> Hook:
    return Hook(
        kind="inbound",
        url=url,
        body=urlencode(fields).encode(),
        headers={"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature, **headers},
    )


def test_what_twilio_signs_is_let_in_and_what_we_sign_is_valid_there(adapter):
    for url, fields in itertools.product(URLS, FORMS):
        theirs = OFFICIAL.compute_signature(url, form(fields))
        ours = sign(TOKEN, url + "".join(f"{name}{value}" for name, value in sorted(set(fields))))

        assert theirs == ours, (url, fields)
        assert adapter.is_authentic(hook(url, fields, theirs)), (url, fields)
        assert OFFICIAL.validate(url, form(fields), ours), (url, fields)


def test_both_know_an_address_with_and_without_its_port(adapter):
    for one, other in itertools.product(URLS, URLS):
        signature = OFFICIAL.compute_signature(one, form(FORMS[1]))

        here = adapter.is_authentic(hook(other, FORMS[1], signature))
        assert here is OFFICIAL.validate(other, form(FORMS[1]), signature), (one, other)


def test_both_refuse_what_was_changed(adapter):
    url = URLS[0]
    for signed_fields, sent in itertools.permutations(FORMS, 2):
        signature = OFFICIAL.compute_signature(url, form(signed_fields))

        assert not adapter.is_authentic(hook(url, sent, signature))
        assert not OFFICIAL.validate(url, form(sent), signature)
    right, other = (one.compute_signature(url, form(FORMS[1])) for one in (OFFICIAL, RequestValidator("other")))
    for signature in ("", "x", right[:-1], other):
        assert not adapter.is_authentic(hook(url, FORMS[1], signature))
        assert not OFFICIAL.validate(url, form(FORMS[1]), signature)


def test_both_check_a_json_body_by_its_hash(adapter):
    body = '{"text": "é STOP"}'
    url = f"{URLS[0]}?bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
    signature = OFFICIAL.compute_signature(url, {})
    headers = {"content-type": "application/json", "x-twilio-signature": signature}

    for sent in (body, body.replace("STOP", "GO")):
        here = adapter.is_authentic(Hook("status", url, sent.encode(), headers))
        assert here is OFFICIAL.validate(url, sent, signature) is (sent == body)


@pytest.mark.parametrize("way", ["HMAC_SHA1", "HMAC_SHA256", "HMAC_MD5", ""])
def test_both_take_the_algorithm_that_the_request_names(adapter, way):
    url, fields = URLS[0], FORMS[1]
    known = way in {"HMAC_SHA1", "HMAC_SHA256", ""}
    signature = OFFICIAL.compute_signature(url, form(fields), way if known else "HMAC_SHA1")
    named = {"x-twilio-webhooks-signature-settings": f"key=webhooks_sharedkey_1,algorithm={way}"}

    assert adapter.is_authentic(hook(url, fields, signature, **named)) is known
    assert OFFICIAL.validate(url, form(fields), signature, way) is known


def test_a_stop_that_twilio_has_signed_is_in_force(adapter, world):
    url, fields = adapter.gateway.hook_url("inbound") + "?a=b", {**dict(FORMS[1]), "MessageSid": "SM1"}
    signature = OFFICIAL.compute_signature(url, fields)
    body = urlencode(fields).encode()

    answer = Client().post(url, body, "application/x-www-form-urlencoded", headers={"X-Twilio-Signature": signature})

    assert answer.status_code == 200
    assert Suppression.objects.of(world.acme).filter(address=PHONE).exists()
