"""How the company's opt-out page looks: its logo, and its own words in each language."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts import logos, roles
from accounts.access import MemberRequest, member_required
from accounts.forms import one_line
from accounts.models import Company, Logo
from optout.landing import branding, languages, texts

_PLACE = re.compile(r"\{.*?\}")
FIELDS = ("heading", "sentence")


def _places(text: str) -> None:
    """Only what a page fills in."""
    wrong = next((place for place in _PLACE.findall(text) if place != "{company}"), None)
    if wrong:
        raise ValidationError(_("%(place)s is not known. Only {company} can be used here.") % {"place": wrong[:40]})


class WordsForm(forms.Form):
    language = forms.ChoiceField(label=gettext_lazy("Language"), choices=lambda: list(texts.languages().items()))
    heading = forms.CharField(
        label=gettext_lazy("Heading"),
        max_length=100,
        required=False,
        validators=[one_line, _places],
        help_text=gettext_lazy("May contain {company}. Empty: ours."),
    )
    sentence = forms.CharField(
        label=gettext_lazy("A sentence of your own"),
        max_length=300,
        required=False,
        validators=[one_line, _places],
        help_text=gettext_lazy("Shown under the heading. What people have to do is always said as well."),
    )


class LogoForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Logo"),
        help_text=gettext_lazy("PNG or JPEG, at most 64 kB, up to 2000 pixels. It is shown 48 pixels high."),
        widget=forms.ClearableFileInput(attrs={"accept": "image/png,image/jpeg"}),
    )

    def clean_file(self) -> bytes:
        file: UploadedFile = self.cleaned_data["file"]
        content = file.read(logos.MOST_BYTES + 1)
        try:
            logos.read(content)
        except logos.NoLogo as problem:
            raise ValidationError(str(problem)) from problem
        return content


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("viewer")
def landing(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        return _save_words(request)
    language = _language(request.GET, request.company)
    own = request.company.landing_texts.get(language, {})
    return _page(request, words=WordsForm(initial={"language": language, **own}), logo=LogoForm())


@member_required("owner")
def _save_words(request: MemberRequest) -> HttpResponse:
    words = WordsForm(request.POST)
    if not words.is_valid():
        return _page(request, words=words, logo=LogoForm(), status=422)
    language = words.cleaned_data["language"]
    own = {name: words.cleaned_data[name] for name in FIELDS if words.cleaned_data[name]}
    kept = {**request.company.landing_texts, language: own}
    request.company.landing_texts = {code: said for code, said in kept.items() if said}
    request.company.save(update_fields=["landing_texts"])
    messages.success(request, _("Saved."))
    return redirect(f"{request.path}?language={language}")


@require_POST
@member_required("owner")
def upload(request: MemberRequest) -> HttpResponse:
    form = LogoForm(request.POST, request.FILES)
    if not form.is_valid():
        language = _language(request.GET, request.company)
        own = request.company.landing_texts.get(language, {})
        return _page(request, words=WordsForm(initial={"language": language, **own}), logo=form, status=422)
    logos.keep(request.company, form.cleaned_data["file"])
    messages.success(request, _("Saved."))
    return redirect("optout:landing")


@require_POST
@member_required("owner")
def remove(request: MemberRequest) -> HttpResponse:
    logos.remove(request.company)
    messages.success(request, _("Removed."))
    return redirect("optout:landing")


@require_http_methods(["GET", "HEAD"])
@member_required("viewer")
def logo(request: MemberRequest) -> HttpResponse:
    """For the preview: the other domain's pictures are not for this one."""
    found = Logo.objects.of(request.company).first()
    if found is None:
        raise Http404
    return HttpResponse(
        bytes(found.content),
        content_type=logos.MEDIA_TYPES.get(found.name.rpartition(".")[2], "application/octet-stream"),
    )


@require_POST
@member_required("viewer")
def preview(request: MemberRequest) -> HttpResponse:
    """What is being written, before it is saved."""
    return render(request, "optout/_landing_preview.html", _preview(request.company, WordsForm(request.POST)))


def _preview(company: Company, words: WordsForm) -> dict[str, Any]:
    if words.is_bound:
        words.is_valid()
        own = {name: words.cleaned_data.get(name, "") for name in FIELDS}
        language = words.cleaned_data.get("language", texts.DEFAULT_LANGUAGE)
    else:
        own, language = words.initial, words.initial["language"]

    def said(name: str) -> str:
        return (own.get(name) or texts.template(name, language=language)).replace("{company}", company.name)

    return {
        "language": language,
        "dir": "rtl" if language in texts.RIGHT_TO_LEFT else "ltr",
        "heading": said("heading"),
        "own_sentence": own.get("sentence", "").replace("{company}", company.name),
        "sentence": texts.text("sentence", language=language, company=company.name),
        "label": texts.text("label", language=language),
        "button": texts.text("button", language=language),
        "colours": branding.colours(company.brand_color),
    }


def _language(query: QueryDict, company: Company) -> str:
    """The one asked for, else the company's, else ours."""
    return languages.choose(asked=query.get("language", ""), company=company.language)


def _page(request: MemberRequest, *, words: WordsForm, logo: LogoForm, status: int = 200) -> HttpResponse:
    company = request.company
    names = texts.languages()
    page = {
        "words": words,
        "logo_form": logo,
        "portal": f"{settings.SHORT_URL}/c/{company.slug}",
        "own": [(code, names[code], said) for code, said in company.landing_texts.items() if code in names],
        "may_edit": roles.allows(request.member.role, "owner"),
        "nav": "settings",
        **_preview(company, words),
    }
    return render(request, "optout/landing.html", page, status=status)
