"""One request to one endpoint: to the very address that was checked, signed, never redirected, never for long."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx
from cryptography.fernet import InvalidToken

from lib import outbound
from lib.keys import unseal
from webhooks import guard
from webhooks.models import Delivery

USER_AGENT = "Stopgate/1 (webhooks)"
CONNECT_SECONDS = 5.0
#: From the first byte of the connection to the answer's status, whatever trickles in.
ALL_SECONDS = 15.0
Problem = Delivery.Problem
log = logging.getLogger("stopgate.webhooks")


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is the receiver's, None when there was none; `problem` is empty when it took the event."""

    status: int | None = None
    problem: str = ""

    @property
    def is_taken(self) -> bool:
        return not self.problem

    @property
    def is_gone(self) -> bool:
        return self.status == 410


def post(url: str, *, webhook_id: str, body: bytes, sealed_secrets: Iterable[bytes]) -> Answer:
    """Whatever happens on the way, an answer. Uses no database: it runs in threads."""
    try:
        at = int(time.time())
        signatures = [sign(unseal(s), webhook_id=webhook_id, at=at, body=body) for s in sealed_secrets]
    except (InvalidToken, binascii.Error):
        return Answer(problem=Problem.SECRET)
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signatures),
    }
    try:
        status = _status(guard.parse(url), headers=headers, body=body)
    except outbound.NoSuchHost:
        return Answer(problem=Problem.NO_SUCH_HOST)
    except guard.Refused:
        return Answer(problem=Problem.REFUSED)
    except httpcore.TimeoutException:
        return Answer(problem=Problem.TIMEOUT)
    except httpcore.ConnectError as problem:
        bad = isinstance(problem.__context__, ssl.SSLCertVerificationError)
        return Answer(problem=Problem.CERTIFICATE if bad else Problem.NO_CONNECTION)
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
        return Answer(problem=Problem.BROKEN)
    except Exception as problem:  # one receiver's strange answer must not end the round of all
        log.error("a webhook could not be posted: %s", type(problem).__name__)
        return Answer(problem=Problem.BROKEN)
    # A redirect is a failure too: where it leads nobody has checked.
    return Answer(status=status, problem="" if 200 <= status < 300 else Problem.STATUS)


def sign(secret: str, *, webhook_id: str, at: int, body: bytes) -> str:
    """Standard Webhooks 1.0: v1, HMAC-SHA256 of id, time and body as they are sent."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    digest = hmac.new(key, f"{webhook_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _status(url: httpx.URL, *, headers: dict[str, str], body: bytes) -> int:
    """Only the status is read; a receiver has nothing else to tell us."""
    asked = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=guard.port_of(url), target=url.raw_path)
    host = url.netloc.decode("ascii")
    waits = {"connect": CONNECT_SECONDS, "read": ALL_SECONDS, "write": ALL_SECONDS, "pool": CONNECT_SECONDS}
    with (
        httpcore.ConnectionPool(ssl_context=_trust(), network_backend=_Checked(), max_connections=1) as pool,
        pool.stream(
            "POST", asked, headers={"Host": host, **headers}, content=body, extensions={"timeout": waits}
        ) as response,
    ):
        return response.status


@cache
def _trust() -> ssl.SSLContext:
    """Certificates are checked against the name, although the connection goes to an address."""
    return httpx.create_ssl_context(trust_env=False)


class _Checked(httpcore.NetworkBackend):
    """Resolves the name itself and connects to what was checked, so that no second look-up can lead elsewhere."""

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> httpcore.NetworkStream:
        until = time.monotonic() + ALL_SECONDS
        connect_until = time.monotonic() + CONNECT_SECONDS
        failure: Exception = httpcore.ConnectError("no address")
        for address in guard.addresses(host, port):
            left = connect_until - time.monotonic()
            if left <= 0:
                raise httpcore.ConnectTimeout
            try:
                stream = httpcore.SyncBackend().connect_tcp(address, port, timeout=left, **options)
                return _Hurried(stream, until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failure = problem
        raise failure

    def connect_unix_socket(self, *_args: Any, **_options: Any) -> httpcore.NetworkStream:
        raise httpcore.ConnectError


class _Hurried(httpcore.NetworkStream):
    """All in all only so long: a receiver that sends a byte now and then is cut off like a silent one."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def _left(self, kind: type[Exception]) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise kind
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=self._left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=self._left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = min(CONNECT_SECONDS, self._left(httpcore.ConnectTimeout))
        return _Hurried(self._stream.start_tls(ssl_context, server_hostname, timeout=left), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
