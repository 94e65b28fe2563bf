"""The recipients' door: opening a page changes nothing, only a POST does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps

from django.db import Error as DatabaseTrouble
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt

from accounts.network import network_of
from addressbook import consent
from messaging.addresses import Address, InvalidAddress, parse_phone
from optout import reasons
from optout.landing import attempts, coming_back, evidence, fewer, languages, pages, texts
from optout.landing.forms import Answer
from optout.landing.link import Link, find, find_asked
from optout.links import codes

log = logging.getLogger("stopgate.landing")

LONGEST_CODE = 60
TRIES = 3
#: What is wrong with a number → the text that says so; anything else is "invalid".
HINTS = {
    "empty": "invalid_empty",
    "no_country": "invalid_country",
    "too_short": "invalid_short",
    "too_long": "invalid_long",
    "too_many_characters": "invalid_long",
}
#: Worth another try as a whole: serialization failure, deadlock.
PASSING = {"40001", "40P01"}


class SeeOther(HttpResponseRedirect):
    """After a POST: a page that can be reloaded."""

    status_code = 303


def door(*methods: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Closed methods are refused, and when the database fails nobody is told that something was recorded."""
    allowed = ["GET", "HEAD", "OPTIONS", *(method for method in methods if method != "GET")]

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @csrf_exempt
        @wraps(view)
        def wrapper(request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
            if request.method == "OPTIONS":
                return HttpResponse(status=204, headers={**pages.PLAIN_HEADERS, "Allow": ", ".join(allowed)})
            if request.method in allowed:
                response = _tried(view, request, *args, **kwargs)
            else:
                response = HttpResponseNotAllowed(allowed, headers=pages.PLAIN_HEADERS)
            # Django would log the path of whatever is not 2xx or 3xx, and with it the code.
            response._has_been_logged = True
            return response

        return wrapper

    return decorate


def _tried(view: Callable[..., HttpResponse], request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
    for attempt in range(1, TRIES + 1):
        try:
            return view(request, *args, **kwargs)
        except DatabaseTrouble as trouble:
            state = getattr(trouble.__cause__, "sqlstate", None)
            if attempt < TRIES and state in PASSING and not connection.in_atomic_block:
                continue
            log.error("the database failed: %s %s", type(trouble).__name__, state)
            return _unavailable(request)
    raise AssertionError


@door("GET")
def root(request: HttpRequest) -> HttpResponse:
    """The form for the code from a message."""
    typed = request.GET.get("code")
    if typed is None:
        return _code_page(request, state="code").response()
    code = typed.strip().rstrip("/").rpartition("/")[2][:LONGEST_CODE]  # people paste the whole address
    message_id = _decode(code)
    if message_id is None:
        return unknown_page(request, typed=typed)
    return see_other(f"/{codes().encode(message_id)}", request)


@door("GET", "POST")
def landing(request: HttpRequest, code: str) -> HttpResponse:
    """The link in an SMS: its second factor is the number that got the message."""
    message_id = _decode(code)
    if message_id is None:
        return unknown_page(request)
    link = find(message_id)
    if link is None or link.channel != "sms":
        return _missed(request)
    if request.method != "POST":
        return _form(request, link).response()
    answer = Answer.of(request)
    try:
        address = parse_phone(answer.phone, default_country=link.country or None)
    except InvalidAddress as problem:
        hint = HINTS.get(problem.code, "invalid")
        return _form(request, link, answer=answer, state="invalid-number", hint=hint).response(422)
    if not link.is_to(address):
        return _wrong_number(request, link, answer=answer)
    return _acted(request, link, address=address, answer=answer)


@door("GET", "POST")
def email(request: HttpRequest, tagged: str) -> HttpResponse:
    """The link in an e-mail: it names the address by itself. RFC 8058 one-click included."""
    message_id = codes().decode_tagged(tagged) if len(tagged) <= LONGEST_CODE else None
    link = find(message_id) if message_id is not None else None
    if link is None or link.channel != "email":
        return unknown_page(request)
    if request.method != "POST":
        return _form(request, link).response()
    return _acted(request, link, address=link.address, answer=Answer.of(request))


@door("GET", "POST")
def status(request: HttpRequest, code: str, purpose: str, receipt: str) -> HttpResponse:
    """After the act, for an SMS link. Without the receipt it is an unknown link."""
    message_id = _decode(code)
    return _status(request, message_id, purpose=purpose, receipt=receipt)


@door("GET", "POST")
def email_status(request: HttpRequest, tagged: str, purpose: str, receipt: str) -> HttpResponse:
    message_id = codes().decode_tagged(tagged) if len(tagged) <= LONGEST_CODE else None
    return _status(request, message_id, purpose=purpose, receipt=receipt)


@door("GET", "POST")
def confirm(request: HttpRequest, tagged: str) -> HttpResponse:
    """The link in a second message: back again, if that is what they want."""
    request_id = coming_back.read(tagged) if len(tagged) <= LONGEST_CODE else None
    asked = find_asked(request_id) if request_id is not None else None
    if request_id is None or asked is None:
        return unknown_page(request)
    language = language_of(request, asked.link)
    standing = asked.link.standing()
    if request.method != "POST" and standing.event_id == asked.out_event_id:
        return coming_back.confirm_page(asked.link, language=language)
    if request.method == "POST":
        link = coming_back.confirm(request, request_id, language=language)
    else:
        link = asked.link if standing.event_id is None else None
    if link is None:
        return unknown_page(request)
    return see_other(f"{link.path}/in/{link.receipt('in')}", request)


@door("GET", "POST")
def unknown(request: HttpRequest) -> HttpResponse:
    """Whatever else is asked of the short domain."""
    return unknown_page(request)


@door("GET")
def robots(request: HttpRequest) -> HttpResponse:
    return HttpResponse("User-agent: *\nDisallow: /\n", headers={**pages.PLAIN_HEADERS, "Content-Type": "text/plain"})


def _acted(request: HttpRequest, link: Link, *, address: Address, answer: Answer) -> HttpResponse:
    """All marketing stopped; or fewer messages, if that was pressed."""
    if not fewer.is_asked(answer):
        return _out(request, link, address=address, answer=answer)
    language = language_of(request, link)
    proof = evidence.of(request, language=language, said="")
    purpose = fewer.choose(link, address=address, answer=answer, language=language, proof=proof)
    if not purpose:
        return _form(request, link, answer=answer, choose_again=True).response(422)
    return see_other(f"{link.path}/{purpose}/{link.receipt(purpose)}", request)


def _out(request: HttpRequest, link: Link, *, address: Address, answer: Answer, shown: str = "") -> HttpResponse:
    """In force when this returns: one database function, one transaction (promise 12)."""
    by_mail_program = answer.one_click and link.channel == "email"
    if not by_mail_program:  # a mail program's button shows no page of ours
        shown = shown or _form(request, link).said
    done = consent.opt_out(
        company=link.company,
        address=address,
        source="one_click" if by_mail_program else link.source,
        campaign_id=link.campaign_id,
        campaign_name=link.campaign_name,
        message_id=link.message_id,
        country=link.country,
        reason=reasons.known(link.brand.company_id, answer.reason),
        comment=answer.comment,
        evidence=evidence.of(request, language=language_of(request, link), said=shown),
    )
    if by_mail_program:
        return HttpResponse("You are unsubscribed.\n", headers={**pages.PLAIN_HEADERS, "Content-Type": "text/plain"})
    purpose = "already" if done.already else "out"
    return see_other(f"{link.path}/{purpose}/{link.receipt(purpose)}", request)


def _wrong_number(request: HttpRequest, link: Link, *, answer: Answer) -> HttpResponse:
    if attempts.may_be_wrong_again(message_id=link.message_id, network=network_of(request)):
        return _form(request, link, answer=answer, state="wrong-number", hint="wrong_number").response(422)
    page = pages.page(
        "too_many",
        state="too-many-attempts",
        language=language_of(request, link),
        brand=link.brand,
        reply_code=link.reply_code,
    )
    return page.response(429)


def _status(request: HttpRequest, message_id: int | None, *, purpose: str, receipt: str) -> HttpResponse:
    if message_id is None or not codes().check_receipt(message_id, purpose, receipt[:LONGEST_CODE]):
        return unknown_page(request)
    return after(request, find(message_id), purpose=purpose, receipt=receipt)


def after(request: HttpRequest, link: Link | None, *, purpose: str, receipt: str) -> HttpResponse:
    """Behind a receipt that was right."""
    if link is None:
        return unknown_page(request)
    if request.method == "POST":
        return _afterwards(request, link, purpose=purpose, receipt=receipt)
    return _status_page(request, link, purpose=purpose)


def _status_page(request: HttpRequest, link: Link, *, purpose: str) -> HttpResponse:
    """Says what is true now: somebody may have come back, or left again, since this address was handed out."""
    standing = link.standing()
    language = language_of(request, link)
    if standing.event_id is None:
        if page := fewer.page(link, standing, purpose=purpose, language=language):
            return page.response()
        page = pages.page(
            "opted_in", state="opted-in", language=language, brand=link.brand, asked="lang" in request.GET
        )
        return page.response()
    if purpose in coming_back.WAITING:
        return coming_back.waiting_page(link, purpose=purpose, language=language)
    return pages.page(
        "out",
        state="opted-out" if purpose == "out" else "already-opted-out",
        language=language,
        brand=link.brand,
        ask_reason=not standing.reason_given,
        thanks="thanks" in request.GET,
        consent_text=texts.text("consent", language=language, company=link.brand.name),
    ).response()


def _afterwards(request: HttpRequest, link: Link, *, purpose: str, receipt: str) -> HttpResponse:
    """Why, or back again; after choosing fewer messages, that taken back or everything stopped."""
    answer = Answer.of(request)
    standing = link.standing()
    if answer.action == fewer.STOP:
        language = language_of(request, link)
        page = fewer.page(link, standing, purpose=purpose, language=language)
        return _out(request, link, address=link.address, answer=answer, shown=page.said if page else "")
    if answer.action in fewer.UNDO:
        language = language_of(request, link)
        fewer.undo(link, answer=answer, language=language, proof=evidence.of(request, language=language, said=""))
        return see_other(f"{link.path}/in/{link.receipt('in')}", request)
    if answer.opt_in:
        purpose = "in"
        if standing.event_id is not None:  # pressed twice, it is one consent
            language = language_of(request, link)
            purpose = coming_back.back(request, link, language=language, out_event_id=standing.event_id)
        return see_other(f"{link.path}/{purpose}/{link.receipt(purpose)}", request)
    reason = reasons.known(link.brand.company_id, answer.reason)
    if standing.event_id is None or not (reason or answer.comment):
        return see_other(f"{link.path}/{purpose}/{receipt}", request)
    if not standing.reason_given:
        consent.give_reason(
            company=link.company,
            address=link.address,
            event_id=standing.event_id,
            source=link.source,
            reason=reason,
            comment=answer.comment,
            evidence=evidence.of(request, language=language_of(request, link), said=""),
        )
    return see_other(f"{link.path}/{purpose}/{receipt}?thanks=1", request)


def _form(
    request: HttpRequest,
    link: Link,
    *,
    answer: Answer | None = None,
    state: str = "form",
    hint: str = "",
    choose_again: bool = False,
) -> pages.Page:
    language = language_of(request, link)
    if answer is None:
        return pages.page("form", state=state, language=language, brand=link.brand, channel=link.channel)
    return pages.render(
        "form",
        state=state,
        language=language,
        brand=link.brand,
        channel=link.channel,
        error=texts.text(hint, language=language) if hint else "",
        phone=answer.phone,
        reason=answer.reason,
        comment=answer.comment,
        choose_again=choose_again,
    )


def _missed(request: HttpRequest) -> HttpResponse:
    if attempts.may_miss_again(network=network_of(request)):
        return unknown_page(request)
    return pages.page("too_many", state="too-many-attempts", language=language_of(request)).response(429)


def _code_page(request: HttpRequest, *, state: str, typed: str = "") -> pages.Page:
    """The form for the code; keeps the language that was asked for, but does not take one for granted."""
    facts = {"state": state, "language": language_of(request), "asked": "lang" in request.GET}
    return pages.render("code", typed=typed, **facts) if typed else pages.page("code", **facts)


def unknown_page(request: HttpRequest, *, typed: str = "") -> HttpResponse:
    return _code_page(request, state="unknown-link", typed=typed[:LONGEST_CODE]).response(404)


def _unavailable(request: HttpRequest) -> HttpResponse:
    response = pages.page("unavailable", state="unavailable", language=language_of(request)).response(503)
    response.headers["Retry-After"] = "60"
    return response


def language_of(request: HttpRequest, link: Link | None = None) -> str:
    asked, header = asked_language(request)
    return languages.choose(
        asked=asked,
        header=header,
        contact=(link.language or "") if link else "",
        country=link.country if link else "",
        company=link.brand.language if link else "",
    )


def asked_language(request: HttpRequest) -> tuple[str, str]:
    """By the page's switch, and by the browser."""
    return request.GET.get("lang", ""), request.META.get("HTTP_ACCEPT_LANGUAGE", "")


def see_other(path: str, request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("lang", "")
    if asked.isascii() and asked.replace("-", "").isalnum():
        path += f"{'&' if '?' in path else '?'}lang={asked[:10]}"
    return SeeOther(path, headers=pages.PLAIN_HEADERS)


def _decode(code: str) -> int | None:
    code = code.strip().rstrip(".,;:!?)\"'")
    return codes().decode(code) if len(code) <= LONGEST_CODE else None
