"""What all providers over HTTP have in common: one pool of connections, limits on everything, honest outcomes.

A message may be sent again only where the provider cannot have taken it: no connection came about, or the provider
says itself that it refused for now (429, or 503 with Retry-After). All other silence is `unknown`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, ClassVar

import httpx

from accounts import limits
from messaging.gateways.base import Adapter, Outcome, Outgoing, Verdict, words

#: A worker is taken for dead after 60 s (campaigns.dispatch.LEASE); an answer has to come well before.
TIMEOUT = httpx.Timeout(20, connect=2, pool=2)
ANSWER_WITHIN_SECONDS = 30
LARGEST_ANSWER = 4 * 1024 * 1024
#: Credentials or balance are wrong: somebody has to mend that first.
GATEWAY_AT_FAULT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 3600.0
USER_AGENT = "Stopgate"
#: A request per message: how many side by side, and how long after the last look one may still begin.
AT_A_TIME = 10
BEGIN_WITHIN_SECONDS = 1.5

LATER = Outcome(Verdict.RETRYABLE, error="the gateway's rate", retry_after=1.0, is_ours=True)
AGAIN = Outcome(Verdict.RETRYABLE, error="the provider is slow", retry_after=0.0, is_ours=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, or `lost`: what that silence means for the messages of the request."""

    status: int = 0
    body: bytes = b""
    retry_after: float | None = None
    lost: Outcome | None = None

    def json(self) -> dict[str, Any]:
        """Empty when it is not JSON."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class HttpAdapter(Adapter):
    """Subclasses say where they live in `home`, and use `post` and `verdict_of`."""

    home: ClassVar[str]

    @property
    def base_url(self) -> str:
        return self.settings.get("base_url", self.home).rstrip("/")

    def post(self, path: str, **request: Any) -> Answer:
        return self.ask("POST", f"{self.base_url}{path}", **request)

    def ask(self, method: str, url: str, **request: Any) -> Answer:
        """One request; whatever happens on the way, an answer."""
        until = time.monotonic() + ANSWER_WITHIN_SECONDS
        try:
            with client().stream(method, url, **request) as response:
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > LARGEST_ANSWER or time.monotonic() > until:
                        return _lost(Verdict.UNKNOWN, "the provider's answer did not end")
                return Answer(response.status_code, bytes(body), _retry_after(response.headers.get("Retry-After")))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return _lost(Verdict.RETRYABLE, "no connection to the provider")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError):
            return _lost(Verdict.RETRYABLE, "the gateway's settings make no request", GATEWAY_AT_FAULT_SECONDS)
        except httpx.TimeoutException:
            return _lost(Verdict.UNKNOWN, "the provider did not answer in time")
        except httpx.HTTPError:
            return _lost(Verdict.UNKNOWN, "the connection broke before the answer")

    def common_outcome(self, answer: Answer) -> Outcome | None:
        """What is the same at every provider; None when the adapter has to read the answer itself."""
        if answer.lost:
            return answer.lost
        if answer.status == 429 or (answer.status == 503 and answer.retry_after is not None):
            return Outcome(
                Verdict.RETRYABLE,
                error="the provider asks to wait",
                retry_after=answer.retry_after,
                gateway_at_fault=answer.status == 503,
            )
        if answer.status in {401, 402, 403, 404, 405, 407}:
            return at_fault(f"the provider refuses this account (HTTP {answer.status})")
        if answer.status >= 500 or answer.status < 200 or 300 <= answer.status < 400 or answer.status == 408:
            return Outcome(Verdict.UNKNOWN, error=f"the provider answered HTTP {answer.status}")
        return None

    def one_by_one(self, messages: Sequence[Outgoing], send: Callable[[Outgoing], Outcome]) -> list[Outcome]:
        """A request per message, several at a time. `send` must not use the database: it runs in threads.

        What has not begun soon after the last look at the suppressions waits for a look of its own.
        """
        now = self.allowance(len(messages))
        until = time.monotonic() + BEGIN_WITHIN_SECONDS

        def begin(message: Outgoing) -> Outcome:
            return send(message) if time.monotonic() < until else AGAIN

        _ = self.settings  # read once, not in every thread
        with ThreadPoolExecutor(max_workers=AT_A_TIME) as threads:
            return [*threads.map(begin, messages[:now]), *[LATER] * (len(messages) - now)]

    def allowance(self, wanted: int) -> int:
        """How many messages the account's own `rate` lets out now; across all workers."""
        if "rate" not in self.settings:
            return wanted
        size, key = int(self.settings["rate"]), f"gateway-rate:{self.gateway.pk}"
        return next((n for n in range(wanted) if not limits.take(key, size=size, seconds=1)), wanted)


def at_fault(error: str) -> Outcome:
    """The account is in the way, not the message: it waits until somebody has mended that."""
    return Outcome(Verdict.RETRYABLE, error=words(error), retry_after=GATEWAY_AT_FAULT_SECONDS, gateway_at_fault=True)


def client() -> httpx.Client:
    return _client(os.getpid())  # a forked process must not share its parent's connections


@cache
def _client(_process: int) -> httpx.Client:
    return httpx.Client(
        timeout=TIMEOUT,
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
    )


def _lost(verdict: Verdict, error: str, retry_after: float | None = None) -> Answer:
    at_fault = verdict is Verdict.RETRYABLE
    return Answer(lost=Outcome(verdict, error=error, retry_after=retry_after, gateway_at_fault=at_fault))


def _retry_after(text: str | None) -> float | None:
    """RFC 9110 10.2.3: seconds or a date."""
    if not text:
        return None
    try:
        if text.strip().isascii() and text.strip().isdigit():
            seconds = float(text)
        else:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
