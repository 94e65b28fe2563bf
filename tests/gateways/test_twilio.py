from __future__ import annotations

import base64
import hashlib
import threading
from urllib.parse import urlencode

import pytest

from messaging.gateways import Block, Hook, Verdict, http
from messaging.gateways.twilio import sign
from tests.gateways import stub
from tests.gateways.conformance import Conformance, outgoing
from tests.gateways.stub import Reply, said

FORM = "application/x-www-form-urlencoded"
URL = "https://app.example.com/hooks/twilio/7/inbound"
INBOUND = {
    "MessageSid": "SM00000000000000000000000000000001",
    "From": "+33612345678",
    "To": "36111",
    "Body": "Arrêt svp",
    "NumMedia": "0",
}


def created(sid: str, **more) -> Reply:
    return said(201, {"sid": sid, "status": "queued", "error_code": None, "error_message": None, **more})


def hook(fields, *, url: str = URL, signature: str = "", kind: str = "inbound") -> Hook:
    body = urlencode(fields).encode()
    return Hook(kind=kind, url=url, body=body, headers={"content-type": FORM, "x-twilio-signature": signature})


class TestTwilio(Conformance):
    kind = "twilio"
    settings = {"account_sid": "AC123", "auth_token": "12345"}

    def accepts(self, request):
        return created("SM" + hashlib.md5(request.body).hexdigest())

    def test_the_request_is_as_documented(self):
        (outcome,), (request,) = self.send(created("SM1"))

        assert request.path == "/2010-04-01/Accounts/AC123/Messages.json"
        assert request.headers["authorization"] == "Basic " + base64.b64encode(b"AC123:12345").decode()
        assert request.headers["content-type"] == FORM
        form = request.form()
        assert form.pop("StatusCallback").endswith("/status")
        assert form == {
            "To": "+31612340007",
            "From": "Acme",
            "Body": "Sale! STOP 3010",
            "ValidityPeriod": "14400",
            "SmartEncoded": "false",
        }
        assert outcome.provider_id == "SM1"

    def test_the_status_callback_is_the_gateway_s_own(self):
        with stub.provider(created("SM1")) as provider:
            adapter = self.adapter(provider.base_url)
            adapter.send([outgoing()])

        assert provider.requests[0].form()["StatusCallback"] == adapter.gateway.hook_url("status")

    def test_a_messaging_service_may_be_the_sender(self):
        service = "MG" + "0" * 32
        _outcomes, (request,) = self.send(created("SM1"), outgoing(sender=service))
        assert request.form()["MessagingServiceSid"] == service
        assert "From" not in request.form()

        with stub.provider(created("SM1")) as provider:
            self.adapter(provider.base_url, messaging_service_sid=service).send([outgoing(sender="")])
        assert provider.requests[0].form()["MessagingServiceSid"] == service

    @pytest.mark.parametrize(
        ("code", "status", "verdict"),
        [
            (20003, 401, Verdict.RETRYABLE),
            (20404, 404, Verdict.RETRYABLE),
            (20429, 429, Verdict.RETRYABLE),
            (21211, 400, Verdict.REJECTED),
            (21408, 403, Verdict.REJECTED),
            (21610, 400, Verdict.REJECTED),
            (21611, 429, Verdict.RETRYABLE),
            (21611, 400, Verdict.RETRYABLE),
            (21614, 400, Verdict.REJECTED),
            (21703, 400, Verdict.RETRYABLE),
            (63038, 429, Verdict.RETRYABLE),
            (99999, 400, Verdict.REJECTED),
        ],
    )
    def test_each_code_has_its_verdict(self, code, status, verdict):
        outcome = self.verdict(said(status, {"code": code, "message": "said", "status": status}))

        assert outcome.verdict is verdict
        assert outcome.block is (Block.OPTED_OUT if code == 21610 else None)
        assert f"({code})" in outcome.error

    def test_a_400_without_a_code_is_unknown(self):
        assert self.verdict(said(400, {"message": "?"})).verdict is Verdict.UNKNOWN

    def test_a_message_that_failed_at_once_is_rejected(self):
        outcome = self.verdict(created("SM1", status="failed", error_code=30007))

        assert (outcome.verdict, outcome.provider_id) == (Verdict.REJECTED, "SM1")

    def test_requests_run_side_by_side(self):
        together = threading.Barrier(4, timeout=5)

        def all_at_once(request):
            together.wait()
            return self.accepts(request)

        with stub.provider(all_at_once) as provider:
            adapter = self.adapter(provider.base_url)
            http.client().timeout = 5
            outcomes = adapter.send([outgoing(n) for n in range(4)])

        assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED] * 4

    def test_what_has_not_begun_in_time_is_looked_at_again_first(self, monkeypatch):
        monkeypatch.setattr(http, "BEGIN_WITHIN_SECONDS", -1)

        with stub.provider(self.accepts) as provider:
            (outcome,) = self.adapter(provider.base_url).send([outgoing()])

        assert (outcome.verdict, outcome.retry_after, provider.requests) == (Verdict.RETRYABLE, 0.0, [])

    def test_the_provider_s_own_example_of_a_signature(self):
        fields = {
            "CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234",
            "From": "+14158675309", "To": "+18005551212",
        }  # fmt: skip
        url = "https://mycompany.com/myapp.php?foo=1&bar=2"

        assert self.adapter().is_authentic(hook(fields, url=url, signature="RSOYDt4T1cUTdK1PDd93/VVr8B8="))

    def test_a_signature_over_more_than_ascii(self):
        assert self.adapter().is_authentic(hook(INBOUND, signature="DnYu6U2ipGuBmbY3jpUW7uV7lOI="))

    @pytest.mark.parametrize(
        "change",
        [
            {"Body": "arrêt svp"}, {"Body": ""}, {"From": "+33612345679"}, {"To": "36112"}, {"MessageSid": "SM2"},
            {"NumMedia": "1"}, {"New": "x"}, {"NumMedia": None},
        ],
    )  # fmt: skip
    def test_any_change_breaks_the_signature(self, change):
        fields = {name: value for name, value in {**INBOUND, **change}.items() if value is not None}

        assert not self.adapter().is_authentic(hook(fields, signature="DnYu6U2ipGuBmbY3jpUW7uV7lOI="))

    @pytest.mark.parametrize("signature", ["", "x", "é", "DnYu6U2ipGuBmbY3jpUW7uV7lOI", "\udcff"])
    def test_a_wrong_signature_is_refused(self, signature):
        assert not self.adapter().is_authentic(hook(INBOUND, signature=signature))

    @pytest.mark.parametrize("url", [URL + "?x=1", URL.replace("https", "http"), URL.replace("/7/", "/8/")])
    def test_another_address_is_refused(self, url):
        assert not self.adapter().is_authentic(hook(INBOUND, url=url, signature="DnYu6U2ipGuBmbY3jpUW7uV7lOI="))

    def test_the_default_port_makes_no_difference(self):
        with_port = URL.replace("example.com", "example.com:443")
        signed = "".join(f"{k}{v}" for k, v in sorted(INBOUND.items()))

        assert self.adapter().is_authentic(hook(INBOUND, url=URL, signature=sign("12345", with_port + signed)))
        assert self.adapter().is_authentic(hook(INBOUND, url=with_port, signature="DnYu6U2ipGuBmbY3jpUW7uV7lOI="))

    def test_while_a_token_is_rotated_both_are_valid(self):
        signature = "DnYu6U2ipGuBmbY3jpUW7uV7lOI="
        rotated = self.adapter(auth_token="new", auth_token_secondary="12345")

        assert rotated.is_authentic(hook(INBOUND, signature=signature))
        assert not self.adapter(auth_token="new").is_authentic(hook(INBOUND, signature=signature))

    def test_a_json_body_is_signed_by_its_hash(self):
        body = b'{"a": 1}'
        url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        headers = {"content-type": "application/json", "x-twilio-signature": sign("12345", url)}

        assert self.adapter().is_authentic(Hook("status", url, body, headers))
        assert not self.adapter().is_authentic(Hook("status", url, b'{"a": 2}', headers))

    def test_a_reply_is_read(self):
        (reply,) = self.adapter().inbound(hook(INBOUND))

        assert (reply.sender, reply.to, reply.text) == ("+33612345678", "36111", "Arrêt svp")
        assert reply.provider_id == INBOUND["MessageSid"]
        assert reply.provider_meaning == ""

    @pytest.mark.parametrize(("word", "meaning"), [("STOP", "opt_out"), ("START", "opt_in"), ("HELP", "help")])
    def test_what_the_provider_read_itself_is_kept(self, word, meaning):
        (reply,) = self.adapter().inbound(hook({**INBOUND, "OptOutType": word}))

        assert reply.provider_meaning == meaning

    @pytest.mark.parametrize(
        ("word", "status"),
        [("queued", "sent"), ("sent", "sent"), ("delivered", "delivered"), ("read", "delivered"),
         ("undelivered", "failed"), ("failed", "failed"), ("canceled", "failed"), ("teleported", "")],
    )  # fmt: skip
    def test_each_status_has_its_word(self, word, status):
        fields = {"MessageSid": "SM1", "MessageStatus": word, "To": "+33612345678"}

        (report,) = self.adapter().reports(hook(fields, kind="status"))

        assert (report.status, report.provider_id, report.to) == (status, "SM1", "+33612345678")

    @pytest.mark.parametrize(("code", "block"), [("21610", Block.OPTED_OUT), ("30004", None), ("30007", None)])
    def test_only_a_person_s_own_wish_is_a_block(self, code, block):
        fields = {"MessageSid": "SM1", "MessageStatus": "undelivered", "To": "+33612345678", "ErrorCode": code}

        (report,) = self.adapter().reports(hook(fields, kind="status"))

        assert report.block is block
        assert f"({code})" in report.error
