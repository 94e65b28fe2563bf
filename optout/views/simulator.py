"""Handsets without phones: what the simulator delivered, and answers to it."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from accounts.access import MemberRequest, member_required
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse
from messaging.models import Gateway, HandsetMessage, Reply
from optout import replies

LOOKED_AT = 500
HANDSETS = 40
BUBBLES = 50


@dataclass(frozen=True, slots=True)
class Bubble:
    """One text of a conversation; `parts` are (text, address of a link or empty)."""

    at: datetime
    mine: bool
    name: str
    subject: str
    parts: list[tuple[str, str]]


@require_safe
@member_required("viewer")
def simulator(request: MemberRequest) -> HttpResponse:
    gateway = _gateway_or_404(request)
    search = request.GET.get("q", "").strip()[:254]
    chosen = request.GET.get("to", "").strip()[:254] or _canonical(search, country=request.company.country)
    handsets = _handsets(search=search)
    chosen = chosen or (handsets[0].to if handsets else "")
    bubbles = _conversation(chosen, gateway=gateway)
    numbers = list(dict.fromkeys(b.name for b in bubbles if not b.mine and b.name))
    return render(
        request,
        "optout/simulator.html",
        {
            "handsets": handsets,
            "search": search,
            "chosen": chosen,
            "is_email": "@" in chosen,
            "bubbles": bubbles,
            "numbers": numbers[::-1],
        },
    )


@require_POST
@member_required("marketer")
def reply(request: MemberRequest) -> HttpResponse:
    """The handset answers."""
    gateway = _gateway_or_404(request)
    handset, to, text = (request.POST.get(name, "").strip() for name in ("from", "to", "text"))
    if handset and to and text and "@" not in handset:
        replies.receive(gateway=gateway, provider_id=f"sim-{uuid.uuid4()}", sender=handset[:64], to=to, text=text)
    return redirect(f"{reverse('optout:simulator')}?{urlencode({'to': handset[:254]})}")


def _gateway_or_404(request: MemberRequest) -> Gateway:
    gateway = Gateway.objects.filter(kind="simulator").order_by("pk").first()
    if gateway is None:
        raise Http404
    return gateway


def _handsets(*, search: str) -> list[HandsetMessage]:
    """The newest message of each handset, among the newest of all."""
    rows = HandsetMessage.objects.order_by("-pk")
    if search:
        rows = rows.filter(to__contains=re.sub(r"[\s().\-/]", "", search))
    newest: dict[str, HandsetMessage] = {}
    for row in rows[:LOOKED_AT]:
        newest.setdefault(row.to, row)
    return list(newest.values())[:HANDSETS]


def _conversation(handset: str, *, gateway: Gateway) -> list[Bubble]:
    if not handset:
        return []
    got = HandsetMessage.objects.filter(to=handset).order_by("-pk")[:BUBBLES]
    bubbles = [Bubble(row.received_at, False, row.sender, row.subject, _parts(row.text)) for row in got]
    if "@" not in handset:
        digest = Address("sms", handset).digest(digest_key())
        said = Reply.objects.filter(gateway=gateway, digest=digest).order_by("-received_at")[:BUBBLES]
        bubbles += [Bubble(row.received_at, True, row.to, "", [(row.text, "")]) for row in said]
    return sorted(bubbles, key=lambda bubble: bubble.at)[-BUBBLES:]


def _parts(text: str) -> list[tuple[str, str]]:
    """The text with our links made to open, as a phone does."""
    parts, at = [], 0
    for found in _links().finditer(text):
        parts += [(text[at : found.start()], ""), (found[0], f"{settings.SHORT_URL}/{found['path']}")]
        at = found.end()
    return [part for part in [*parts, (text[at:], "")] if part[0]]


@cache
def _links() -> re.Pattern[str]:
    host = re.escape(settings.SHORT_URL.partition("://")[2])
    return re.compile(rf"(?:https?://)?{host}/(?P<path>[0-9A-Za-z/-]+)")


def _canonical(search: str, *, country: str) -> str:
    try:
        return parse(search, default_country=country).value if search else ""
    except InvalidAddress:
        return ""
