from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts import roles
from accounts.access import MemberRequest, member_required
from messaging.models import Sender


class SenderForm(forms.ModelForm):
    """Companies register names; numbers need a contract with a network, so administrators add those."""

    class Meta:
        model = Sender
        fields = ["value"]
        labels = {"value": gettext_lazy("Name")}
        help_texts = {"value": gettext_lazy("At most 11 letters, digits and spaces, for example your brand.")}


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("viewer")
def senders(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        return _add_sender(request)
    return _page(request, SenderForm())


@member_required("owner")
def _add_sender(request: MemberRequest) -> HttpResponse:
    form = SenderForm(request.POST, instance=Sender(company=request.company, kind=Sender.Kind.ALPHANUMERIC))
    if form.is_valid() and request.company.senders.filter(value=form.cleaned_data["value"], country="").exists():
        form.add_error("value", _("You have this sender already."))
    if not form.is_valid():
        return _page(request, form, status=422)
    form.save()
    messages.success(request, _("Added."))
    return redirect("messaging:senders")


@require_POST
@member_required("owner")
def sender_remove(request: MemberRequest, pk: int) -> HttpResponse:
    get_object_or_404(request.company.senders, pk=pk, kind=Sender.Kind.ALPHANUMERIC).delete()
    messages.success(request, _("Removed."))
    return redirect("messaging:senders")


def _page(request: MemberRequest, form: SenderForm, status: int = 200) -> HttpResponse:
    page = {
        "form": form,
        "senders": Sender.objects.usable_by(request.company),
        "may_edit": roles.allows(request.member.role, "owner"),
        "nav": "settings",
    }
    return render(request, "messaging/senders.html", page, status=status)
