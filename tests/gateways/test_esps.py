"""The e-mail services, each against what its documentation says."""

from __future__ import annotations

import base64
import email.message
import json
from typing import Any

import pytest

from messaging.gateways import ADAPTERS, Block, Outgoing, Verdict, references
from messaging.gateways.esps import ESPS
from tests.gateways.conformance import Conformance, outgoing
from tests.gateways.stub import Reply, Request, provider, said

pytestmark = pytest.mark.filterwarnings("ignore:.*[Aa]nymail")
LINK = "<https://no-s.ms/e/0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789>"
ONE_CLICK = "List-Unsubscribe=One-Click"
BASIC = {"webhook_secret": "hook:secret", "from_email": "Acme <news@acme.example>"}
REFERENCE = references.write(7)


def mail(number: int = 7, **fields: Any) -> Outgoing:
    values = {
        "channel": "email", "to": f"p{number}@devries.example", "sender": "", "subject": "Sale",
        "text": "Hello €5\nhttps://no-s.ms/e/ABC?a=1", "list_unsubscribe": LINK,
    }  # fmt: skip
    return outgoing(number, **(values | fields))


def form(request: Request) -> dict[str, list[str]]:
    """Of a form in either of its encodings."""
    if request.headers["content-type"].startswith("application/x-www-form-urlencoded"):
        return {name: [value] for name, value in request.form().items()}
    whole = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode() + request.body
    fields: dict[str, list[str]] = {}
    for part in email.message_from_bytes(whole).walk():
        if not part.is_multipart():
            name = part.get_param("name", header="content-disposition")
            fields.setdefault(name, []).append(part.get_payload(decode=True).decode())
    return fields


class EspConformance(Conformance):
    sent_to = ""

    def outgoing(self, number: int = 7, **fields: Any) -> Outgoing:
        return mail(number, **fields)

    def asked(self, *mails: Outgoing) -> Request:
        outcomes, requests = self.send(self.accepts, *(mails or [mail()]))
        assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED] * len(outcomes)
        assert requests[0].method == "POST"
        assert requests[0].path == self.sent_to
        return requests[0]

    @pytest.mark.parametrize("to", ["a b@example.org", "x", "a@b\r\nRCPT TO:<c@d>", ""])
    def test_an_address_that_makes_no_mail_is_rejected_and_nothing_is_asked(self, to):
        outcomes, requests = self.send(self.accepts, mail(1, to=to), mail(2))

        assert [o.verdict for o in outcomes] == [Verdict.REJECTED, Verdict.ACCEPTED]
        assert len(requests) == 1

    @pytest.mark.parametrize("subject", ["Sale\r\nBcc: all@example.org", "é" * 200, ""])
    def test_a_subject_stays_a_subject(self, subject):
        self.asked(mail(subject=subject))

    def test_no_global_setting_speaks_for_an_account(self, settings):
        settings.ANYMAIL = {
            f"{self.kind.upper()}_API_URL": "http://127.0.0.1:9/",
            "SEND_DEFAULTS": {"bcc": ["x@y.example"]},
        }

        assert b"x@y.example" not in self.asked().body


