"""A company's webhooks: which there are, and what became of each delivery of the last days."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import MemberRequest, member_required
from addressbook.paging import LARGEST_ID
from addressbook.paging import page as page_of
from webhooks import guard
from webhooks.models import LONGEST_URL, MOST_ENDPOINTS, Delivery, Endpoint

#: What each event says, to people.
EVENTS = [
    ("suppression.created", gettext_lazy("suppression.created: somebody opted out")),
    ("suppression.lifted", gettext_lazy("suppression.lifted: somebody opted in again")),
    ("message.updated", gettext_lazy("message.updated: a message was sent, delivered, failed …")),
    ("reply.received", gettext_lazy("reply.received: somebody answered")),
]


class EndpointForm(forms.Form):
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=LONGEST_URL,
        widget=forms.URLInput(attrs={"placeholder": "https://example.org/stopgate", "autocomplete": "off"}),
        help_text=gettext_lazy("Where your program takes events, by POST."),
    )
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Tell it about"), choices=EVENTS, widget=forms.CheckboxSelectMultiple
    )

    def clean_url(self) -> str:
        try:
            return guard.check(self.cleaned_data["url"])
        except guard.Refused as problem:
            raise forms.ValidationError(str(problem), code=problem.code) from problem


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("owner")
def endpoints(request: MemberRequest) -> HttpResponse:
    form, secret = EndpointForm(request.POST or None), ""
    existing = Endpoint.objects.of(request.company)
    if request.method == "POST" and form.is_valid():
        if existing.count() >= MOST_ENDPOINTS:
            form.add_error(None, _("A company has at most %(n)s webhooks; delete one first.") % {"n": MOST_ENDPOINTS})
        else:
            # No redirect: the secret is shown in this answer only.
            _endpoint, secret = Endpoint.issue(company=request.company, **form.cleaned_data)
            form = EndpointForm()
    page = {"form": form, "new_secret": secret, "endpoints": existing.all(), "nav": "settings"}
    return render(request, "webhooks/endpoints.html", page, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD"])
@member_required("owner")
def endpoint(request: MemberRequest, pk: int) -> HttpResponse:
    return _log(request, _endpoint_or_404(request, pk))


@require_POST
@member_required("owner")
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    _endpoint_or_404(request, pk).delete()
    messages.success(request, _("Deleted. Nothing is told to this address any more."))
    return redirect("webhooks:endpoints")


@require_POST
@member_required("owner")
def test(request: MemberRequest, pk: int) -> HttpResponse:
    found = _endpoint_or_404(request, pk)
    if found.disabled_at:
        messages.error(request, _("This webhook is switched off; switch it on first."))
    else:
        found.send_test()
        messages.success(request, _("A test event is on its way; its outcome will be shown here."))
    return redirect("webhooks:endpoint", pk=pk)


@require_POST
@member_required("owner")
def rotate(request: MemberRequest, pk: int) -> HttpResponse:
    found = _endpoint_or_404(request, pk)
    return _log(request, found, secret=found.rotate())


@require_POST
@member_required("owner")
def enable(request: MemberRequest, pk: int) -> HttpResponse:
    _endpoint_or_404(request, pk).switch_on()
    messages.success(request, _("Switched on. What still waited is told now."))
    return redirect("webhooks:endpoint", pk=pk)


@require_POST
@member_required("owner")
def again(request: MemberRequest, pk: int, delivery: int) -> HttpResponse:
    found = _endpoint_or_404(request, pk)
    rows = Delivery.objects.of(request.company).filter(endpoint=found)
    row = get_object_or_404(rows, pk=min(delivery, LARGEST_ID))
    if rows.filter(pk=row.pk).try_again():
        messages.success(request, _("It is tried again at once."))
    return redirect("webhooks:endpoint", pk=pk)


def _endpoint_or_404(request: MemberRequest, pk: int) -> Endpoint:
    return get_object_or_404(Endpoint.objects.of(request.company), pk=min(pk, LARGEST_ID))


def _log(request: MemberRequest, found: Endpoint, *, secret: str = "") -> HttpResponse:
    rows = Delivery.objects.of(request.company).filter(endpoint=found)
    page: dict[str, Any] = {
        "endpoint": found,
        "new_secret": secret,
        "page": page_of(rows, after=_after(request)),
        "nav": "settings",
    }
    return render(request, "webhooks/endpoint.html", page)


def _after(request: HttpRequest) -> int | None:
    text = request.GET.get("after", "")
    return min(int(text), LARGEST_ID) if text.isascii() and text.isdigit() and len(text) <= 20 else None
