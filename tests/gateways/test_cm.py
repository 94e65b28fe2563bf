from __future__ import annotations

import json

import pytest

from messaging.gateways import Block, Hook, Verdict, references
from tests.gateways.conformance import Conformance, outgoing
from tests.gateways.stub import Request, said

TOKEN = "00000000-0000-0000-0000-000000000000"


def row(msg: dict, **more) -> dict:
    return {
        "to": msg["to"][0]["number"], "status": "Accepted", "reference": msg["reference"], "parts": 1,
        "messageDetails": None, "messageErrorCode": 0, **more,
    }  # fmt: skip


def answer(request: Request, *, status: int = 200, code: int = 0, each=lambda msg: {}):
    rows = [row(msg, **each(msg)) for msg in request.json()["messages"]["msg"]]
    return said(status, {"details": "Created 1 message(s)", "errorCode": code, "messages": rows[::-1]})


def hook(kind: str, body, content_type: str = "application/json") -> Hook:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Hook(kind=kind, url="https://x.example/h", body=data, headers={"content-type": content_type})


class TestCm(Conformance):
    kind = "cm"
    settings = {"product_token": TOKEN}

    def accepts(self, request):
        return answer(request)

    def test_the_request_is_as_documented(self):
        _outcomes, (request,) = self.send(self.accepts, outgoing(1), outgoing(2, sender="+31970102030"))

        assert request.path == "/v1.0/message"
        assert request.headers["x-cm-producttoken"] == TOKEN
        assert request.headers["content-type"] == "application/json"
        first, second = request.json()["messages"]["msg"]
        assert request.json().keys() == {"messages"}
        assert first == {
            "from": "Acme",
            "to": [{"number": "0031612340001"}],
            "body": {"type": "auto", "content": "Sale! STOP 3010"},
            "reference": references.write(1),
            "minimumNumberOfMessageParts": 1,
            "maximumNumberOfMessageParts": 8,
            "allowedChannels": ["SMS"],
            "validity": "4h0m",
        }
        assert second["from"] == "31970102030"

    def test_a_reference_is_what_the_provider_keeps(self):
        assert len(references.write(2**63 - 1)) == 26
        assert references.write(5).isalnum()

    def test_half_a_batch_may_be_rejected(self):
        bad = references.write(2)

        def some(request):
            return answer(
                request,
                code=201,
                each=lambda m: {"status": "Rejected", "messageErrorCode": 303} if m["reference"] == bad else {},
            )

        outcomes, _requests = self.send(some, outgoing(1), outgoing(2), outgoing(3))

        assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.ACCEPTED]
        assert outcomes[1].error == "this is no valid number (303)"

    @pytest.mark.parametrize(
        ("code", "verdict", "block"),
        [
            (301, Verdict.REJECTED, None),
            (304, Verdict.REJECTED, None),
            (401, Verdict.REJECTED, None),
            (402, Verdict.REJECTED, Block.OPTED_OUT),
            (403, Verdict.REJECTED, None),
            (500, Verdict.UNKNOWN, None),
            (999, Verdict.UNKNOWN, None),
            (12345, Verdict.UNKNOWN, None),
            ("x", Verdict.UNKNOWN, None),
            (None, Verdict.UNKNOWN, None),
        ],
    )
    @pytest.mark.parametrize("status", [200, 400])
    def test_each_code_has_its_verdict(self, code, verdict, block, status):
        outcome = self.verdict(
            lambda r: answer(
                r, status=status, code=201, each=lambda m: {"status": "Rejected", "messageErrorCode": code}
            )
        )

        assert (outcome.verdict, outcome.block) == (verdict, block)

    @pytest.mark.parametrize("code", [101, 102, 103])
    def test_an_account_that_cannot_send_keeps_its_messages(self, code):
        outcome = self.verdict(said(400, {"details": "No account found", "errorCode": code, "messages": []}))

        assert outcome.verdict is Verdict.RETRYABLE

    def test_a_malformed_request_is_rejected_and_a_nameless_400_is_unknown(self):
        assert self.verdict(said(400, {"details": "Malformed", "errorCode": 202})).verdict is Verdict.REJECTED
        assert self.verdict(said(400, {})).verdict is Verdict.UNKNOWN

    def test_a_message_that_the_answer_leaves_out_is_unknown(self):
        outcome = self.verdict(said(200, {"details": "", "errorCode": 0, "messages": []}))

        assert outcome.verdict is Verdict.UNKNOWN

    def test_a_reply_is_read_in_the_documented_form(self):
        (reply,) = self.adapter().inbound(
            hook(
                "inbound",
                {
                    "from": {"number": "0031612345678", "name": "Jan"},
                    "to": {"number": "3010"},
                    "message": {"text": "Arrêt svp", "media": {}, "custom": {}},
                    "reference": references.write(5),
                    "groupings": ["", "", ""],
                    "timeUtc": "2026-11-23T10:00:00",
                    "channel": "SMS",
                },
            )
        )

        assert (reply.sender, reply.to, reply.text) == ("+31612345678", "3010", "Arrêt svp")
        assert reply.provider_id == ""
        assert reply.sent_at.isoformat() == "2026-11-23T10:00:00+00:00"

    def test_a_reply_is_read_in_the_older_form(self):
        (reply,) = self.adapter().inbound(
            hook("inbound", {"reference": "x", "from": "31612345678", "to": "3010", "body": "STOP"})
        )

        assert (reply.sender, reply.text, reply.sent_at) == ("31612345678", "STOP", None)

    @pytest.mark.parametrize(
        ("code", "status"), [("0", "sent"), (1, "failed"), ("2", "delivered"), (3, "failed"), ("4", "delivered")]
    )
    def test_each_status_has_its_word(self, code, status):
        body = {"messages": {"msg": {"to": "0031612345678", "reference": "r", "status": {"code": code}}}}

        (report,) = self.adapter().reports(hook("status", body))

        assert (report.status, report.reference, report.to) == (status, "r", "+31612345678")

    def test_a_word_that_nobody_knows_changes_nothing(self):
        body = {"messages": {"msg": [{"to": "1", "reference": "r", "status": {"code": "77"}}] * 2}}

        assert [r.status for r in self.adapter().reports(hook("status", body))] == ["", ""]

    def test_a_report_of_the_blacklist_is_a_block(self):
        status = {"code": "3", "errorCode": "402", "errorDescription": "blacklisted"}
        body = {"messages": {"msg": {"to": "0031612345678", "reference": "r", "status": status}}}

        (report,) = self.adapter().reports(hook("status", body))

        assert (report.block, report.error) == (Block.OPTED_OUT, "blacklisted (402)")

    def test_a_report_may_be_xml(self):
        body = b"""<?xml version="1.0"?><MESSAGES SENT="x"><MSG RECEIVED="2026-11-23T10:00:00"><TO>0031612345678</TO>
            <REFERENCE>r</REFERENCE><STATUS><CODE>3</CODE><ERRORCODE>5</ERRORCODE>
            <ERRORDESCRIPTION>absent</ERRORDESCRIPTION></STATUS></MSG></MESSAGES>"""

        (report,) = self.adapter().reports(hook("status", body, "text/xml"))

        assert (report.status, report.reference, report.error) == ("failed", "r", "absent (5)")