class TestMailgun(EspConformance):
    kind = "mailgun"
    settings = {"api_key": "key-1", "webhook_signing_key": "s", "from_email": "Acme <news@acme.example>"}
    sent_to = "/v3/acme.example/messages"

    def accepts(self, request: Request) -> Reply:
        return said(200, {"id": f"<{form(request)['v:stopgate'][0]}@acme.example>", "message": "Queued. Thank you."})

    def test_a_message_has_every_field(self):
        request = self.asked()

        asked = form(request)
        assert base64.b64decode(request.headers["authorization"].split()[1]) == b"api:key-1"
        assert asked["from"] == ["Acme <news@acme.example>"]
        assert asked["to"] == ["p7@devries.example"]
        assert (asked["h:List-Unsubscribe"], asked["h:List-Unsubscribe-Post"]) == ([LINK], [ONE_CLICK])
        assert asked["v:stopgate"] == [REFERENCE]
        assert (asked["o:tracking-clicks"], asked["o:tracking-opens"]) == (["no"], ["no"])
        assert asked["o:tag"] == ["marketing"]
        assert asked["text"] == ["Hello €5\nhttps://no-s.ms/e/ABC?a=1"]
        assert 'href="https://no-s.ms/e/ABC?a=1"' in asked["html"][0]

    def test_a_transactional_message_bears_no_mark_of_marketing(self):
        asked = form(self.asked(mail(list_unsubscribe="")))

        assert not {"o:tag", "h:List-Unsubscribe", "h:List-Unsubscribe-Post"} & set(asked)

    def test_a_domain_of_its_own(self):
        with provider(self.accepts) as server:
            self.adapter(server.base_url, sender_domain="mg.acme.example").send([mail()])

        assert server.requests[0].path == "/v3/mg.acme.example/messages"

    def test_what_it_refuses_is_rejected_with_its_words(self):
        outcome = self.verdict(
            said(400, {"message": "to parameter is not a valid address. please check documentation"})
        )

        assert outcome.verdict is Verdict.REJECTED
        assert outcome.error.startswith("to parameter is not a valid address")

    def test_what_any_wrong_address_of_the_api_is_told_takes_nothing(self):
        assert self.verdict(Reply(200, b"Mailgun Magnificent API")).verdict is Verdict.UNKNOWN

    def test_a_domain_that_it_does_not_know_is_the_account_s_fault(self):
        assert self.verdict(said(404, {"message": "Domain not found: acme.example"})).verdict is Verdict.RETRYABLE


class TestSendGrid(EspConformance):
    kind = "sendgrid"
    settings = {"api_key": "SG.1", "tracking_webhook_verification_key": "k", "from_email": "news@acme.example"}
    sent_to = "/v3/mail/send"

    def accepts(self, request: Request) -> Reply:
        return Reply(202, b"", {"X-Message-Id": "abc"})

    def test_a_message_has_every_field(self):
        with provider(self.accepts) as server:
            (outcome,) = self.adapter(server.base_url, unsubscribe_group="77").send([mail()])

        (request,) = server.requests
        asked = request.json()
        (person,) = asked["personalizations"]
        assert request.headers["authorization"] == "Bearer SG.1"
        assert person["to"] == [{"email": "p7@devries.example"}]
        assert person["custom_args"]["anymail_id"] == outcome.provider_id
        assert asked["from"] == {"email": "news@acme.example"}
        assert asked["custom_args"] == {"stopgate": REFERENCE}
        assert asked["headers"] == {"List-Unsubscribe": LINK, "List-Unsubscribe-Post": ONE_CLICK}
        assert asked["asm"] == {"group_id": 77}
        assert asked["tracking_settings"]["click_tracking"]["enable"] is False
        assert asked["tracking_settings"]["open_tracking"]["enable"] is False
        assert [part["type"] for part in asked["content"]] == ["text/plain", "text/html"]

    def test_the_sandbox_delivers_nothing(self):
        assert self.verdict(Reply(200, b"")).verdict is Verdict.UNKNOWN

    def test_what_it_refuses_is_rejected_with_its_words(self):
        refused = {
            "errors": [{"message": "Does not contain a valid address.", "field": "personalizations.0.to.0.email"}]
        }
        outcome = self.verdict(said(400, refused))

        assert (outcome.verdict, outcome.error) == (Verdict.REJECTED, "Does not contain a valid address.")


