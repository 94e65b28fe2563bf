"""Replies that a person has to decide, and those that somebody has decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from addressbook.models import Contact
from messaging.models import Message
from optout import replies
from optout.models import WORKING_DAYS, ReviewItem

SHOWN = 50
BUBBLES = 10


@dataclass(frozen=True, slots=True)
class Bubble:
    """One text of a conversation; `theirs` came from the recipient."""

    at: datetime
    theirs: bool
    text: str


@require_safe
@member_required("viewer")
def inbox(request: MemberRequest) -> HttpResponse:
    """Oldest first, the chosen one with its conversation; `?show=decided` is the history."""
    if request.GET.get("show") == "decided":
        return _decided(request)
    waiting = ReviewItem.objects.get_queryset().waiting()
    items = list(waiting.select_related("reply").order_by("created_at", "pk")[:SHOWN])
    chosen = _chosen(request.GET.get("item", ""), items)
    count = waiting.count()
    context = {
        "nav": "replies",
        "items": items,
        "waiting": count,
        "more": count - len(items),
        "chosen": chosen,
        "working_days": WORKING_DAYS,
        "may_decide": allows(request.member.role, "marketer"),
    }
    if chosen:
        context |= {
            "bubbles": _conversation(chosen),
            "contact": Contact.objects.filter(phone_digest=chosen.digest).first(),
        }
    return render(request, "optout/replies.html", context)


def _chosen(asked: str, items: list[ReviewItem]) -> ReviewItem | None:
    """The one asked for, although it may be beyond the list; else the oldest."""
    if found := next((item for item in items if str(item.pk) == asked), None):
        return found
    if asked.isascii() and asked.isdigit() and len(asked) < 19:
        item = ReviewItem.objects.filter(pk=int(asked)).select_related("reply", "decided_by").first()
        if item:
            return item
    return items[0] if items else None


def _conversation(item: ReviewItem) -> list[Bubble]:
    """What went to the number and what came back, as far as it concerns this company.

    Replies are taken from what was to be reviewed: on a shared number, others are about other companies.
    """
    sent = (
        Message.objects.to(item.company_id, bytes(item.digest))
        .filter(channel="sms")
        .left_the_house()
        .exclude(sent_at=None)
    )
    said = ReviewItem.objects.filter(digest=item.digest).select_related("reply")
    bubbles = [Bubble(m.sent_at, False, m.text) for m in sent.order_by("-sent_at")[:BUBBLES]]
    bubbles += [Bubble(i.reply.received_at, True, i.reply.text) for i in said.order_by("-pk")[:BUBBLES]]
    return sorted(bubbles, key=lambda bubble: bubble.at)[-BUBBLES:]


def _decided(request: MemberRequest) -> HttpResponse:
    """Newest decision first, a page at a time."""
    rows = ReviewItem.objects.exclude(decision="").select_related("reply", "decided_by")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        last = get_object_or_404(ReviewItem.objects.exclude(decision=""), pk=int(before))
        rows = rows.filter(Q(decided_at__lt=last.decided_at) | Q(decided_at=last.decided_at, pk__lt=last.pk))
    items = list(rows.order_by("-decided_at", "-pk")[: SHOWN + 1])
    context = {
        "nav": "replies",
        "items": items[:SHOWN],
        "next": items[SHOWN - 1].pk if len(items) > SHOWN else None,
        "is_first_page": not before,
    }
    return render(request, "optout/replies_decided.html", context)


@require_POST
@member_required("marketer")
def decide(request: MemberRequest, pk: int) -> HttpResponse:
    item = get_object_or_404(ReviewItem.objects.select_related("reply"), pk=pk)
    decision = request.POST.get("decision", "")
    if decision not in ReviewItem.Decision.values:
        messages.error(request, _("Choose “Opt out”, “Not an opt-out” or “Send help”."))
        return redirect("optout:replies")
    try:
        replies.decide(item, decision=decision, by=request.user)
    except replies.Decided:
        messages.info(request, _("Somebody has settled this reply already."))
    else:
        messages.success(request, _DONE[decision]())
    return redirect("optout:replies")


_DONE = {
    ReviewItem.Decision.OPT_OUT: lambda: _("Opted out. No more marketing goes to this number."),
    ReviewItem.Decision.KEPT: lambda: _("Kept. Marketing may go to this number again."),
    ReviewItem.Decision.HELPED: lambda: _("Help sent: your name and contact details are on their way."),
}
