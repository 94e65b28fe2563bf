"""A mail server on loopback: speaks SMTP, answers as scripted, keeps what it took."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Script:
    """What is said at each point; `hang up` closes the connection there instead."""

    extensions: tuple[str, ...] = ()
    answers: dict[str, str] = field(default_factory=dict)
    greeting: str = "220 mail.example"


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
        self.logins: list[str] = []
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]

    def _handler(outer) -> type[socketserver.StreamRequestHandler]:  # noqa: N805
        class Handler(socketserver.StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self) -> None:
                outer.connections += 1
                with suppress(OSError):
                    self.talk()

            def talk(self) -> None:
                script, sender, to = outer.script, "", ""
                self.say(script.greeting)
                while line := self.rfile.readline():
                    command, _, rest = line.decode().strip().partition(" ")
                    command = command.upper()
                    scripted = script.answers.get(f"{command} {rest}") or script.answers.get(command)
                    if scripted == "hang up":
                        return
                    if scripted and command != "END":
                        self.say(scripted)
                        if not scripted.startswith("354"):
                            continue
                    elif command == "EHLO":
                        names = ["mail.example", *script.extensions]
                        for name in names[:-1]:
                            self.say(f"250-{name}")
                        self.say(f"250 {names[-1]}")
                    elif command == "AUTH":
                        outer.logins.append(base64.b64decode(rest.split()[-1]).decode())
                        self.say("235 ok")
                    elif command == "DATA":
                        self.say("354 go on")
                        data = b""
                        while (part := self.rfile.readline()) != b".\r\n":
                            if not part:
                                return
                            data += part[1:] if part.startswith(b".") else part
                        end = script.answers.get("END", "250 taken")
                        if end.startswith("250") or end == "taken, then hang up":
                            outer.mails.append(Mail(sender, to, data))
                        if "hang up" in end:
                            return
                        self.say(end)
                    else:
                        sender = rest if command == "MAIL" else sender
                        to = rest if command == "RCPT" else to
                        self.say("250 ok")
                        if command == "QUIT":
                            return

        return Handler


@contextmanager
def mail_server(script: Script | None = None) -> Iterator[MailServer]:
    made = MailServer(script or Script())
    threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
