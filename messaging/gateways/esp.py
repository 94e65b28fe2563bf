"""Any e-mail service that django-anymail knows.

Anymail knows each service's words: the request of a message, the answer, the events. How the request travels, and
what its silence means, is ours, because a message may be sent again only where the service cannot have taken it.
Nothing comes from global settings: each gateway has an account of its own.
"""

from __future__ import annotations

import abc
import hashlib
import io
import json
import warnings
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address as Mailbox
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from anymail.backends.base_requests import AnymailRequestsBackend
from anymail.exceptions import AnymailError, AnymailInsecureWebhookWarning, AnymailNotSupportedWarning
from anymail.signals import AnymailTrackingEvent, EventType
from anymail.webhooks.base import AnymailBaseWebhookView
from django.core.handlers.wsgi import WSGIRequest
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from messaging.gateways import mail as letters
from messaging.gateways import references
from messaging.gateways.base import Block, Inbound, Outcome, Outgoing, Report, Verdict, words
from messaging.gateways.hooks import Hook, NotUnderstood
from messaging.gateways.http import Answer, HttpAdapter

#: Under this name the services keep our reference beside a message.
REFERENCE = "stopgate"
#: Transactional messages are not theirs to stop, so what is marketing bears this mark where a service knows such.
MARKETING = "marketing"
#: What a request did not have right, as far as it concerns this message.
REFUSALS = {400, 413, 422}
STATUSES = {
    EventType.QUEUED: "sent",
    EventType.SENT: "sent",
    EventType.DEFERRED: "sent",
    EventType.DELIVERED: "delivered",
    EventType.COMPLAINED: "delivered",  # nobody complains about what did not arrive
    EventType.REJECTED: "failed",
    EventType.FAILED: "failed",
    EventType.BOUNCED: "failed",
}
BLOCKS = {EventType.UNSUBSCRIBED: Block.OPTED_OUT, EventType.COMPLAINED: Block.COMPLAINED}
#: Where services put their words about what they refuse.
WORDS_IN = ("message", "Message", "ErrorMessage", "detail", "description", "errors", "Errors", "Messages", "error")

# The services change their minds about anymail more often than anymail's code about them.
warnings.filterwarnings("ignore", category=AnymailNotSupportedWarning)
# What comes in was found authentic before anymail reads it.
warnings.filterwarnings("ignore", category=AnymailInsecureWebhookWarning)


