"""A mail server on loopback: aiosmtpd, answering as scripted, keeping what it took."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Script:
    """What is said to a command, or to the end of the data (`END`); `hang up` closes the connection there instead."""

    has_login: bool = False
    answers: dict[str, str] = field(default_factory=dict)


@dataclass
class Mail:
    sender: str
    to: str
    data: bytes


class MailServer:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.mails: list[Mail] = []
        self.connections = 0
        self.logins: list[tuple[bytes, bytes]] = []
        self.loop = asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(self.loop.create_server(self.talk, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]

    def talk(self) -> SMTP:
        login = {"auth_require_tls": False, "authenticator": self.login, "auth_exclude_mechanism": ["LOGIN"]}
        return Scripted(self, hostname="mail.example", loop=self.loop, **(login if self.script.has_login else {}))

    def login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, given: LoginPassword
    ) -> AuthResult:
        self.logins.append((given.login, given.password))
        return AuthResult(success=True)

    async def handle_DATA(self, server: Scripted, session: Session, envelope: Envelope) -> str:  # noqa: N802
        end = self.script.answers.get("END", "250 taken")
        if end.startswith("250") or end == "taken, then hang up":
            (to,) = envelope.rcpt_tos
            self.mails.append(Mail(envelope.mail_from, to, envelope.content))
        if "hang up" in end:
            server.transport.abort()
        return end


class Scripted(SMTP):
    def __init__(self, outer: MailServer, **settings: Any) -> None:
        self.outer = outer
        super().__init__(outer, **settings)

    def connection_made(self, transport: Any) -> None:
        self.outer.connections += 1
        super().connection_made(transport)

    async def is_scripted(self, command: str, rest: str | None) -> bool:
        answers = self.outer.script.answers
        said = answers.get(f"{command} {rest}") or answers.get(command)
        if said == "hang up":
            self.transport.abort()
        elif said:
            await self.push(said)
        return bool(said)

    async def smtp_NOOP(self, arg: str) -> None:  # noqa: N802
        if not await self.is_scripted("NOOP", arg):
            await super().smtp_NOOP(arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        if not await self.is_scripted("AUTH", arg):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        if not await self.is_scripted("MAIL", arg):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        if not await self.is_scripted("RCPT", arg):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if not await self.is_scripted("DATA", arg):
            await super().smtp_DATA(arg)


@contextmanager
def mail_server(script: Script | None = None) -> Iterator[MailServer]:
    made = MailServer(script or Script())
    thread = threading.Thread(target=made.loop.run_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(_end(made), made.loop).result(5)
        made.loop.call_soon_threadsafe(made.loop.stop)
        thread.join(5)
        made.loop.close()


async def _end(made: MailServer) -> None:
    made.server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
