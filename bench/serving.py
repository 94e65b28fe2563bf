"""Gunicorn as it runs in production, and eight clients that keep their connections."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection

CLIENTS = 8
PORT = 8799
#: With this header a request is one to the app, else to the short domain.
APP = {"Host": f"localhost:{PORT}"}


@dataclass(frozen=True)
class Ask:
    """One request and the status that it must be answered with."""

    method: str
    path: str
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def database_url() -> str:
    at = connection.get_connection_params()
    return f"postgres://{at.get('user')}:{at.get('password') or ''}@/{at['dbname']}?host={at['host']}"


@contextmanager
def gunicorn(*, settings_module: str) -> Iterator[None]:
    """The web server with the settings named, on the benchmark's database."""
    environment = {
        **os.environ,
        "PYTHONWARNINGS": "ignore",
        "DJANGO_SETTINGS_MODULE": settings_module,
        "DATABASE_URL": database_url(),
        "APP_URL": f"http://localhost:{PORT}",
        "SHORT_URL": f"http://127.0.0.1:{PORT}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "SECRET_KEY": settings.SECRET_KEY,
        "LINK_KEY": settings.LINK_KEY,
        "DIGEST_KEY": settings.DIGEST_KEY,
    }
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{PORT}", "--workers", "2"]
    command += ["--threads", "4", "--log-level", "warning", "--keep-alive", "60"]
    server = subprocess.Popen(command, env=environment, cwd=Path(__file__).parent.parent)
    try:
        _wait(server)
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def _wait(server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError("gunicorn did not start")
        try:
            http.client.HTTPConnection("127.0.0.1", PORT, timeout=5).connect()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("gunicorn does not answer")


def one(ask: Ask) -> tuple[float, bytes]:
    """Put one request on a connection of its own; seconds until its whole answer, and that."""
    to_server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    to_server.connect()
    start = time.perf_counter()
    to_server.request(ask.method, ask.path, body=ask.body or None, headers=ask.headers)
    answer = to_server.getresponse()
    text = answer.read()
    seconds = time.perf_counter() - start
    to_server.close()
    if answer.status != ask.status:
        raise RuntimeError(f"{ask.method} {ask.path}: {answer.status} instead of {ask.status}")
    return seconds, text


def hammer(asks: Sequence[Ask]) -> float:
    """Put all requests with eight clients side by side; seconds from the first to the last answer."""
    size = -(-len(asks) // CLIENTS)
    shares = [asks[n * size : (n + 1) * size] for n in range(CLIENTS)]
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(CLIENTS + 1)
    clients = [context.Process(target=_client, args=(share, gate)) for share in shares]
    for client in clients:
        client.start()
    gate.wait()
    start = time.perf_counter()
    for client in clients:
        client.join()
    seconds = time.perf_counter() - start
    if any(client.exitcode for client in clients):
        raise RuntimeError("a client got an answer that it did not expect")
    return seconds


def _client(asks: Sequence[Ask], gate: multiprocessing.synchronize.Barrier) -> None:
    to_server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    to_server.connect()
    gate.wait()
    for ask in asks:
        to_server.request(ask.method, ask.path, body=ask.body or None, headers=ask.headers)
        answer = to_server.getresponse()
        text = answer.read()
        if answer.status != ask.status:
            sys.exit(f"{ask.method} {ask.path}: {answer.status} instead of {ask.status}\n{text[:300]!r}")
