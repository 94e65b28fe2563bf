"""Vonage, Messages API v1.

https://developer.vonage.com/api/messages · …/api-errors/messages · …/messages/concepts/messages-status-callbacks ·
…/getting-started/concepts/webhooks (signed webhooks) · …/opt-out-assist/guides/messaging-opted-out-numbers
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from messaging.gateways import references
from messaging.gateways.account import Account
from messaging.gateways.base import Block, Inbound, Outcome, Outgoing, Report, Verdict, moment, words
from messaging.gateways.hooks import Hook, NotUnderstood
from messaging.gateways.http import Answer, HttpAdapter, at_fault

TTL_SECONDS = 4 * 3600
TOKEN_SECONDS = 300
#: How old a signed webhook may be.
TOLERANCE_SECONDS = 300
NUMBER_BARRED = "1050"
BUSY = {"1000"}
ACCOUNT_CODES = {"1060", "1070", "1080"}
CAUSES = {
    "1010": "a field is missing",
    "1020": "a field is not accepted",
    "1040": "the message is not accepted",
    NUMBER_BARRED: "the number is barred at the provider",
    "1090": "the text is too long",
    "1100": "the network could not be reached",
    "1120": "the sender is not accepted",
    "1240": "this is no valid number",
    "1320": "sent already",
    "1400": "this channel is not available",
    "1420": "the sender is not accepted",
    "1430": "the recipient is not accepted",
    "1470": "held back as fraud",
    "1500": "the sender is blocked",
}
#: How a rejection says that the person has opted out; it comes after the message was accepted.
WISHES = ("opted out", "opted-out", "opt-out", "opt out", "requested not to receive")
STATUSES = {
    "submitted": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "rejected": "failed",
    "undeliverable": "failed",
}


class Vonage(HttpAdapter):
    kind = "vonage"
    label = "Vonage"
    home = "https://api.nexmo.com"
    batch_size = 40
    account = Account(
        ("api_key", "api_secret", "signature_secret"),
        ("signature_secret_secondary", "application_id", "private_key", "base_url", "rate"),
    )

    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        _ = self._private_key  # read once, not in every thread
        return self.one_by_one(messages, self._send_one)

    def _send_one(self, message: Outgoing) -> Outcome:
        answer = self.post(
            "/v1/messages", headers={"Authorization": self._authorization()}, json=self._message(message)
        )
        if answer.lost:
            return answer.lost
        return _refused(answer) or self.common_outcome(answer) or _taken(answer)

    def _message(self, message: Outgoing) -> dict[str, Any]:
        return {
            "message_type": "text",
            "channel": "sms",
            "to": message.to.lstrip("+"),
            "from": message.sender.lstrip("+"),
            "text": message.text,
            "client_ref": references.write(message.id),
            "ttl": TTL_SECONDS,
            "webhook_url": self.gateway.hook_url("status"),
            "webhook_version": "v1",
            "sms": {"encoding_type": "auto"},
        }

    def _authorization(self) -> str:
        """As an application (JWT) when it is set up, else as the account; the provider takes one of them only."""
        if self._private_key:
            now = int(time.time())
            claims = {
                "application_id": self.settings["application_id"],
                "iat": now,
                "exp": now + TOKEN_SECONDS,
                "jti": str(uuid.uuid4()),
            }
            signed = f"{_packed({'typ': 'JWT', 'alg': 'RS256'})}.{_packed(claims)}"
            signature = self._private_key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            return f"Bearer {signed}.{_base64(signature)}"
        pair = f"{self.settings['api_key']}:{self.settings['api_secret']}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    @cached_property
    def _private_key(self) -> rsa.RSAPrivateKey | None:
        text = self.settings.get("private_key", "").replace("\\n", "\n")
        if not text or "application_id" not in self.settings:
            return None
        try:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return None
        return key if isinstance(key, rsa.RSAPrivateKey) else None

    def is_authentic(self, hook: Hook) -> bool:
        scheme, _, token = hook.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        # While a secret is being rotated, both are valid.
        names = ("signature_secret", "signature_secret_secondary")
        secrets = [self.settings[name] for name in names if name in self.settings]
        return any(self._is_signed(token.strip(), secret, hook.body) for secret in secrets)

    def _is_signed(self, token: str, secret: str, body: bytes) -> bool:
        try:
            header, claims, signature = token.split(".")
            algorithm = _unpacked(header).get("alg")
            expected = hmac.digest(secret.encode(), f"{header}.{claims}".encode(), "sha256")
            # The algorithm is ours to choose: a token may not talk us into "none".
            if algorithm != "HS256" or not hmac.compare_digest(expected, _unbase64(signature)):
                return False
            said = _unpacked(claims)
            if abs(time.time() - float(said["iat"])) > TOLERANCE_SECONDS:
                return False
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return False
        ours = {name: self.settings[name] for name in ("api_key", "application_id") if name in self.settings}
        if any(name in said and said[name] != value for name, value in ours.items()):
            return False
        body_hash = hashlib.sha256(body).hexdigest()
        return "payload_hash" not in said or _same(said["payload_hash"], body_hash)

    def inbound(self, hook: Hook) -> list[Inbound]:
        body = hook.json()
        sender, text = _number(body.get("from")), body.get("text")
        if not sender or "message_uuid" not in body:
            raise NotUnderstood("no sender or no id in it")
        return [
            Inbound(
                sender=sender,
                to=_number(body.get("to")),
                text=text if isinstance(text, str) else "",  # its `keyword` is the first word only: not used
                provider_id=words(body["message_uuid"], longest=100),
                sent_at=moment(body.get("timestamp")),
            )
        ]

    def reports(self, hook: Hook) -> list[Report]:
        body = hook.json()
        if "status" not in body or not (body.get("message_uuid") or body.get("client_ref")):
            raise NotUnderstood("no status or no id in it")
        status = STATUSES.get(words(body["status"]).lower(), "")
        code, said = _problem(body.get("error"))
        failed = status == "failed"
        return [
            Report(
                status=status,
                provider_id=words(body.get("message_uuid"), longest=100),
                reference=words(body.get("client_ref"), longest=100),
                to=_number(body.get("to")),
                error=_cause(code, said or words(body["status"])) if failed else "",
                block=_block(code, said) if failed else None,
            )
        ]


def _refused(answer: Answer) -> Outcome | None:
    """RFC 9457: the code is the end of `type`, else the title."""
    if answer.status < 400 or answer.status >= 500 or answer.status == 429:
        return None
    code, said = _problem(answer.json())
    if code in BUSY:
        return Outcome(Verdict.RETRYABLE, error=_cause(code, said), retry_after=answer.retry_after)
    if code in ACCOUNT_CODES:
        return at_fault(_cause(code, said))
    if answer.status not in {400, 422} or not (code or said):
        return None
    return Outcome(Verdict.REJECTED, error=_cause(code, said), block=_block(code, said))


def _taken(answer: Answer) -> Outcome:
    provider_id = words(answer.json().get("message_uuid"), longest=100)
    if answer.status >= 400 or not provider_id:
        return Outcome(Verdict.UNKNOWN, error=f"the provider answered HTTP {answer.status} without an id")
    return Outcome(Verdict.ACCEPTED, provider_id=provider_id)


def _problem(error: Any) -> tuple[str, str]:
    """Code and words."""
    if not isinstance(error, dict):
        return "", ""
    title, detail = words(error.get("title")), words(error.get("detail"))
    ends = (words(error.get("type")).rpartition("#")[2], title, words(error.get("code")))
    code = next((end for end in ends if end.isascii() and end.isdigit()), "")
    said = ": ".join(part for part in (title, detail) if part and part != code)
    return code, said


def _cause(code: str, said: str) -> str:
    cause = CAUSES.get(code) or said or "refused by the provider"
    return words(f"{cause} ({code})" if code else cause)


def _block(code: str, said: str) -> Block | None:
    wished = any(wish in said.lower() for wish in WISHES)
    return Block.OPTED_OUT if code == NUMBER_BARRED or wished else None


def _number(value: Any) -> str:
    """Digits only, as +31612345678; old webhooks hold them in an object, names and short codes stay."""
    if isinstance(value, dict):
        value = value.get("number")
    return words(value, longest=64)


def _packed(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _unpacked(text: str) -> dict[str, Any]:
    found = json.loads(_unbase64(text))
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _same(one: Any, other: str) -> bool:
    return isinstance(one, str) and hmac.compare_digest(one.lower().encode(errors="replace"), other.encode())
