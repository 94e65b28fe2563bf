from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from messaging.gateways import Block, Hook, Verdict, references
from tests.gateways import stub
from tests.gateways.conformance import Conformance, outgoing
from tests.gateways.stub import said

SECRET = "a secret of thirty-two characters"
BODY = {
    "message_uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab", "to": "3010", "from": "31612345678",
    "timestamp": "2026-11-23T10:00:00Z", "channel": "sms", "message_type": "text", "text": "stop by tomorrow",
    "sms": {"num_messages": "1", "keyword": "STOP"},
}  # fmt: skip


@cache
def application_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem() -> str:
    kinds = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return application_key().private_bytes(*kinds).decode()


def packed(value) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token(body: bytes, *, secret: str = SECRET, header=None, **claims) -> str:
    said = {
        "iss": "Vonage", "iat": int(time.time()), "jti": "x", "api_key": "key1",
        "payload_hash": hashlib.sha256(body).hexdigest(), **claims,
    }  # fmt: skip
    signed = packed({"alg": "HS256", "typ": "JWT"} if header is None else header) + "." + packed(said)
    return signed + "." + packed(hmac.digest(secret.encode(), signed.encode(), "sha256"))


def hook(body, *, kind: str = "inbound", bearer: str = "") -> Hook:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Hook(kind, "https://x.example/h", data, {"authorization": f"Bearer {bearer}"})


def status(word: str, **more) -> Hook:
    return hook({"message_uuid": "u1", "to": "31612345678", "from": "Acme", "status": word, **more}, kind="status")