class Esp(HttpAdapter):
    """Subclasses are tables: where the service lives, which parts of anymail speak to it, whom it will not write to."""

    channels = frozenset({"email"})
    batch_size = 40
    largest_hook = 1024 * 1024
    #: Of the API, below the host.
    path: ClassVar[str]
    backend: ClassVar[type[AnymailRequestsBackend]]
    view: ClassVar[type[AnymailBaseWebhookView]]
    #: The settings that the backend and the view of anymail take under the same names.
    for_backend: ClassVar[tuple[str, ...]] = ("api_key",)
    for_view: ClassVar[tuple[str, ...]] = ("webhook_secret",)
    #: HTTP statuses that say that the message was taken.
    taken: ClassVar[frozenset[int]] = frozenset({200, 201, 202})

    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        _ = self.api  # made once, not in every thread
        return self.one_by_one(messages, self._send_one)

    @cached_property
    def api(self) -> AnymailRequestsBackend:
        given = {name: self.settings[name] for name in self.for_backend if name in self.settings}
        # A service that cannot switch its tracking off, for one, still gets the rest of the message.
        return self.backend(api_url=f"{self.base_url}{self.path}", ignore_unsupported_features=True, **given)

    def _send_one(self, message: Outgoing) -> Outcome:
        try:
            mail = self._mail(message)
            payload = self.api.build_message_payload(mail, {})
            request = payload.get_request_params(self.api.api_url)
        except (AnymailError, MessageError, ValueError, IndexError):
            return Outcome(Verdict.REJECTED, error="this sender or recipient makes no mail")
        answer = self._ask(**request)
        if answer.lost:
            return answer.lost
        return self.refused(answer) or self.common_outcome(answer) or self._outcome(answer, payload, mail)

    def _mail(self, message: Outgoing) -> EmailMultiAlternatives:
        str(Mailbox(addr_spec=message.to))
        mail = EmailMultiAlternatives(
            subject=letters.subject(message),
            body=message.text,
            from_email=str(letters.sender(message, self.settings)),
            to=[message.to],
            headers=letters.headers(message),
        )
        mail.attach_alternative(letters.html(message), "text/html")
        mail.metadata = {REFERENCE: references.write(message.id)}
        # Tracking would put the service's own addresses into our links, and watch people who never agreed to it.
        mail.track_opens = mail.track_clicks = False
        self.mark(mail, is_marketing=bool(message.list_unsubscribe))
        return mail

    def mark(self, mail: EmailMultiAlternatives, *, is_marketing: bool) -> None:
        """Say to the service what is marketing, so that its own list holds back nothing else."""
        return

    def _ask(self, *, method: str, url: str, data: Any, timeout: Any = None, **request: Any) -> Answer:
        """Anymail's words for a request are those of `requests`."""
        body = {"content": data} if isinstance(data, (str, bytes)) else {"data": data}
        given = {name: value for name, value in request.items() if value}
        return self.ask(method, url, **body, **given)

    def refused(self, answer: Answer) -> Outcome | None:
        """What the service's own code says, where it says more than the HTTP status."""
        return None

    def block_of(self, answer: Answer) -> Block | None:
        """Of a message that was refused: whether that is because the address stands on the service's list."""
        return None

    def _outcome(self, answer: Answer, payload: Any, mail: EmailMultiAlternatives) -> Outcome:
        if answer.status not in self.taken:
            said = said_in(answer.json())
            if answer.status in REFUSALS and said:
                return Outcome(Verdict.REJECTED, error=said, block=self.block_of(answer))
            return Outcome(Verdict.UNKNOWN, error=f"the provider answered HTTP {answer.status}")
        try:
            response = _as_requests(answer)
            self.api.raise_for_status(response, payload, mail)
            (told,) = self.api.parse_recipient_status(response, payload, mail).values()
            status, provider_id = told.status, words(told.message_id, longest=100)
        except Exception:  # whatever the answer was, it was none
            return Outcome(Verdict.UNKNOWN, error="the provider's answer makes no sense")
        if status in {"rejected", "invalid", "failed"}:
            said = said_in(answer.json()) or "refused by the provider"
            return Outcome(Verdict.REJECTED, provider_id=provider_id, error=said, block=self.block_of(answer))
        if status not in {"sent", "queued"} or not provider_id:
            return Outcome(Verdict.UNKNOWN, error="the provider's answer has no id")
        return Outcome(Verdict.ACCEPTED, provider_id=provider_id)

    def is_authentic(self, hook: Hook) -> bool:
        # Anymail takes a missing secret for “anybody may”.
        if any(name not in self.settings for name in self.account.needed):
            return False
        try:
            self._view().run_validators(_as_django(hook))
        except Exception:  # what breaks the check is no proof
            return False
        return True

    def inbound(self, hook: Hook) -> list[Inbound]:
        raise NotUnderstood("replies by e-mail go to the sender's address, not here")

    def reports(self, hook: Hook) -> list[Report]:
        try:
            found = [self._report(event) for event in self._view().parse_events(_as_django(hook))]
        except Exception as problem:  # anymail trusts the shape
            raise NotUnderstood("none of the provider's known shapes") from problem
        if not found or all(report.is_strange for report in found):
            raise NotUnderstood("no event in it that we know")
        return found

    def _view(self) -> AnymailBaseWebhookView:
        return self.view(**{name: self.settings[name] for name in self.for_view})

    def _report(self, event: AnymailTrackingEvent) -> Report:
        kind, block = event.event_type, self.block(event)
        status = STATUSES.get(kind, "")
        said = words(event.mta_response) or words(event.description) or words(event.reject_reason) or words(kind)
        is_news = status == "failed" or block is not None
        return Report(
            status=status,
            provider_id=words(event.message_id, longest=100),
            reference=words((event.metadata or {}).get(REFERENCE), longest=100),
            to=words(event.recipient, longest=320),
            error=said if is_news else "",
            block=block,
            event=f"{kind}:{self.event_id(event)}",
            occurred_at=_when(event.timestamp),
            is_strange=kind == EventType.UNKNOWN and block is None,
        )

    def block(self, event: AnymailTrackingEvent) -> Block | None:
        """Whether the service writes to the address no more, and why."""
        known: Block | None = BLOCKS.get(event.event_type)
        return known or self.other_block(event, event.esp_event)

    @abc.abstractmethod
    def other_block(self, event: AnymailTrackingEvent, said: Any) -> Block | None:
        """Beside complaints and unsubscribing, which anymail tells: a hard bounce, a place on the service's list."""
        ...  # only the service's own words tell a mailbox that is full from one that is not there

    def event_id(self, event: AnymailTrackingEvent) -> str:
        return words(event.event_id, longest=100) or fingerprint(event.esp_event)


def said_in(found: Any, *, depth: int = 5) -> str:
    if isinstance(found, str) or not depth:
        return words(found)
    parts: Iterable[Any] = found if isinstance(found, list) else ()
    if isinstance(found, dict):
        parts = [found[name] for name in WORDS_IN if name in found]
    return next(filter(None, (said_in(part, depth=depth - 1) for part in parts)), "")


def fingerprint(event: Any) -> str:
    return hashlib.sha256(json.dumps(event, sort_keys=True, default=str).encode()).hexdigest()


def _when(found: Any) -> datetime | None:
    """Never in the future: clocks differ."""
    if not isinstance(found, datetime):
        return None
    return min(found if found.tzinfo else found.replace(tzinfo=UTC), timezone.now())


def _as_requests(answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.raw = io.BytesIO(answer.body)
    return response


def _as_django(hook: Hook) -> WSGIRequest:
    """The delivery as anymail's views expect it."""
    parts = urlsplit(hook.url)
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in hook.headers.items()}
    return WSGIRequest(
        {
            **headers,
            "REQUEST_METHOD": "POST",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": parts.hostname or "localhost",
            "SERVER_PORT": "443",
            "CONTENT_TYPE": hook.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(hook.body)),
            "wsgi.input": io.BytesIO(hook.body),
        }
    )