class TestPostmark(EspConformance):
    kind = "postmark"
    settings = {"server_token": "t-1", **BASIC}
    sent_to = "/email"

    def accepts(self, request: Request) -> Reply:
        return said(
            200,
            {"To": request.json()["To"], "SubmittedAt": "2026-11-23T07:25:01.4178645-05:00",
             "MessageID": request.json()["Metadata"]["stopgate"], "ErrorCode": 0, "Message": "OK"},
        )  # fmt: skip

    def test_a_message_has_every_field(self):
        request = self.asked()

        asked = request.json()
        assert request.headers["x-postmark-server-token"] == "t-1"
        assert (asked["From"], asked["To"]) == ("Acme <news@acme.example>", "p7@devries.example")
        assert asked["Metadata"] == {"stopgate": REFERENCE}
        assert asked["MessageStream"] == "broadcast"
        assert (asked["TrackOpens"], asked["TrackLinks"]) == (False, "None")
        assert {h["Name"]: h["Value"] for h in asked["Headers"]} == {
            "List-Unsubscribe": LINK,
            "List-Unsubscribe-Post": ONE_CLICK,
        }

    def test_a_transactional_message_goes_through_the_other_stream(self):
        assert self.asked(mail(list_unsubscribe="")).json()["MessageStream"] == "outbound"

    def test_who_is_inactive_there_is_blocked_there(self):
        words = "You tried to send to a recipient that is marked as inactive.\nFound inactive addresses: p7@d.example."
        outcome = self.verdict(said(422, {"ErrorCode": 406, "Message": words}))

        assert (outcome.verdict, outcome.block) == (Verdict.REJECTED, Block.REFUSED)

    def test_who_is_inactive_in_an_answer_that_took_the_request_is_blocked_too(self):
        words = "Message OK, but will not deliver to these inactive addresses: p7@devries.example. Inactive recipients"
        answer = said(200, {"ErrorCode": 406, "Message": words, "MessageID": "m", "To": "p7@devries.example"})

        assert (self.verdict(answer).verdict, self.verdict(answer).block) == (Verdict.REJECTED, Block.REFUSED)

    @pytest.mark.parametrize("code", [400, 401, 405, 412])
    def test_a_sender_that_is_not_confirmed_is_the_account_s_fault(self, code):
        outcome = self.verdict(said(422, {"ErrorCode": code, "Message": "The From address is no sender signature."}))

        assert (outcome.verdict, outcome.retry_after) == (Verdict.RETRYABLE, 60)

    def test_an_address_it_cannot_read_is_rejected(self):
        answer = said(422, {"ErrorCode": 300, "Message": "Invalid 'To' address: 'p7@devries.example'."})

        assert (self.verdict(answer).verdict, self.verdict(answer).block) == (Verdict.REJECTED, None)


class TestBrevo(EspConformance):
    kind = "brevo"
    settings = {"api_key": "xkeysib-1", **BASIC}
    sent_to = "/v3/smtp/email"

    def accepts(self, request: Request) -> Reply:
        return said(201, {"messageId": f"<{request.json()['headers']['X-Mailin-custom']}>"})

    def test_a_message_has_every_field(self):
        request = self.asked()

        asked = request.json()
        assert request.headers["api-key"] == "xkeysib-1"
        assert asked["sender"] == {"name": "Acme", "email": "news@acme.example"}
        assert asked["to"] == [{"email": "p7@devries.example"}]
        assert asked["headers"]["List-Unsubscribe"] == LINK
        assert asked["headers"]["List-Unsubscribe-Post"] == ONE_CLICK
        assert json.loads(asked["headers"]["X-Mailin-custom"]) == {"stopgate": REFERENCE}
        assert asked["textContent"].startswith("Hello €5")

    def test_what_it_refuses_is_rejected_unless_it_is_the_account(self):
        wrong = said(400, {"code": "invalid_parameter", "message": "email is not valid in to"})
        empty = said(400, {"code": "not_enough_credits", "message": "You do not have enough credits"})

        assert self.verdict(wrong).verdict is Verdict.REJECTED
        assert self.verdict(empty).retry_after == 60


