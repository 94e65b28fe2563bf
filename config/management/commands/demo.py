"""`make demo`: everything in one terminal, with a company that has a story to tell."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Company
from config import demo

WAIT_SECONDS = 60
PR_SET_PDEATHSIG = 1


class Command(BaseCommand):
    help = "Starts web and worker with a demo company, for trying Stopgate. Ctrl-C stops everything."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo's passwords are public: it runs with DEBUG=1 only. Use `make demo`.")
        _refuse_taken(port)
        # A terminal that is closed, or a process manager, ends the demo as Ctrl-C does; so does
        # SIGINT where the demo was started in the background, with that signal ignored.
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, _interrupt)
        children: list[subprocess.Popen[bytes]] = []
        try:
            self.stdout.write("Preparing the database …")
            call_command("migrate", verbosity=0)
            api_key = ""
            if not demo.exists():
                self.stdout.write("Loading the demo company: 2,000 contacts and five weeks of campaigns …")
                api_key = demo.load()
            children += [_web(port), _worker()]
            _wait_until_ready(port, children)
            self._welcome(api_key)
            _watch(children)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping …")
        finally:
            _stop(children)

    def _welcome(self, api_key: str) -> None:
        company = Company.objects.get(slug="fjord-fern")
        base = settings.APP_URL
        lines = [
            "",
            f"Stopgate is running at {base}",
            "",
            f"  Owner          {demo.OWNER}    password {demo.PASSWORD}",
            f"  Viewer         {demo.VIEWER}   password {demo.PASSWORD}",
            f"  Other company  {demo.RIVALS_OWNER}  password {demo.PASSWORD}",
            f"  Administrator  {demo.ADMINISTRATOR}    password {demo.PASSWORD}    {base}/admin/",
            "",
            f"  API            {base}/api/v1/docs",
            f"  API key        {api_key or 'shown at the first start; make another under Settings, API keys'}",
            f"  Handsets       {base}/simulator/    here the messages arrive, and here you answer STOP",
            "  Opt-out links  as three recipients of the last campaigns got them:",
            *(f"                 {link}" for link in demo.links(company)),
            "",
            "Try it: log in as the owner, open Campaigns, launch “Black Friday reminder”, open the handsets,",
            "leave by a link or by STOP, then duplicate and launch it again: whoever left is left out.",
            "",
            "Ctrl-C stops everything; the data stays.",
        ]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise CommandError(f"Port {port} is taken. Choose another one: make demo PORT={port + 1}") from problem


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, *command], cwd=settings.BASE_DIR, preexec_fn=_end_with_parent)  # noqa: S603


def _end_with_parent() -> None:
    """Linux stops the child when the demo is killed, so that no server is left on the port."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _web(port: int) -> subprocess.Popen[bytes]:
    return _start(
        "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4",
        "--log-level", "warning",
    )  # fmt: skip


def _worker() -> subprocess.Popen[bytes]:
    return _start("manage.py", "worker")


def _wait_until_ready(port: int, children: list[subprocess.Popen[bytes]]) -> None:
    url = f"http://127.0.0.1:{port}/healthz"
    for _ in range(WAIT_SECONDS * 10):
        _refuse_dead(children)
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise CommandError(f"The web server did not answer within {WAIT_SECONDS} seconds.")


def _watch(children: list[subprocess.Popen[bytes]]) -> None:
    while True:
        _refuse_dead(children)
        time.sleep(0.5)


def _refuse_dead(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is not None:
            raise CommandError(f"{' '.join(map(str, child.args[1:4]))} stopped with code {child.returncode}.")  # type: ignore[index]


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(timeout=25)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
