"""Pages of the API that people open: a company's keys."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import MemberRequest, member_required
from accounts.forms import one_line
from api.models import ApiKey

SCOPES = [
    ("read", gettext_lazy("read: look at contacts, campaigns and figures")),
    ("write", gettext_lazy("write: change contacts and campaigns, record opt-outs")),
    ("send", gettext_lazy("send: launch campaigns and send messages")),
    ("lift", gettext_lazy("lift: record opt-ins, which end suppressions")),
    ("admin", gettext_lazy("admin: manage webhooks and settings")),
]


class KeyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        validators=[one_line],
        help_text=gettext_lazy("Where it will be used, for example “web shop”."),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Allowed to"), choices=SCOPES, initial=["read"], widget=forms.CheckboxSelectMultiple
    )


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("owner")
def keys(request: MemberRequest) -> HttpResponse:
    form, text = KeyForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        # No redirect: the key is shown in this answer and kept nowhere.
        _key, text = ApiKey.issue(company=request.company, **form.cleaned_data)
        form = KeyForm()
    page = {"form": form, "new_key": text, "keys": ApiKey.objects.of(request.company), "nav": "settings"}
    return render(request, "api/keys.html", page, status=422 if form.errors else 200)


@require_POST
@member_required("owner")
def key_revoke(request: MemberRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.of(request.company), pk=pk)
    if key.revoked_at is None:
        key.revoke()
    messages.success(request, _("Revoked. Programs that use it are refused from now on."))
    return redirect("api_pages:keys")
