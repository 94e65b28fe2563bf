"""A company's own page, for somebody without a link: an address, the code that was sent to it, out."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from accounts import logos
from accounts.models import Company
from accounts.network import network_of
from addressbook import consent
from messaging.addresses import Address, InvalidAddress, parse
from optout import portal
from optout.landing import evidence, languages, pages, texts
from optout.landing.forms import AddressAnswer
from optout.landing.link import Brand, Link, find_by_receipt, find_company, find_logo
from optout.landing.views import LONGEST_CODE, after, asked_language, door, see_other, unknown_page
from optout.links import codes

#: Digits that make no number in the company's country may make one in the reader's.
NOT_OF_THIS_COUNTRY = {"no_country", "not_valid", "too_short", "too_long"}


@door("GET", "POST")
def ask(request: HttpRequest, slug: str) -> HttpResponse:
    """Which address? The answer is the same whether or not the company knows it."""
    found = find_company(slug)
    if found is None:
        return unknown_page(request)
    company, brand = found
    language = _language(request, brand)
    if request.method != "POST":
        return pages.page("portal", state="form", language=language, brand=brand).response()
    typed = AddressAnswer.of(request).address
    try:
        address = parse(typed, default_country=company.country or None)
    except InvalidAddress as problem:
        is_national = problem.code in NOT_OF_THIS_COUNTRY and "+" not in typed
        hint = "invalid_country" if is_national else "invalid_address"
        page = pages.render(
            "portal",
            state="invalid-number",
            language=language,
            brand=brand,
            error=texts.text(hint, language=language),
            typed=typed,
        )
        return page.response(422)
    try:
        token = portal.ask(company=company, address=address, language=language, network=network_of(request))
    except portal.TooMany:
        return _too_many(brand, language=language)
    return see_other(f"/c/{brand.slug}/code/{token}", request)


@door("GET", "POST")
def enter(request: HttpRequest, slug: str, token: uuid.UUID) -> HttpResponse:
    """The code. A token that leads nowhere looks like any other."""
    found = find_company(slug)
    if found is None:
        return unknown_page(request)
    company, brand = found
    language = _language(request, brand)
    if request.method != "POST":
        return _enter_page(brand, language=language).response()
    typed = AddressAnswer.of(request).code
    refused: Exception | None = None
    with transaction.atomic():
        try:
            address = portal.prove(company=company, token=token, typed=typed, network=network_of(request))
        except (portal.WrongCode, portal.TooMany) as problem:
            refused = problem  # the wrong try is kept
        else:
            done = _out(request, company=company, brand=brand, address=address, language=language)
    if isinstance(refused, portal.TooMany):
        return _too_many(brand, language=language)
    if refused is not None:
        page = pages.render(
            "portal_code",
            state="wrong-code",
            language=language,
            brand=brand,
            error=texts.text("pin_wrong", language=language),
            typed=typed,
        )
        return page.response(422)
    purpose = "already" if done.already else "out"
    receipt = codes().encode(done.event_id) + codes().receipt(done.event_id, f"portal:{purpose}")
    return see_other(f"/c/{brand.slug}/{purpose}/{receipt}", request)


@door("GET", "POST")
def status(request: HttpRequest, slug: str, purpose: str, receipt: str) -> HttpResponse:
    found: Link | None = None
    if len(receipt) <= LONGEST_CODE:
        found = find_by_receipt(slug.lower(), purpose=purpose, receipt=receipt)
    return after(request, found, purpose=purpose, receipt=receipt)


@door("GET")
def logo(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Its name changes with its content, so it may be kept for ever."""
    content = find_logo(slug.lower(), name) if len(name) <= LONGEST_CODE and "\x00" not in name else None
    if content is None:
        return unknown_page(request)
    headers = {
        **pages.PLAIN_HEADERS,
        "Content-Type": logos.MEDIA_TYPES[name.rpartition(".")[2]],
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content, headers=headers)


def _out(request: HttpRequest, *, company: Company, brand: Brand, address: Address, language: str) -> consent.OptOut:
    return consent.opt_out(
        company=company,
        address=address,
        source="portal",
        country=address.country,
        evidence=evidence.of(request, language=language, said=_enter_page(brand, language=language).said),
    )


def _enter_page(brand: Brand, *, language: str) -> pages.Page:
    return pages.page("portal_code", state="code", language=language, brand=brand)


def _too_many(brand: Brand, *, language: str) -> HttpResponse:
    return pages.page("portal_many", state="too-many-attempts", language=language, brand=brand).response(429)


def _language(request: HttpRequest, brand: Brand) -> str:
    asked, header = asked_language(request)
    return languages.choose(asked=asked, header=header, company=brand.language)
