"""Who gets no marketing for some days, by their own choice."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import MemberRequest, member_required
from addressbook import paging
from addressbook.forms import is_id
from addressbook.models import ConsentEvent, Evidence, Pause
from addressbook.standing import HOW
from messaging.addresses import display


@require_safe
@member_required("viewer")
def pause_list(request: MemberRequest) -> HttpResponse:
    """Newest first. The address stands in the evidence alone; erasure takes it from there."""
    after = request.GET.get("after", "")
    if after and not is_id(after):
        raise Http404
    rows = Pause.objects.running()
    page = paging.page(rows, after=int(after) if after else None)
    events = ConsentEvent.objects.in_bulk([pause.event_id for pause in page.items])
    evidence = Evidence.objects.in_bulk([pause.event_id for pause in page.items])
    for pause in page.items:
        pause.event = events[pause.event_id]
        pause.address = evidence[pause.event_id].address
        pause.shown = display(pause.address)
        pause.how = HOW.get(pause.event.source, pause.event.source)
    facts = {"nav": "suppressions", "page": page, "found": page.count(rows)}
    return render(request, "addressbook/pauses.html", facts)
