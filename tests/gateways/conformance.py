"""What every adapter over HTTP owes: inherited by the tests of each."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx
import pytest

from messaging.gateways import ADAPTERS, Adapter, Hook, NotUnderstood, Outgoing, Verdict, http
from messaging.models import Gateway
from tests.gateways import stub
from tests.gateways.stub import Reply, Request, said

NONSENSE = [
    b"", b"{", b"[]", b"null", b"1", b"[" * 100_000, b'{"a":' * 1000, b"1" * 5000, b"\xff\x00", b"<a", b"NaN",
    b'{"from": [], "to": {}, "status": [], "messages": 3}', b"<!DOCTYPE a><MESSAGES/>", b"&" * 5000,
]  # fmt: skip


def outgoing(number: int = 7, **fields: Any) -> Outgoing:
    values = {
        "id": number, "channel": "sms", "to": f"+3161234{number:04d}", "sender": "Acme",
        "subject": "", "text": "Sale! STOP 3010",
    }  # fmt: skip
    return Outgoing(**(values | fields))


@pytest.mark.django_db
class Conformance:
    """Subclasses are named Test…, name the kind and its settings, and answer as the provider does."""

    kind: ClassVar[str]
    settings: ClassVar[dict[str, str]]

    def accepts(self, request: Request) -> Reply:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _world(self, world):
        self.world = world

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch):
        client = httpx.Client(timeout=httpx.Timeout(5, read=0.3), trust_env=False)
        monkeypatch.setattr(http, "client", lambda: client)
        yield
        client.close()

    def outgoing(self, number: int = 7, **fields: Any) -> Outgoing:
        return outgoing(number, **fields)

    def adapter(self, base_url: str = "http://127.0.0.1:9", **more: str) -> Adapter:
        values = {**self.settings, "base_url": base_url, **more}
        gateway = Gateway.objects.create(company=self.world.acme, kind=self.kind, settings=values)
        return ADAPTERS[self.kind](gateway)

    def send(self, behaviour: Any, *messages: Outgoing) -> tuple[list[Any], list[Request]]:
        with stub.provider(behaviour) as provider:
            outcomes = self.adapter(provider.base_url).send(messages or [self.outgoing()])
        return outcomes, provider.requests

    def verdict(self, behaviour: Any) -> Any:
        (outcome,), requests = self.send(behaviour)
        assert len(requests) == 1, "a message may be handed over once only"
        return outcome

    def test_what_the_provider_takes_is_accepted_in_order_each_with_its_id(self):
        outcomes, _requests = self.send(self.accepts, *(self.outgoing(n) for n in range(1, 60)))

        assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED] * 59
        assert len({o.provider_id for o in outcomes}) == 59
        assert all(o.provider_id for o in outcomes)

    def test_a_connection_is_used_again(self):
        with stub.provider(self.accepts) as provider:
            adapter = self.adapter(provider.base_url)
            for number in range(5):
                adapter.send([self.outgoing(number)])

        assert len({request.connection for request in provider.requests}) == 1

    def test_without_a_connection_nothing_has_left(self):
        (outcome,) = self.adapter(stub.nobody()).send([self.outgoing()])

        assert (outcome.verdict, outcome.retry_after) == (Verdict.RETRYABLE, None)

    @pytest.mark.parametrize(("header", "seconds"), [("17", 17.0), ("999999", 3600.0), ("x", None), ("-4", None)])
    def test_429_is_tried_again_after_what_the_provider_asks(self, header, seconds):
        outcome = self.verdict(said(429, {}, Retry_After=header))

        assert (outcome.verdict, outcome.retry_after) == (Verdict.RETRYABLE, seconds)

    def test_503_is_tried_again_only_when_the_provider_says_when(self):
        assert self.verdict(Reply(503, b"", {"Retry-After": "5"})).verdict is Verdict.RETRYABLE
        assert self.verdict(Reply(503, b"")).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_account_is_not_the_message_s_fault(self, status):
        outcome = self.verdict(said(status, {"title": "Unauthorized"}))

        assert outcome.verdict is Verdict.RETRYABLE
        assert outcome.retry_after >= 60

    @pytest.mark.parametrize("status", [500, 502, 504, 302])
    def test_any_other_trouble_may_hide_that_it_was_taken(self, status):
        assert self.verdict(Reply(status, b"<html>", {"Location": "http://127.0.0.1:9/"})).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize("behaviour", [stub.Reset, stub.Silence], ids=["reset", "silence"])
    def test_a_broken_or_silent_connection_hides_what_was_taken(self, behaviour):
        assert self.verdict(behaviour).verdict is Verdict.UNKNOWN

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"null", b'"ok"', b"{}", b'{"a":' * 60_000, b"\xff\xfe", b"\x00"]
    )
    def test_an_answer_that_says_nothing_is_unknown(self, body):
        assert self.verdict(Reply(200, body)).verdict is Verdict.UNKNOWN

    def test_an_endless_answer_is_cut(self, monkeypatch):
        monkeypatch.setattr(http, "LARGEST_ANSWER", 1000)

        assert self.verdict(Reply(200, b"x" * 5000)).verdict is Verdict.UNKNOWN

    def test_the_account_s_rate_lets_the_rest_wait(self):
        with stub.provider(self.accepts) as provider:
            outcomes = self.adapter(provider.base_url, rate="3").send([self.outgoing(n) for n in range(8)])

        assert [o.verdict for o in outcomes][:3] == [Verdict.ACCEPTED] * 3
        assert outcomes[-1].verdict is Verdict.RETRYABLE
        assert outcomes[-1].retry_after == 1.0

    @pytest.mark.parametrize("hook", ["inbound", "status"])
    @pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", ""])
    def test_what_makes_no_sense_is_not_understood_and_breaks_nothing(self, hook, content_type):
        adapter = self.adapter()
        for body in NONSENSE:
            hook_in = Hook(kind=hook, url="https://x.example/h", body=body, headers={"content-type": content_type})

            with pytest.raises(NotUnderstood):
                adapter.inbound(hook_in) if hook == "inbound" else adapter.reports(hook_in)

    def test_its_settings_are_checked(self):
        account = ADAPTERS[self.kind].account

        account.check(self.settings, label="x")
        assert set(self.settings) <= {*account.needed, *account.optional}
