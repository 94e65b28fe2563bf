"""Replies that a person has to decide."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from messaging.models import Message
from optout import replies
from optout.models import ReviewItem

SHOWN = 50
WORKING_DAYS = 10


@require_safe
@member_required("viewer")
def inbox(request: MemberRequest) -> HttpResponse:
    """Oldest first, the chosen one with its conversation."""
    waiting = ReviewItem.objects.filter(decision="").select_related("reply")
    items = list(waiting.order_by("created_at", "pk")[:SHOWN])
    asked = request.GET.get("item", "")
    chosen = next((item for item in items if str(item.pk) == asked), items[0] if items else None)
    answered = Message.objects.filter(pk=chosen.message_id).first() if chosen and chosen.message_id else None
    return render(
        request,
        "optout/replies.html",
        {
            "items": items,
            "waiting": waiting.count(),
            "chosen": chosen,
            "answered": answered,
            "may_decide": allows(request.member.role, "marketer"),
            "working_days": WORKING_DAYS,
        },
    )


@require_POST
@member_required("marketer")
def decide(request: MemberRequest, pk: int) -> HttpResponse:
    item = get_object_or_404(ReviewItem.objects.select_related("reply"), pk=pk)
    decision = request.POST.get("decision", "")
    if decision not in ReviewItem.Decision.values:
        messages.error(request, _("Choose “opt out” or “not an opt-out”."))
        return redirect("optout:replies")
    try:
        replies.decide(item, decision=decision, by=request.user)
    except replies.Decided:
        messages.info(request, _("Somebody has settled this reply already."))
    else:
        opted_out = decision == ReviewItem.Decision.OPT_OUT
        messages.success(request, _("Opted out. No more marketing goes to this number.") if opted_out else _("Kept."))
    return redirect("optout:replies")
