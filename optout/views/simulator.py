"""Handsets without phones: what the simulator delivered, and answers to it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, display, parse
from messaging.models import Gateway, HandsetMessage, Message, Reply
from optout import answers, replies

LOOKED_AT = 500
SIDE_BY_SIDE = 4
OTHERS = 30
BUBBLES = 30
LONGEST_ANSWER = 1600


@dataclass(frozen=True, slots=True)
class Bubble:
    """One text of a conversation; `parts` are (text, address of a link or empty)."""

    at: datetime
    mine: bool
    name: str
    subject: str
    parts: list[tuple[str, str]]


@dataclass(slots=True)
class Handset:
    """A phone, or a mailbox. `numbers` is what its owner can answer to, the newest first."""

    to: str
    bubbles: list[Bubble] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Its name in the page."""
        return f"h{hashlib.blake2b(self.to.encode(), digest_size=6).hexdigest()}"

    @property
    def name(self) -> str:
        return display(self.to)

    @property
    def is_mailbox(self) -> bool:
        return "@" in self.to


@require_safe
@member_required("viewer")
def simulator(request: MemberRequest) -> HttpResponse:
    """The newest handsets side by side, the one that was asked for first."""
    gateway = _gateway(request)
    if gateway is None:
        return render(request, "optout/simulator_off.html", {"nav": "simulator"})
    seen = _seen(gateway)
    if request.htmx and "seen" in request.GET:
        return _news(request, gateway, seen=seen)
    asked = request.GET.get("to", "").strip()
    chosen, problem = "", ""
    if asked:
        try:
            chosen = parse(asked[:300], default_country=request.company.country).value
        except InvalidAddress as wrong:
            problem = str(wrong)
    newest = _newest()
    shown = list(dict.fromkeys([*([chosen] if chosen else []), *newest]))[:SIDE_BY_SIDE]
    context = {
        "nav": "simulator",
        "handsets": [_handset(to, gateway=gateway) for to in shown],
        "others": [to for to in newest if to not in shown][:OTHERS],
        "asked": asked[:100],
        "problem": problem,
        "seen": seen,
        "may_answer": _may_answer(request),
    }
    return render(request, "optout/simulator.html", context)


def _news(request: MemberRequest, gateway: Gateway, *, seen: str) -> HttpResponse:
    """What has changed since the page last looked; nothing at all when nothing has, so that nothing moves."""
    if request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    shown = [to[:254].replace("\x00", "") for to in request.GET.getlist("shown")[: SIDE_BY_SIDE * 2]]
    newest = _newest()
    arrived = [to for to in newest if to not in shown][: max(SIDE_BY_SIDE - len(shown), 0)]
    context = {
        "handsets": [_handset(to, gateway=gateway) for to in shown],
        "arrived": [_handset(to, gateway=gateway) for to in arrived],
        "others": [to for to in newest if to not in {*shown, *arrived}][:OTHERS],
        "seen": seen,
        "may_answer": _may_answer(request),
    }
    return render(request, "optout/simulator_news.html", context)


@require_POST
@member_required("marketer")
def reply(request: MemberRequest) -> HttpResponse:
    """The handset answers."""
    from_, to, text = (request.POST.get(name, "").strip() for name in ("from", "to", "text"))
    problem = ""
    if not text.replace("\x00", ""):
        problem = _("Write an answer, for example STOP.")
    elif len(text) > LONGEST_ANSWER:
        problem = _("This answer is too long: at most %(n)s characters.") % {"n": LONGEST_ANSWER}
    else:
        try:
            replies.receive_simulated(company=request.company, from_=from_, to=to, text=text)
        except InvalidAddress as wrong:
            problem = str(wrong)
        except replies.NotOnSimulator:
            problem = _("Your company sends through a provider, so only real handsets can answer.")
    if request.htmx:
        return _form(request, from_=from_, problem=problem, text=text[:LONGEST_ANSWER] if problem else "")
    if problem:
        messages.error(request, problem)
    return redirect(f"{reverse('optout:simulator')}?{urlencode({'to': from_[:254]})}")


def _form(request: MemberRequest, *, from_: str, problem: str, text: str) -> HttpResponse:
    """The answer's form again: empty and ready for the next, or with what is wrong."""
    gateway = _gateway(request)
    handset = _handset(from_[:254].replace("\x00", ""), gateway=gateway) if gateway else Handset(from_[:254])
    context = {"handset": handset, "problem": problem, "text": text, "may_answer": True}
    answer = render(request, "optout/simulator_answer.html", context, status=422 if problem else 200)
    answer["HX-Trigger"] = "answered"
    return answer


def _may_answer(request: MemberRequest) -> bool:
    return allows(request.member.role, "marketer")


def _gateway(request: MemberRequest) -> Gateway | None:
    gateway = answers.gateway_of(request.company.pk)
    return gateway if gateway and gateway.kind == replies.SIMULATOR else None


def _seen(gateway: Gateway) -> str:
    """Changes whenever a handset received or said something."""
    got: dict[str, Any] = HandsetMessage.objects.aggregate(last=Max("pk"))
    said: dict[str, Any] = Reply.objects.filter(gateway=gateway).aggregate(last=Max("pk"))
    return f"{got['last'] or 0}-{said['last'] or 0}"


def _newest() -> list[str]:
    """Handsets that received something, the latest first."""
    rows = HandsetMessage.objects.order_by("-pk").values_list("to", flat=True)[:LOOKED_AT]
    return list(dict.fromkeys(rows))


def _handset(to: str, *, gateway: Gateway) -> Handset:
    handset = Handset(to)
    got = list(HandsetMessage.objects.filter(to=to).order_by("-pk")[:BUBBLES])
    bubbles = [Bubble(row.received_at, False, row.sender, row.subject, _parts(row.text)) for row in got]
    if not handset.is_mailbox:
        digest = Address("sms", to).digest(digest_key())
        said = Reply.objects.filter(gateway=gateway, digest=digest).order_by("-received_at")[:BUBBLES]
        bubbles += [Bubble(row.received_at, True, row.to, "", [(row.text, "")]) for row in said]
        handset.numbers = _numbers(got)
    handset.bubbles = sorted(bubbles, key=lambda bubble: bubble.at)[-BUBBLES:]
    return handset


def _numbers(got: list[HandsetMessage]) -> list[str]:
    """What the texts named for replies, else what they showed as their sender."""
    named = dict(Message.objects.filter(pk__in=[row.message_id for row in got]).values_list("pk", "reply_code"))
    numbers = [named.get(row.message_id) or row.sender for row in got]
    return list(dict.fromkeys(number for number in numbers if number))


def _parts(text: str) -> list[tuple[str, str]]:
    """The text with its links made to open, as a phone does; ours also without https://."""
    parts, at = [], 0
    for found in _links().finditer(text):
        address = found[0] if found[0].startswith(("http://", "https://")) else f"{_scheme()}://{found[0]}"
        parts += [(text[at : found.start()], ""), (found[0], address)]
        at = found.end()
    return [part for part in [*parts, (text[at:], "")] if part[0]]


@cache
def _links() -> re.Pattern[str]:
    host = re.escape(settings.SHORT_URL.partition("://")[2])
    return re.compile(rf"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]|\b{host}/[0-9A-Za-z/-]+")


def _scheme() -> str:
    return settings.SHORT_URL.partition("://")[0]
