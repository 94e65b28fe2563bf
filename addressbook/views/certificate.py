"""The certificate of one address, found by contact, by suppression, or by whatever somebody types."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import MemberRequest, member_required
from accounts.models import Company
from addressbook import certificate, certificate_pdf, standing
from addressbook.models import Contact, Suppression
from lib.keys import digest_key
from messaging.addresses import LONGEST_EMAIL, Address, InvalidAddress, display, parse


class AddressForm(forms.Form):
    address = forms.CharField(
        label=_("Phone number or e-mail address"),
        max_length=LONGEST_EMAIL,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("In any usual writing, also one that is in no address book or was erased."),
    )

    def __init__(self, data: Any = None, *, company: Company) -> None:
        super().__init__(data)
        self.company = company

    def clean_address(self) -> Address:
        try:
            return parse(self.cleaned_data["address"], default_country=self.company.country)
        except InvalidAddress as problem:
            raise ValidationError(str(problem), code=problem.code) from problem


@require_http_methods(["GET", "HEAD", "POST"])
@member_required("viewer")
def of_address(request: MemberRequest) -> HttpResponse:
    """By POST, because addresses do not belong in logs; it changes nothing."""
    form = AddressForm(request.POST if request.method == "POST" else None, company=request.company)
    if form.is_bound and form.is_valid():
        return _of(request, form.cleaned_data["address"])
    status = 422 if form.is_bound else 200
    return render(request, "addressbook/certificate_form.html", {"nav": "suppressions", "form": form}, status=status)


@require_safe
@member_required("viewer")
def of_contact(request: MemberRequest, pk: int) -> HttpResponse:
    """Of the address in ?channel=, or of the first that the contact has."""
    contact = get_object_or_404(Contact.objects.select_related("company"), pk=pk)
    wanted = request.GET.get("channel", "")
    address = next((a for a in contact.addresses() if wanted in {"", a.channel}), None)
    if address is None:
        raise Http404
    return _of(request, address, nav="contacts")


@require_safe
@member_required("viewer")
def of_suppression(request: MemberRequest, pk: int) -> HttpResponse:
    """The way to an erased address, of which only the digest is known."""
    one = get_object_or_404(Suppression, pk=pk)
    return _page(request, channel=one.channel, digest=bytes(one.digest), address=one.address)


def _of(request: MemberRequest, address: Address, *, nav: str = "suppressions") -> HttpResponse:
    digest = address.digest(digest_key())
    return _page(request, channel=address.channel, digest=digest, address=address.value, nav=nav)


def _page(
    request: MemberRequest, *, channel: str, digest: bytes, address: str, nav: str = "suppressions"
) -> HttpResponse:
    made = certificate.of(request.company, channel=channel, digest=digest, address=address)
    out = made.suppression
    shown = display(made.address)
    why = standing.why(out, made.opt_out.event if made.opt_out else None) if out else ""
    if (request.POST or request.GET).get("format") == "pdf":
        content = certificate_pdf.write(made, shown=shown, why=why)
        # By its time and the first of its digest: an address does not belong in a file's name either.
        name = f"certificate-{made.issued_at:%Y%m%d-%H%M%S}-{digest.hex()[:8]}.pdf"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return HttpResponse(content, content_type="application/pdf", headers=headers)
    page = {"nav": nav, "certificate": made, "shown": shown, "digest": digest.hex(), "why": why}
    return render(request, "addressbook/certificate.html", page)
