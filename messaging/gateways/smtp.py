"""Any mail server, over SMTP (RFC 5321), with the headers that RFC 8058 asks of bulk mail.

The server takes a message with its answer to the end of the data: what breaks before the end was written is sent
again, what breaks between the end and the answer is unknown.
"""

from __future__ import annotations

import ipaddress
import re
import smtplib
import ssl
import threading
import time
from collections.abc import Sequence
from email.errors import MessageError
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Any

from django.utils import timezone

from lib import outbound
from messaging.gateways import mail as letters
from messaging.gateways import references
from messaging.gateways.account import Account
from messaging.gateways.base import Adapter, Block, Outcome, Outgoing, Verdict, words

#: 7 bits pass every server; a folded address would not be one any more.
WIRE = SMTP_POLICY.clone(cte_type="7bit", max_line_length=990)
TIMEOUT_SECONDS = 20
BEGIN_WITHIN_SECONDS = 1.5
#: Servers hang up on who is silent for long; then a new connection is made.
REUSE_SECONDS = 30
SMTPS_PORT = 465
DEFAULT_PORT = 587
GATEWAY_AT_FAULT_SECONDS = 60.0
#: Enhanced status codes (RFC 3463) that say for sure that there is no such mailbox.
NO_SUCH_MAILBOX = re.compile(r"5\.1\.(1|10)(?![.0-9])", re.ASCII)

AGAIN = Outcome(Verdict.RETRYABLE, error="the mail server is slow", retry_after=0.0, is_ours=True)


class OutOfService(Exception):
    """There is no server, it refuses this account, or it cannot be trusted with its password."""

    def __init__(self, error: str, *, wait: float | None = GATEWAY_AT_FAULT_SECONDS) -> None:
        super().__init__(error)
        self.wait = wait


class Smtp(Adapter):
    kind = "smtp"
    label = "SMTP"
    channels = frozenset({"email"})
    batch_size = 50
    account = Account(("host", "from_email"), ("port", "username", "password"))

    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        until = time.monotonic() + BEGIN_WITHIN_SECONDS
        outcomes: list[Outcome] = []
        try:
            with _Connection(self) as server:
                for message in messages:
                    # Late ones wait for a new look at the suppressions; the first is always in time.
                    late = outcomes and time.monotonic() > until
                    outcomes.append(AGAIN if late else self._send_one(server, message))
        except OutOfService as problem:
            refused = Outcome(Verdict.RETRYABLE, error=words(problem), retry_after=problem.wait, gateway_at_fault=True)
            outcomes += [refused] * (len(messages) - len(outcomes))
        return outcomes

    def _send_one(self, server: _Connection, message: Outgoing) -> Outcome:
        try:
            mail = self._mail(message)
            sender, data = parseaddr(str(mail["From"]))[1], _on_the_wire(mail)
        except (ValueError, IndexError, MessageError):
            return Outcome(Verdict.REJECTED, error="this sender or recipient makes no mail")
        outcome = server.deliver(sender=sender, to=message.to, data=data)
        if outcome.verdict in {Verdict.ACCEPTED, Verdict.UNKNOWN}:
            outcome.provider_id = str(mail["Message-ID"])[:100]
        return outcome

    def _mail(self, message: Outgoing) -> EmailMessage:
        mail = EmailMessage(policy=WIRE)
        mail["From"] = letters.sender(message, self.settings)
        mail["To"] = Mailbox(addr_spec=message.to)
        mail["Subject"] = letters.subject(message)
        mail["Date"] = format_datetime(timezone.now())
        # By its own domain, and the same however often it is tried, so that receivers drop doubles.
        mail["Message-ID"] = f"<{references.write(message.id)}@{str(mail['From']).rpartition('@')[2].rstrip('>')}>"
        for name, value in letters.headers(message).items():
            mail[name] = value
        mail.set_content(message.text)
        mail.add_alternative(letters.html(message), subtype="html")
        return mail

    @property
    def domain(self) -> str:
        """What we introduce ourselves as."""
        return parseaddr(self.settings["from_email"])[1].rpartition("@")[2] or "localhost"

    @property
    def server(self) -> tuple[str, int]:
        return self.settings["host"], int(self.settings.get("port", DEFAULT_PORT))


