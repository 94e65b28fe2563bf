"""Twilio, Messages API.

https://www.twilio.com/docs/messaging/api/message-resource · …/docs/api/errors ·
…/docs/usage/webhooks/webhooks-security · …/docs/messaging/tutorials/advanced-opt-out ·
…/docs/messaging/features/consent-api
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from messaging.gateways.account import Account
from messaging.gateways.base import Block, Inbound, Outcome, Outgoing, Report, Standing, Verdict, words
from messaging.gateways.hooks import Hook, NotUnderstood
from messaging.gateways.http import Answer, HttpAdapter, at_fault

#: Twilio would keep a message for ten hours, long after our own hours of sending.
VALIDITY_SECONDS = 4 * 3600
OPTED_OUT = 21610
#: Refused for now.
BUSY = {20429, 21611, 30001, 63038}
ACCOUNT_CODES = {20003, 20005, 20404, 21703}
CAUSES = {
    21211: "this is no valid number",
    21214: "the number cannot be reached",
    21217: "the number cannot be reached",
    21408: "the account may not send to this country",
    21602: "the text is empty",
    21603: "a sender is needed",
    21606: "the sender cannot send SMS",
    21608: "the trial account may send to verified numbers only",
    OPTED_OUT: "the recipient has opted out at the provider",
    21612: "no route from this sender to this number",
    21614: "the number is no mobile",
    21617: "the text is too long",
    30001: "the provider's queue was full",
    30002: "the account is suspended",
    30003: "the handset could not be reached",
    30004: "blocked by the network or the recipient",
    30005: "the number is unknown",
    30006: "a landline, or a network that cannot be reached",
    30007: "filtered by the network",
    30008: "unknown error",
    30022: "over the limit of the registered sender",
    30023: "over the daily limit of the registered sender",
    30032: "the toll-free sender is not verified",
    30034: "the sender is not registered",
}
STATUSES = {
    "accepted": "sent",
    "scheduled": "sent",
    "queued": "sent",
    "sending": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}
#: OptOutType, where Advanced Opt-Out is on.
MEANINGS = {"STOP": "opt_out", "START": "opt_in", "HELP": "help"}
CONSENTS_HOME = "https://accounts.twilio.com"
ALGORITHMS = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
PORTS = {"https": 443, "http": 80}


class Twilio(HttpAdapter):
    kind = "twilio"
    label = "Twilio"
    home = "https://api.twilio.com"
    batch_size = 40
    account = Account(
        ("account_sid", "auth_token"),
        ("auth_token_secondary", "messaging_service_sid", "consent_sender", "base_url", "rate"),
    )
    tell_size = 25
    answer = ("text/xml", "<Response/>")  # any text in it would be sent to the person

    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        return self.one_by_one(messages, self._send_one)

    def _send_one(self, message: Outgoing) -> Outcome:
        sid, token = self.settings["account_sid"], self.settings["auth_token"]
        answer = self.post(
            f"/2010-04-01/Accounts/{quote(sid, safe='')}/Messages.json", auth=(sid, token), data=self._form(message)
        )
        if answer.lost:
            return answer.lost
        return _refused(answer) or self.common_outcome(answer) or _taken(answer)

    def _form(self, message: Outgoing) -> dict[str, str]:
        sender = message.sender or self.settings.get("messaging_service_sid", "")
        form = {
            "To": message.to,
            "Body": message.text,
            "StatusCallback": self.gateway.hook_url("status"),
            "ValidityPeriod": str(VALIDITY_SECONDS),
            "SmartEncoded": "false",  # it would change the text
        }
        if sender:
            form["MessagingServiceSid" if sender.startswith("MG") and len(sender) == 34 else "From"] = sender
        return form

    @property
    def tells(self) -> bool:
        """Twilio's block holds back every text from its sender, transactional ones too: only where it is asked for."""
        return super().tells and "consent_sender" in self.settings

    def tell(self, standings: Sequence[Standing]) -> Outcome:
        items = [
            {
                "contact_id": standing.address,
                "correlation_id": uuid.uuid4().hex,
                "sender_id": self.settings["consent_sender"],
                "status": "opt-out" if standing.is_out else "opt-in",
                "source": "others",
            }
            for standing in standings
        ]
        answer = self.ask(
            "POST",
            f"{self.settings.get('base_url', CONSENTS_HOME).rstrip('/')}/v1/Consents/Bulk",
            auth=(self.settings["account_sid"], self.settings["auth_token"]),
            data={"Items": [json.dumps(item) for item in items]},
        )
        refused = self.common_outcome(answer)
        if refused:
            return refused
        told = answer.json().get("items")
        if answer.status >= 400 or not isinstance(told, list) or len(told) != len(items):
            verdict = Verdict.REJECTED if answer.status == 400 else Verdict.UNKNOWN
            return Outcome(verdict, error=f"the provider answered HTTP {answer.status}")
        all_well = all(isinstance(item, dict) and _code(item.get("error_code")) == 0 for item in told)
        return Outcome(Verdict.ACCEPTED if all_well else Verdict.REJECTED)

    def is_authentic(self, hook: Hook) -> bool:
        given = hook.headers.get("x-twilio-signature", "")
        try:
            signed = _signed(hook)
        except NotUnderstood:
            return False
        # While a token is being rotated, both are valid.
        tokens = [self.settings[name] for name in ("auth_token", "auth_token_secondary") if name in self.settings]
        way = _algorithm(hook.headers.get("x-twilio-webhooks-signature-settings", ""))
        return bool(way) and any(
            _same(sign(token, url + signed, way), given) for token in tokens for url in _spellings(hook.url)
        )

    def inbound(self, hook: Hook) -> list[Inbound]:
        form = hook.form()
        if not form.get("From") or "Body" not in form:
            raise NotUnderstood("no sender or no text in it")
        return [
            Inbound(
                sender=form["From"],
                to=form.get("To", ""),
                text=form["Body"],
                provider_id=form.get("MessageSid") or form.get("SmsSid", ""),
                provider_meaning=MEANINGS.get(form.get("OptOutType", "").upper(), ""),
            )
        ]

    def reports(self, hook: Hook) -> list[Report]:
        form = hook.form()
        status = form.get("MessageStatus") or form.get("SmsStatus", "")
        sid = form.get("MessageSid") or form.get("SmsSid", "")
        if not status or not sid:
            raise NotUnderstood("no status or no id in it")
        ours, code = STATUSES.get(status.lower(), ""), _code(form.get("ErrorCode"))
        return [
            Report(
                status=ours,
                provider_id=sid,
                to=form.get("To", ""),
                error=_cause(code, form.get("ErrorMessage") or status) if ours == "failed" else "",
                block=Block.OPTED_OUT if code == OPTED_OUT else None,
            )
        ]


