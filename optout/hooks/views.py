"""The providers' door. 2xx means: stored, and what it asks for is in force."""

from __future__ import annotations

import logging
import uuid

from cryptography.fernet import InvalidToken
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts import limits
from accounts.network import network_of
from messaging.gateways import ADAPTERS, Adapter, Hook
from messaging.models import Gateway
from optout.hooks import taking

log = logging.getLogger("stopgate.hooks")
#: Of refused ones per network and minute; what is authentic is never refused.
REFUSALS = 120


@csrf_exempt
@require_POST
def door(request: HttpRequest, *, kind: str, token: uuid.UUID, hook: str) -> HttpResponse:
    try:
        largest = ADAPTERS.get(kind, Adapter).largest_hook
        body = _body(request, largest)
        if body is None:
            return HttpResponse(f"At most {largest} bytes.\n", status=413, content_type="text/plain")
        gateway = Gateway.objects.across_companies().filter(token=token, kind=kind).first()
        if gateway is None or kind not in ADAPTERS:
            return HttpResponse("There is no such gateway.\n", status=404, content_type="text/plain")
        adapter = ADAPTERS[kind](gateway)
        said = Hook(kind=hook, url=_configured_url(request, gateway, hook), body=body, headers=_headers(request))
        if not adapter.is_authentic(said):
            return _refused(request)
        if hook == "inbound":
            taking.inbound(adapter, said)
        else:
            taking.status(adapter, said)
    except UnreadablePostError:
        return HttpResponse(status=400)  # the caller has hung up
    except (OperationalError, InterfaceError, InvalidToken) as problem:
        log.error("a webhook could not be stored: %s", type(problem).__name__)
        return HttpResponse("Not stored; try again.\n", status=503, headers={"Retry-After": "30"})
    content_type, text = adapter.answer
    return HttpResponse(text, content_type=content_type)


def _refused(request: HttpRequest) -> HttpResponse:
    """No trace but a counter."""
    if limits.take(f"hook-refused:{network_of(request)}", size=REFUSALS, seconds=60):
        return HttpResponse("The signature is missing or wrong.\n", status=403, content_type="text/plain")
    return HttpResponse("Too many wrong signatures.\n", status=429, headers={"Retry-After": "60"})


def _body(request: HttpRequest, largest: int) -> bytes | None:
    """None when it is too large."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isascii() and length.isdigit() and int(length[:12]) > largest:
        return None
    body = request.read(largest + 1)
    return body if len(body) <= largest else None


def _configured_url(request: HttpRequest, gateway: Gateway, hook: str) -> str:
    """What the provider was told, whatever the Host header says; only the query is the caller's."""
    query = request.META.get("QUERY_STRING", "")
    return gateway.hook_url(hook) + (f"?{query}" if query else "")


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