class _Connection:
    """One to each account and thread, kept between batches."""

    _kept = threading.local()

    def __init__(self, adapter: Smtp) -> None:
        self.adapter = adapter
        self.smtp: smtplib.SMTP | None = None
        # New settings mean a new connection.
        self.key = (adapter.gateway.pk, bytes(adapter.gateway.sealed_settings))

    def __enter__(self) -> _Connection:
        smtp, used_at = _kept(self._kept).pop(self.key, (None, 0.0))
        if smtp is not None and time.monotonic() - used_at < REUSE_SECONDS and _is_alive(smtp):
            self.smtp = smtp
        elif smtp is not None:
            smtp.close()
        return self

    def __exit__(self, *_problem: object) -> None:
        if self.smtp is not None:
            _kept(self._kept)[self.key] = (self.smtp, time.monotonic())

    def deliver(self, *, sender: str, to: str, data: bytes) -> Outcome:
        """Raises OutOfService, before anything was sent."""
        smtp = self.smtp = self.smtp or _connect(self.adapter)
        written = False
        try:
            for command, argument in (("MAIL", f"FROM:<{sender}>"), ("RCPT", f"TO:<{to}>"), ("DATA", "")):
                code, answer = smtp.docmd(command, argument)
                if code not in {250, 251, 354}:
                    return self._refused(code, answer, at=command)
            smtp.send(_dotted(data))
            written = True
            smtp.send(b".\r\n")
            code, answer = smtp.getreply()
            return Outcome(Verdict.ACCEPTED) if code == 250 else self._refused(code, answer, at="END")
        except (OSError, ValueError):
            self._drop()
            if written:
                return Outcome(Verdict.UNKNOWN, error="the connection broke before the mail server's answer")
            return Outcome(Verdict.RETRYABLE, error="the connection to the mail server broke")

    def _refused(self, code: int, answer: bytes, *, at: str) -> Outcome:
        """RFC 5321 4.2.1: 4xx for now, 5xx for good. A refused message is not taken, whenever that is said."""
        said = words(answer.decode(errors="replace"))
        error = words(f"the mail server answered {code} {said}")
        if code == 421 or self.smtp is None or not _reset(self.smtp):
            self._drop()
        if at == "END" and not 400 <= code < 600:
            return Outcome(Verdict.UNKNOWN, error=error)
        if code in {530, 535, 538}:  # who we are, not what we send
            raise OutOfService(error)
        if not 500 <= code < 600:
            return Outcome(Verdict.RETRYABLE, error=error)
        bounced = at == "RCPT" and code in {550, 551, 553} and NO_SUCH_MAILBOX.match(said)
        return Outcome(Verdict.REJECTED, error=error, block=Block.BOUNCED if bounced else None)

    def _drop(self) -> None:
        if self.smtp is not None:
            self.smtp.close()
            self.smtp = None


def _kept(local: threading.local) -> dict[object, tuple[smtplib.SMTP, float]]:
    if not hasattr(local, "servers"):
        local.servers = {}
    found: dict[object, tuple[smtplib.SMTP, float]] = local.servers
    return found


def _connect(adapter: Smtp) -> smtplib.SMTP:
    try:
        return _logged_in(adapter)
    except smtplib.SMTPAuthenticationError as problem:
        raise OutOfService(f"the mail server refuses this account ({problem.smtp_code})") from problem
    except (OSError, ValueError) as problem:
        raise OutOfService("no connection to the mail server", wait=None) from problem


def _logged_in(adapter: Smtp) -> smtplib.SMTP:
    host, port = adapter.server
    context = ssl.create_default_context()
    name = adapter.domain
    plain, tls = (_Public, _PublicTls) if adapter.gateway.public_only else (smtplib.SMTP, smtplib.SMTP_SSL)
    if port == SMTPS_PORT:
        smtp: smtplib.SMTP = tls(host, port, name, timeout=TIMEOUT_SECONDS, context=context)
    else:
        smtp = plain(host, port, name, timeout=TIMEOUT_SECONDS)
    try:
        smtp.ehlo_or_helo_if_needed()
        if port != SMTPS_PORT and smtp.has_extn("starttls") and not _is_loopback(host):
            smtp.starttls(context=context)
            smtp.ehlo()
        user, password = adapter.settings.get("username"), adapter.settings.get("password")
        # A server without AUTH knows us by our address, or will refuse the message by itself.
        if user and password and smtp.has_extn("auth"):
            if not isinstance(smtp.sock, ssl.SSLSocket) and not _is_loopback(host):
                raise OutOfService("the mail server offers no TLS, so it does not get the password")
            smtp.login(user, password)
    except BaseException:
        smtp.close()
        raise
    return smtp


class _Public(smtplib.SMTP):
    """To a server that a member named: not into our own networks, whatever its name leads to by now."""

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return outbound.connect(host, port, timeout)


class _PublicTls(smtplib.SMTP_SSL, _Public):
    """TLS from the start, around the same connection."""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_alive(smtp: smtplib.SMTP) -> bool:
    try:
        return smtp.noop()[0] == 250
    except OSError:
        return False


def _reset(smtp: smtplib.SMTP) -> bool:
    try:
        return smtp.rset()[0] == 250
    except OSError:
        return False


def _on_the_wire(mail: EmailMessage) -> bytes:
    """ASCII headers; an address that needs more than ASCII raises ValueError."""
    for name in ("From", "To"):
        str(mail[name].addresses[0].addr_spec).encode("ascii")
    return mail.as_bytes()


def _dotted(data: bytes) -> bytes:
    """RFC 5321 4.5.2, up to the end of the last line."""
    lines = data if data.endswith(b"\r\n") else data + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines)