def sign(token: str, signed: str, way: str = "sha1") -> str:
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), way)).decode()


def _algorithm(settings: str) -> str:
    """`key=…,algorithm=HMAC_SHA256` where the account signs with a key of its own; empty for one we do not know."""
    named = dict(part.strip().partition("=")[::2] for part in settings.split(","))
    return ALGORITHMS.get(named.get("algorithm") or "HMAC_SHA1", "")


def _signed(hook: Hook) -> str:
    """What follows the address in the signed text: all fields by name, whatever was added over time."""
    if "bodySHA256" in hook.query():
        if not _same(hashlib.sha256(hook.body).hexdigest(), hook.query()["bodySHA256"].lower()):
            raise NotUnderstood("not the body that was signed")
        return ""
    fields = sorted(set(hook.pairs()))
    return "".join(f"{name}{value}" for name, value in fields)


def _spellings(url: str) -> Iterator[str]:
    """With and without its port: the provider signs now this, now that."""
    parts = urlsplit(url)
    yield url
    if parts.port is None:
        yield urlunsplit(parts._replace(netloc=f"{parts.netloc}:{PORTS.get(parts.scheme)}"))
    else:
        yield urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0]))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode(errors="replace"))


def _refused(answer: Answer) -> Outcome | None:
    """The provider's own code says more than the HTTP status."""
    body = answer.json()
    code = _code(body.get("code"))
    if answer.status < 400 or answer.status >= 500 or not code:
        return None
    error = _cause(code, words(body.get("message")))
    if code in BUSY:
        return Outcome(Verdict.RETRYABLE, error=error, retry_after=answer.retry_after)
    if code in ACCOUNT_CODES or answer.status == 401:
        return at_fault(error)
    return Outcome(Verdict.REJECTED, error=error, block=Block.OPTED_OUT if code == OPTED_OUT else None)


def _taken(answer: Answer) -> Outcome:
    if answer.status >= 400:
        return Outcome(Verdict.UNKNOWN, error=f"the provider answered HTTP {answer.status}")
    body = answer.json()
    sid = words(body.get("sid"), longest=100)
    if not sid:
        return Outcome(Verdict.UNKNOWN, error="the provider's answer has no id")
    if STATUSES.get(str(body.get("status"))) == "failed":
        code = _code(body.get("error_code"))
        block = Block.OPTED_OUT if code == OPTED_OUT else None
        error = _cause(code, words(body.get("error_message")))
        return Outcome(Verdict.REJECTED, provider_id=sid, error=error, block=block)
    return Outcome(Verdict.ACCEPTED, provider_id=sid)


def _cause(code: int, said: str) -> str:
    return words(f"{CAUSES.get(code) or said or 'refused'} ({code})" if code else said)


def _code(value: Any) -> int:
    text = words(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
