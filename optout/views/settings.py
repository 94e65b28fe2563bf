from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts import roles
from accounts.access import MemberRequest, member_required
from accounts.forms import language_code, one_line
from optout import own_words
from optout.models import METHODS, Reason

MOST_REASONS = 20


class TextForm(forms.Form):
    language = forms.CharField(label=gettext_lazy("Language"), max_length=8, validators=[one_line])
    method = forms.ChoiceField(label=gettext_lazy("Method"), choices=METHODS)
    text = forms.CharField(
        label=gettext_lazy("Opt-out line"),
        max_length=160,
        required=False,
        help_text=gettext_lazy("May contain {company}, {code}, {keyword}, {link}. Empty: the standard line is used."),
    )

    def clean_language(self) -> str:
        return language_code(self.cleaned_data["language"])


class ReasonForm(forms.ModelForm):
    text = forms.CharField(label=gettext_lazy("Reason"), max_length=100, validators=[one_line])
    position = forms.IntegerField(label=gettext_lazy("Position"), min_value=0, max_value=1000, required=False)

    class Meta:
        model = Reason
        fields = ["text", "position"]

    def clean_position(self) -> int:
        return self.cleaned_data["position"] or 0


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("viewer")
def texts(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        return _save_text(request)
    language, method = request.GET.get("language", ""), request.GET.get("method", "")
    own = {(line.language, line.method): line.own for line in own_words.lines_of(request.company)}
    initial = {"language": language, "method": method, "text": own.get((language, method), "")}
    return _texts_page(request, TextForm(initial=initial))


@member_required("owner")
def _save_text(request: MemberRequest) -> HttpResponse:
    form = TextForm(request.POST)
    if form.is_valid():
        try:
            own_words.set_line(company=request.company, **form.cleaned_data)
        except ValidationError as problem:
            form.add_error(None, problem)
    if not form.is_valid():
        return _texts_page(request, form, status=422)
    messages.success(request, _("Saved.") if form.cleaned_data["text"] else _("The standard line is used again."))
    return redirect("optout:texts")


def _texts_page(request: MemberRequest, form: TextForm, status: int = 200) -> HttpResponse:
    page = {
        "form": form,
        "lines": own_words.lines_of(request.company),
        "may_edit": roles.allows(request.member.role, "owner"),
        "nav": "settings",
    }
    return render(request, "optout/texts.html", page, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("viewer")
def reasons(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        return _add_reason(request)
    return _reasons_page(request, ReasonForm())


@member_required("owner")
def _add_reason(request: MemberRequest) -> HttpResponse:
    form = ReasonForm(request.POST)
    if form.is_valid() and Reason.objects.of(request.company).count() >= MOST_REASONS:
        form.add_error(None, _("Nobody reads more than %(n)s reasons; remove one first.") % {"n": MOST_REASONS})
    if not form.is_valid():
        return _reasons_page(request, form, status=422)
    own_words.add_reason(company=request.company, **form.cleaned_data)
    messages.success(request, _("Added."))
    return redirect("optout:reasons")


@require_POST
@member_required("owner")
def reason(request: MemberRequest, pk: int) -> HttpResponse:
    form = ReasonForm(request.POST, instance=get_object_or_404(Reason.objects.of(request.company), pk=pk))
    if not form.is_valid():
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
        return redirect("optout:reasons")
    form.save()
    messages.success(request, _("Saved."))
    return redirect("optout:reasons")


@require_POST
@member_required("owner")
def reason_remove(request: MemberRequest, pk: int) -> HttpResponse:
    get_object_or_404(Reason.objects.of(request.company), pk=pk).delete()
    messages.success(request, _("Removed."))
    return redirect("optout:reasons")


def _reasons_page(request: MemberRequest, form: ReasonForm, status: int = 200) -> HttpResponse:
    page = {
        "form": form,
        "reasons": Reason.objects.of(request.company),
        "may_edit": roles.allows(request.member.role, "owner"),
        "nav": "settings",
    }
    return render(request, "optout/reasons.html", page, status=status)
