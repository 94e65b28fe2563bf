"""Settings: the texts that may be sent as transactional."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.forms import language_code, one_line
from campaigns import placeholders, plain
from campaigns.models import TransactionalTemplate
from campaigns.placeholders import LONGEST_VALUE, MOST_PLACEHOLDERS, BadText
from campaigns.transactional import MOST_TEMPLATES
from messaging.models.message import Channel
from messaging.segments import measure


def _why(problem: BadText) -> str:
    match problem.code:
        case "opt_out":
            return _("A transactional message has no opt-out line: take {opt_out} out.")
        case "brace":
            return _("Braces are for placeholders such as {code}; check near “%(found)s”.") % {"found": problem.found}
        case "adjacent":
            return _("Write a word or a sign between %(found)s.") % {"found": problem.found}
        case "too_many":
            return _("At most %(most)s placeholders are possible.") % {"most": MOST_PLACEHOLDERS}
        case _:
            return _("Write what the message is about: with placeholders alone any text would pass.")


class TemplateForm(forms.ModelForm):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        validators=[one_line],
        help_text=gettext_lazy("Programs name it as “template”, for example order_shipped."),
    )
    channel = forms.ChoiceField(
        label=gettext_lazy("Channel"), required=False, choices=[("", gettext_lazy("SMS and e-mail")), *Channel.choices]
    )
    language = forms.CharField(
        label=gettext_lazy("Language"),
        max_length=8,
        required=False,
        help_text=gettext_lazy("For your own overview, for example nl or pt-BR."),
    )
    subject = forms.CharField(
        label=gettext_lazy("Subject"),
        max_length=200,
        required=False,
        validators=[one_line],
        help_text=gettext_lazy("By e-mail only."),
    )
    body = forms.CharField(
        label=gettext_lazy("Text"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy("What differs stands in braces: {code}, or with a word to fall back on: {name|there}."),
    )
    linking = forms.CharField(
        label=gettext_lazy("Placeholders that may hold a link"),
        max_length=1000,
        required=False,
        help_text=gettext_lazy(
            "Their names with commas between, for example tracking. In all others a link is refused."
        ),
    )

    class Meta:
        model = TransactionalTemplate
        fields = ["name", "channel", "language", "subject", "body", "linking"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["linking"] = ", ".join(self.instance.linking)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        templates = TransactionalTemplate.objects.of(self.instance.company_id)
        if templates.filter(name=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("You have a template of this name."))
        if self.instance.pk is None and templates.count() >= MOST_TEMPLATES:
            raise ValidationError(_("At most %(most)s templates are possible.") % {"most": MOST_TEMPLATES})
        return name

    def clean_language(self) -> str:
        language = self.cleaned_data["language"]
        return language_code(language) if language else ""

    def clean_subject(self) -> str:
        return self._text("subject") if self.cleaned_data["subject"] else ""

    def clean_body(self) -> str:
        return self._text("body")

    def _text(self, field: str) -> str:
        text = self.cleaned_data[field].replace("\r\n", "\n")
        try:
            placeholders.parse(text)
        except BadText as problem:
            raise ValidationError(_why(problem)) from problem
        return text

    def clean_linking(self) -> list[str]:
        return list(dict.fromkeys(re.findall(r"[^\s,;{}]+", self.cleaned_data["linking"])))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        if cleaned["channel"] == Channel.EMAIL and not cleaned["subject"]:
            self.add_error("subject", _("An e-mail needs a subject."))
            return cleaned
        if cleaned["channel"] == Channel.SMS:
            cleaned["subject"] = ""
        known = placeholders.names(f"{cleaned['subject']}\n{cleaned['body']}")
        if unknown := [name for name in cleaned["linking"] if name not in known]:
            text = _("There is no placeholder %(name)s in this template.") % {"name": unknown[0][:61]}
            self.add_error("linking", text)
        return cleaned

    def store(self) -> bool:
        """False when somebody took the name at the same moment."""
        try:
            with transaction.atomic():
                self.save()
        except IntegrityError:
            self.add_error("name", _("You have a template of this name."))
            return False
        return True


@require_safe
@member_required("marketer")
def template_list(request: MemberRequest) -> HttpResponse:
    return _page(request, "templates.html", {"templates": TransactionalTemplate.objects.select_related("updated_by")})


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("marketer")
def template_form(request: MemberRequest, pk: int | None = None) -> HttpResponse:
    template = TransactionalTemplate(company=request.company)
    if pk is not None:
        template = get_object_or_404(TransactionalTemplate, pk=pk)
    page = {"template": template, "name": template.name, **_looks(template)}
    form = TemplateForm(request.POST if request.method == "POST" else None, instance=template)
    if form.is_bound:
        template.updated_by = request.user
        if form.is_valid() and form.store():
            messages.success(request, _("Saved."))
            if template.signs:
                messages.warning(request, _("“%(name)s” reads like marketing.") % {"name": template.name})
            return redirect("campaigns:templates")
        page |= _looks(_as_written(request))
    return _page(request, "template_form.html", {**page, "form": form}, status=422 if form.is_bound else 200)


@require_POST
@member_required("marketer")
def preview(request: MemberRequest) -> HttpResponse:
    """The form as it stands; nothing is stored."""
    return render(request, "campaigns/_template_preview.html", _looks(_as_written(request)))


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("marketer")
def delete(request: MemberRequest, pk: int) -> HttpResponse:
    template = get_object_or_404(TransactionalTemplate, pk=pk)
    if request.method == "POST":
        template.delete()
        messages.success(request, _("Deleted."))
        return redirect("campaigns:templates")
    return _page(request, "template_delete.html", {"template": template})


def _as_written(request: MemberRequest) -> TransactionalTemplate:
    text = {name: request.POST.get(name, "").replace("\x00", "") for name in ("channel", "subject", "body")}
    return TransactionalTemplate(
        channel=text["channel"],
        subject=text["subject"][:200].strip(),
        body=text["body"][:4000].replace("\r\n", "\n").strip(),
    )


def _looks(template: TransactionalTemplate) -> dict[str, Any]:
    """What a phone would show, with the name of each placeholder in its place."""
    problems = []
    for text in filter(None, (template.subject, template.body)):
        try:
            placeholders.parse(text)
        except BadText as problem:
            problems.append(_why(problem))
    names = template.names
    values = {name: name for name in names}
    text = placeholders.filled(template.body, values)
    size = measure(text)
    return {
        "text": text,
        "subject": placeholders.filled(template.subject, values) if template.channel != Channel.SMS else "",
        "channel": template.channel,
        "size": size,
        "costly": plain.costly(text, written=template.body)[:12] if size.encoding == "UCS-2" else [],
        "names": names,
        "signs": template.signs,
        "problems": list(dict.fromkeys(problems)),
        "longest": LONGEST_VALUE,
    }


def _page(request: MemberRequest, template: str, page: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, f"campaigns/{template}", {**page, "nav": "settings"}, status=status)