class TestMailjet(EspConformance):
    kind = "mailjet"
    settings = {"api_key": "k", "secret_key": "s", **BASIC}
    sent_to = "/v3.1/send"

    def accepts(self, request: Request) -> Reply:
        (person,) = request.json()["Messages"][0]["To"]
        number = int(person["Email"].partition("@")[0].strip("p")) + 288230380000000000
        to = {"Email": person["Email"], "MessageUUID": "u", "MessageID": number, "MessageHref": "https://x.example"}
        return said(200, {"Messages": [{"Status": "success", "To": [to], "Cc": [], "Bcc": []}]})

    def test_a_message_has_every_field(self):
        request = self.asked()

        asked = request.json()
        shared = asked["Globals"]
        assert base64.b64decode(request.headers["authorization"].split()[1]) == b"k:s"
        assert shared["From"] == {"Email": "news@acme.example", "Name": "Acme"}
        assert asked["Messages"][0]["To"] == [{"Email": "p7@devries.example"}]
        assert json.loads(shared["EventPayload"]) == {"stopgate": REFERENCE}
        assert shared["Headers"] == {"List-Unsubscribe": LINK, "List-Unsubscribe-Post": ONE_CLICK}
        assert (shared["TrackClicks"], shared["TrackOpens"]) == ("disabled", "disabled")

    def test_what_it_refuses_is_rejected_with_its_words(self):
        problem = {"ErrorCode": "mj-0013", "StatusCode": 400, "ErrorMessage": '"x" is an invalid email address.'}
        outcome = self.verdict(said(400, {"Messages": [{"Status": "error", "Errors": [problem]}]}))

        assert (outcome.verdict, outcome.error) == (Verdict.REJECTED, '"x" is an invalid email address.')


class TestResend(EspConformance):
    kind = "resend"
    settings = {"api_key": "re_1", "signing_secret": "whsec_c2VjcmV0", "from_email": "Acme <news@acme.example>"}
    sent_to = "/emails"

    def accepts(self, request: Request) -> Reply:
        return said(200, {"id": request.json()["headers"]["X-Metadata"]})

    def test_a_message_has_every_field(self):
        request = self.asked()

        asked = request.json()
        assert request.headers["authorization"] == "Bearer re_1"
        assert (asked["from"], asked["to"]) == ("Acme <news@acme.example>", ["p7@devries.example"])
        assert asked["headers"]["List-Unsubscribe"] == LINK
        assert asked["headers"]["List-Unsubscribe-Post"] == ONE_CLICK
        assert json.loads(asked["headers"]["X-Metadata"]) == {"stopgate": REFERENCE}

    def test_what_it_refuses_is_rejected_with_its_words(self):
        outcome = self.verdict(
            said(422, {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."})
        )

        assert (outcome.verdict, outcome.error) == (Verdict.REJECTED, "Invalid `to` field.")


class TestSparkPost(EspConformance):
    kind = "sparkpost"
    settings = {"api_key": "k", **BASIC}
    sent_to = "/api/v1/transmissions/"

    def accepts(self, request: Request) -> Reply:
        number = request.json()["metadata"]["stopgate"]
        return said(200, {"results": {"total_rejected_recipients": 0, "total_accepted_recipients": 1, "id": number}})

    def test_a_message_has_every_field(self):
        request = self.asked()

        asked = request.json()
        assert request.headers["authorization"] == "k"
        assert asked["recipients"] == [{"address": {"email": "p7@devries.example", "header_to": "p7@devries.example"}}]
        assert asked["content"]["headers"] == {"List-Unsubscribe": LINK, "List-Unsubscribe-Post": ONE_CLICK}
        assert asked["content"]["from"] == "Acme <news@acme.example>"
        assert asked["metadata"] == {"stopgate": REFERENCE}
        assert asked["options"] == {"transactional": False, "open_tracking": False, "click_tracking": False}

    def test_a_transactional_message_says_so(self):
        assert self.asked(mail(list_unsubscribe="")).json()["options"]["transactional"] is True

    def test_who_stands_on_its_list_is_blocked_there(self):
        words = "recipient address suppressed due to customer policy"
        problem = {"message": "Message generation rejected", "description": words, "code": "1902"}
        outcome = self.verdict(said(400, {"errors": [problem]}))

        assert (outcome.verdict, outcome.block) == (Verdict.REJECTED, Block.REFUSED)

    def test_a_limit_of_the_account_is_waited_for(self):
        assert self.verdict(said(420, {"errors": [{"message": "Exceed Sending Limit (daily)"}]})).retry_after == 60


def test_each_service_is_offered_under_its_name():
    assert {esp.kind for esp in ESPS} <= {kind for kind, adapter in ADAPTERS.items() if adapter.is_offered}