class TestVonage(Conformance):
    kind = "vonage"
    settings = {"api_key": "key1", "api_secret": "secret1", "signature_secret": SECRET}

    def accepts(self, request):
        return said(202, {"message_uuid": hashlib.md5(request.body).hexdigest()})

    def test_the_request_is_as_documented(self):
        with stub.provider(said(202, {"message_uuid": "u1"})) as provider:
            adapter = self.adapter(provider.base_url)
            (outcome,) = adapter.send([outgoing(7, sender="+31970102030")])

        (request,) = provider.requests
        assert request.path == "/v1/messages"
        assert request.headers["authorization"] == "Basic " + base64.b64encode(b"key1:secret1").decode()
        assert request.json() == {
            "message_type": "text",
            "channel": "sms",
            "to": "31612340007",
            "from": "31970102030",
            "text": "Sale! STOP 3010",
            "client_ref": references.write(7),
            "ttl": 14400,
            "webhook_url": adapter.gateway.hook_url("status"),
            "webhook_version": "v1",
            "sms": {"encoding_type": "auto"},
        }
        assert outcome.provider_id == "u1"

    @pytest.mark.parametrize("one_line", [False, True])
    def test_an_application_signs_with_its_private_key(self, one_line):
        key = pem().replace("\n", "\\n") if one_line else pem()
        with stub.provider(self.accepts) as provider:
            self.adapter(provider.base_url, application_id="app1", private_key=key).send([outgoing()])

        kind, bearer = provider.requests[0].headers["authorization"].split(" ")
        header, claims, signature = bearer.split(".")
        assert kind == "Bearer"
        assert json.loads(unpacked(header)) == {"typ": "JWT", "alg": "RS256"}
        application_key().public_key().verify(
            unpacked(signature), f"{header}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        said_claims = json.loads(unpacked(claims))
        assert said_claims.keys() == {"application_id", "iat", "exp", "jti"}
        assert said_claims["application_id"] == "app1"
        assert said_claims["iat"] <= time.time() < said_claims["exp"]

    @pytest.mark.parametrize("key", ["p", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"])
    def test_without_a_usable_key_it_is_the_account_that_asks(self, key):
        with stub.provider(self.accepts) as provider:
            self.adapter(provider.base_url, application_id="app1", private_key=key).send([outgoing()])

        assert provider.requests[0].headers["authorization"].startswith("Basic ")

    @pytest.mark.parametrize(
        ("http_status", "body", "verdict", "block"),
        [
            (422, {"type": "https://x#1120", "title": "Illegal sender", "detail": "d"}, Verdict.REJECTED, None),
            (422, {"type": "https://x#invalid-params", "title": "Invalid", "detail": "d"}, Verdict.REJECTED, None),
            (422, {"type": "https://x#1050", "title": "1050"}, Verdict.REJECTED, Block.OPTED_OUT),
            (422, {"type": "https://x#1000", "title": "Throttled"}, Verdict.RETRYABLE, None),
            (402, {"type": "https://x#low-balance", "title": "Low balance"}, Verdict.RETRYABLE, None),
            (422, {"type": "https://x#1070", "title": "Quota"}, Verdict.RETRYABLE, None),
            (409, {"title": "?"}, Verdict.UNKNOWN, None),
            (422, {}, Verdict.UNKNOWN, None),
        ],
    )
    def test_each_problem_has_its_verdict(self, http_status, body, verdict, block):
        outcome = self.verdict(said(http_status, body))

        assert (outcome.verdict, outcome.block) == (verdict, block)

    def test_a_signed_webhook_is_authentic(self):
        body = json.dumps(BODY).encode()

        assert self.adapter().is_authentic(hook(body, bearer=token(body)))
        assert self.adapter(application_id="app1").is_authentic(hook(body, bearer=token(body, application_id="app1")))

    @pytest.mark.parametrize(
        "change",
        [
            {"secret": "another"},
            {"iat": int(time.time()) - 3600},
            {"iat": int(time.time()) + 3600},
            {"iat": "soon"},
            {"iat": None},
            {"api_key": "key2"},
            {"application_id": "app2"},
            {"payload_hash": hashlib.sha256(b"another").hexdigest()},
            {"payload_hash": 5},
            {"header": {"alg": "none", "typ": "JWT"}},
            {"header": {"alg": "HS512", "typ": "JWT"}},
            {"header": []},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_any_other_token_is_refused(self, change):
        body = json.dumps(BODY).encode()

        assert not self.adapter(application_id="app1").is_authentic(hook(body, bearer=token(body, **change)))

    @pytest.mark.parametrize("bearer", ["", ".", "..", "a.b.c", "é.é.é", "a.b.c.d", "." * 10_000])
    def test_what_is_no_token_is_refused(self, bearer):
        assert not self.adapter().is_authentic(hook(BODY, bearer=bearer))

    def test_another_body_is_refused(self):
        assert not self.adapter().is_authentic(hook({**BODY, "text": "STOP"}, bearer=token(json.dumps(BODY).encode())))

    def test_basic_is_no_signature(self):
        body = json.dumps(BODY).encode()
        plain = Hook("inbound", "https://x.example/h", body, {"authorization": f"Basic {token(body)}"})

        assert not self.adapter().is_authentic(plain)

    def test_while_a_secret_is_rotated_both_are_valid(self):
        body = json.dumps(BODY).encode()
        rotated = self.adapter(signature_secret="new", signature_secret_secondary=SECRET)

        assert rotated.is_authentic(hook(body, bearer=token(body)))

    def test_a_reply_is_its_text_and_not_the_first_word(self):
        (reply,) = self.adapter().inbound(hook(BODY))

        assert (reply.sender, reply.to, reply.text) == ("31612345678", "3010", "stop by tomorrow")
        assert reply.provider_id == BODY["message_uuid"]
        assert reply.sent_at.isoformat() == "2026-11-23T10:00:00+00:00"

    @pytest.mark.parametrize(
        ("word", "ours"),
        [("submitted", "sent"), ("delivered", "delivered"), ("read", "delivered"), ("rejected", "failed"),
         ("undeliverable", "failed"), ("teleported", "")],
    )  # fmt: skip
    def test_each_status_has_its_word(self, word, ours):
        (report,) = self.adapter().reports(status(word, client_ref="r"))

        assert (report.status, report.provider_id, report.reference) == (ours, "u1", "r")

    @pytest.mark.parametrize(
        ("error", "block"),
        [
            ({"type": "https://x#1050", "title": "1050", "detail": "Number barred"}, Block.OPTED_OUT),
            ({"type": "https://x#1", "title": "Rejected", "detail": "The user has opted out"}, Block.OPTED_OUT),
            ({"type": "https://x#1120", "title": "1120", "detail": "Illegal sender"}, None),
            ("words", None),
            (None, None),
        ],
    )
    def test_a_late_rejection_of_who_opted_out_is_a_block(self, error, block):
        (report,) = self.adapter().reports(status("rejected", error=error))

        assert (report.status, report.block) == ("failed", block)
        assert report.error
