"""What every adapter for e-mail needs, however the mail leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.headerregistry import Address as Mailbox
from email.utils import parseaddr

from django.utils.html import escape, urlize

from messaging.gateways.base import Outgoing

_LINE_BREAKS = re.compile(r"[\r\n\x00]+")


def sender(message: Outgoing, settings: Mapping[str, str]) -> Mailbox:
    """The message's own address or name, before the account's `from_email`. Raises ValueError or MessageError."""
    name, own = parseaddr(settings["from_email"])
    if "@" in message.sender:
        return Mailbox(addr_spec=message.sender)
    return Mailbox(display_name=message.sender or name, addr_spec=own)


def subject(message: Outgoing) -> str:
    """On one line: a header is never more than one."""
    return _LINE_BREAKS.sub(" ", message.subject)


def headers(message: Outgoing) -> dict[str, str]:
    """RFC 8058: one click, without a page in between."""
    if not message.list_unsubscribe:
        return {}
    return {"List-Unsubscribe": message.list_unsubscribe, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def html(message: Outgoing) -> str:
    """The letter, or the same words as the text with links that open; nothing is loaded from anywhere."""
    text = urlize(escape(message.text)).replace("\n", "<br>")
    return message.html or f"<!doctype html><html><body><p>{text}</p></body></html>"
