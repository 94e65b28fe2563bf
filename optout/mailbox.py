"""Out by e-mail: a mail program answers the mailto: address of List-Unsubscribe by itself (RFC 2369)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32

from addressbook import consent
from optout.landing.link import Link, find
from optout.links import codes

log = logging.getLogger("stopgate.mailbox")

#: What is read of a message; headers come first, and nothing else is looked at.
MOST_BYTES = 256 * 1024
LONGEST_HEADER = 4000
MOST_CANDIDATES = 50
_DETAIL = re.compile(r"\+([0-9A-Za-z-]{32,64})@")
_CODE = re.compile(r"(?<![0-9A-Za-z-])[0-9A-Za-z-]{32,64}(?![0-9A-Za-z-])")


def take(data: bytes, *, recipients: Sequence[str] = ()) -> bool:
    """Opts out whoever's code the message was sent to; False when it carries none of ours.

    Whatever it says: nobody but the holder of the code knows where to send it. `recipients` are those of the
    envelope. In force when this returns.
    """
    mail = BytesHeaderParser(policy=compat32).parsebytes(data)
    link = _link(mail, recipients)
    if link is None:
        return False
    done = consent.opt_out(
        company=link.company,
        address=link.address,
        source="one_click",
        campaign_id=link.campaign_id,
        campaign_name=link.campaign_name,
        message_id=link.message_id,
        country=link.country,
        evidence={"method": "List-Unsubscribe, by e-mail", "provider_id": _printable(_said(mail, "Message-ID"))[:200]},
    )
    log.info("message %s was unsubscribed by e-mail%s", link.message_id, ", again" if done.already else "")
    return True


def _link(mail: Message, recipients: Sequence[str]) -> Link | None:
    for n, code in enumerate(_candidates(mail, recipients)):
        if n == MOST_CANDIDATES:
            return None
        message_id = codes().decode_tagged(code)
        link = find(message_id) if message_id is not None else None
        if link is not None and link.channel == "email":
            return link
    return None


def _candidates(mail: Message, recipients: Sequence[str]) -> Iterator[str]:
    """Where it was delivered first. What machines answer is quoted from elsewhere: there, only that counts."""
    for delivered in (*recipients, *_all(mail, "Delivered-To", "X-Original-To", "Envelope-To")):
        yield from _DETAIL.findall(delivered)
    if _is_automatic(mail):
        return
    for to in _all(mail, "To", "Cc"):
        yield from _DETAIL.findall(to)
    for subject in _all(mail, "Subject"):
        yield from _CODE.findall(subject)


def _is_automatic(mail: Message) -> bool:
    """RFC 3834 and RFC 5321 4.5.5: automatic answers, and what tells of mail that could not be delivered."""
    submitted = _said(mail, "Auto-Submitted").strip().lower()
    return (bool(submitted) and not submitted.startswith("no")) or _said(mail, "Return-Path").strip() == "<>"


def _all(mail: Message, *names: str) -> Iterator[str]:
    for name in names:
        for value in mail.get_all(name, []):
            yield _decoded(str(value)[:LONGEST_HEADER])


def _said(mail: Message, name: str) -> str:
    return next(_all(mail, name), "")


def _decoded(value: str) -> str:
    value = re.sub(r"\r?\n(?=[ \t])", "", value)
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and not "\ud800" <= c <= "\udfff")
