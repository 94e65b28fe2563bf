"""CM.com, Business Messaging API v1.0.

https://developers.cm.com/messaging/docs/integration · …/responses-errors-json · …/incoming-messages ·
…/incoming-status-report
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from messaging.gateways import references
from messaging.gateways.account import Account
from messaging.gateways.base import Block, Inbound, Outcome, Outgoing, Report, Verdict, moment, words
from messaging.gateways.hooks import Hook, NotUnderstood
from messaging.gateways.http import LATER, Answer, HttpAdapter, at_fault

#: SMS joins up to 8 parts here; the provider's default is to refuse a second one.
MOST_PARTS = 8
VALIDITY = "4h0m"
#: errorCode of the whole request: the account is in the way, not the messages.
ACCOUNT_CODES = {
    101: "authentication failed",
    102: "the balance is insufficient",
    103: "the product token is incorrect",
}
#: messageErrorCode.
BLACKLISTED = 402
MESSAGE_CODES = {
    301: "the sender is not accepted",
    302: "the recipient is not accepted",
    303: "this is no valid number",
    304: "the text is not accepted",
    305: "a field is not accepted",
    401: "held back by the spam filter",
    BLACKLISTED: "the recipient is on the provider's blacklist",
    403: "rejected by the provider",
}
#: status.code of a report. 0: taken by the operator, 1: rejected by CM, 2: delivered, 3: failed, 4: read.
STATUS_CODES = {"0": "sent", "1": "failed", "2": "delivered", "3": "failed", "4": "delivered"}


class Cm(HttpAdapter):
    kind = "cm"
    label = "CM.com"
    home = "https://gw.cmtelecom.com"
    batch_size = 500  # a request may carry 1000
    account = Account(("product_token",), ("base_url", "rate"))

    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        now = self.allowance(len(messages))
        return [*self._request(messages[:now]), *[LATER] * (len(messages) - now)]

    def _request(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        if not messages:
            return []
        answer = self.post(
            "/v1.0/message",
            headers={"X-CM-PRODUCTTOKEN": self.settings["product_token"]},
            json={"messages": {"msg": [_msg(m) for m in messages]}},
        )
        whole = self.common_outcome(answer)
        if whole is None:
            return _outcomes(messages, answer)
        return [whole] * len(messages)

    def is_authentic(self, hook: Hook) -> bool:
        """CM signs nothing: the unguessable address of the webhook, which the caller has checked, is the proof."""
        return True

    def inbound(self, hook: Hook) -> list[Inbound]:
        body = hook.form() if hook.is_form else hook.json()
        sender, text = _number(body.get("from")), _text(body)
        if not sender:
            raise NotUnderstood("no sender in it")
        # Its `reference` names the message that is answered, not this one, so there is no id.
        return [Inbound(sender=sender, to=_number(body.get("to")), text=text, sent_at=moment(body.get("timeUtc")))]

    def reports(self, hook: Hook) -> list[Report]:
        if hook.body.lstrip()[:1] == b"<":
            return [_xml_report(msg) for msg in _xml_msgs(hook.xml())]
        found = [_report(msg) for msg in _msgs(hook.json())]
        if not found:
            raise NotUnderstood("no report in it")
        return found


def _msg(message: Outgoing) -> dict[str, Any]:
    return {
        "from": message.sender.lstrip("+"),
        "to": [{"number": "00" + message.to.lstrip("+")}],
        "body": {"type": "auto", "content": message.text},
        "reference": references.write(message.id),
        "minimumNumberOfMessageParts": 1,
        "maximumNumberOfMessageParts": MOST_PARTS,
        # Without it, CM may choose any channel that is configured.
        "allowedChannels": ["SMS"],
        "validity": VALIDITY,
    }


def _outcomes(messages: Sequence[Outgoing], answer: Answer) -> list[Outcome]:
    """HTTP 200 may carry rejected ones, and 400 has the same shape; the order is not promised."""
    body = answer.json()
    code = _integer(body.get("errorCode"))
    if code in ACCOUNT_CODES:
        return [at_fault(f"{ACCOUNT_CODES[code]} (errorCode {code})")] * len(messages)
    rows = [row for row in _list(body.get("messages")) if isinstance(row, dict)]
    told = {str(row.get("reference", "")).lower(): row for row in rows}
    if answer.status >= 400 and code:
        missing = Outcome(Verdict.REJECTED, error=words(f"{words(body.get('details'))} ({code})"))
    else:
        missing = Outcome(Verdict.UNKNOWN, error="the provider's answer leaves this message out")
    outcomes = []
    for message in messages:
        reference = references.write(message.id)
        outcomes.append(_outcome(told[reference], reference) if reference in told else missing)
    return outcomes


def _outcome(row: dict[str, Any], reference: str) -> Outcome:
    code = _integer(row.get("messageErrorCode"))
    if code == 0 and str(row.get("status", "")).lower() == "accepted":
        return Outcome(Verdict.ACCEPTED, provider_id=reference)
    if code not in MESSAGE_CODES:
        return Outcome(Verdict.UNKNOWN, provider_id=reference, error=f"the provider answered {code}")
    error = words(f"{MESSAGE_CODES[code]} ({code})")
    block = Block.OPTED_OUT if code == BLACKLISTED else None
    return Outcome(Verdict.REJECTED, provider_id=reference, error=error, block=block)


def _report(msg: dict[str, Any]) -> Report:
    status = msg.get("status")
    parts = status if isinstance(status, dict) else {"code": status}
    return _told(
        code=words(parts.get("code")),
        error_code=words(parts.get("errorCode")),
        error=words(parts.get("errorDescription")),
        reference=words(msg.get("reference")),
        to=_number(msg.get("to")),
    )


def _xml_report(msg: ElementTree.Element) -> Report:
    return _told(
        code=words(msg.findtext("STATUS/CODE")),
        error_code=words(msg.findtext("STATUS/ERRORCODE")),
        error=words(msg.findtext("STATUS/ERRORDESCRIPTION")),
        reference=words(msg.findtext("REFERENCE")),
        to=_number(msg.findtext("TO")),
    )


def _told(*, code: str, error_code: str, error: str, reference: str, to: str) -> Report:
    status = STATUS_CODES.get(code, "")
    if status != "failed":
        return Report(status, reference=reference, to=to)
    block = Block.OPTED_OUT if error_code == str(BLACKLISTED) else None
    said = " ".join(part for part in (error, f"({error_code})" if error_code else "") if part)
    return Report(status, reference=reference, to=to, error=words(said or "failed at the provider"), block=block)


def _msgs(body: dict[str, Any]) -> list[dict[str, Any]]:
    """`{"messages": {"msg": …}}` with an object or a list; the customer may have edited the template."""
    inner = body.get("messages", body)
    if isinstance(inner, dict):
        inner = inner.get("msg", inner)
    return [msg for msg in _list(inner) if isinstance(msg, dict) and "reference" in msg and "status" in msg]


def _xml_msgs(root: ElementTree.Element) -> Iterable[ElementTree.Element]:
    found = root.findall("MSG") if root.tag == "MESSAGES" else []
    if not found:
        raise NotUnderstood("no report in it")
    return found


def _text(body: dict[str, Any]) -> str:
    """`message.text`, or `body` in the older form."""
    message = body.get("message", body.get("body", ""))
    if isinstance(message, dict):
        message = message.get("text")
    return message if isinstance(message, str) else ""


def _number(value: Any) -> str:
    """0031612345678, 31612345678, or an object that holds it, as +31612345678; a name or short code stays."""
    if isinstance(value, dict):
        value = value.get("number")
    text = words(value, longest=64)
    return f"+{text[2:]}" if text.startswith("00") and text.isascii() and text.isdigit() else text


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _integer(value: Any) -> int | None:
    text = words(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
