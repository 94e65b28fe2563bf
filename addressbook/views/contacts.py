from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import MemberRequest, member_required
from accounts.roles import allows
from addressbook import access_request, consent, erasure, grouping, places, standing, timeline, totals
from addressbook.filters import ContactFilter
from addressbook.forms import BulkForm, ContactForm, EraseForm, OptInForm, OptOutForm
from addressbook.models import Contact, Group
from addressbook.views.lists import short_address, without
from lib import sheets
from messaging.addresses import InvalidAddress, display, parse_email, parse_phone

_form = require_http_methods(["GET", "HEAD", "POST"])


def _contact(request: MemberRequest, pk: int) -> Contact:
    return get_object_or_404(Contact.objects.select_related("company"), pk=pk)


def _page(request: MemberRequest, template: str, page: dict[str, Any], status: int = 200) -> HttpResponse:
    page |= {"nav": "contacts", "may_edit": allows(request.member.role, "marketer")}
    return render(request, f"addressbook/{template}", page, status=status)


@require_safe
@member_required("viewer")
def contact_list(request: MemberRequest) -> HttpResponse:
    wanted = ContactFilter(request.GET, company=request.company)
    if not wanted.is_valid():
        return _page(request, "contacts.html", {"filter": wanted, "totals": totals.of(request.company)}, status=422)
    rows = wanted.found()
    page = wanted.page(lambda found: found.with_suppressed().prefetch_related("groups"))
    for contact in page.items:
        contact.badge = standing.badge(contact)
        contact.shown_phone = display(contact.phone or "")
    found = wanted.count(page, rows) if wanted.is_set else None
    answer = _page(
        request,
        "contacts.html",
        {
            "filter": wanted,
            "chips": _chips(request, wanted),
            "page": page,
            "found": found,
            "under_way": grouping.under_way(request.company),
            # The head is not part of what is exchanged when the list is narrowed in place.
            "totals": None if request.htmx and wanted.is_set else totals.of(request.company),
            "groups": list(Group.objects.by_hand()),
        },
    )
    return short_address(request, answer)


def _chips(request: MemberRequest, wanted: ContactFilter) -> list[dict[str, str]]:
    """What narrows the list, each with the address of the page without it."""
    # The state has chips of its own.
    words = {name: text for name, text in wanted.in_words.items() if name != "state"}
    return [{"label": text, "without": without(request, name)} for name, text in words.items()]


@require_safe
@member_required("viewer")
def contacts_export(request: MemberRequest) -> HttpResponse:
    """What the list shows, all pages of it, as CSV."""
    wanted = ContactFilter(request.GET, company=request.company)
    if not wanted.is_valid():
        return _page(request, "contacts.html", {"filter": wanted, "totals": totals.of(request.company)}, status=422)
    header = ["phone", "email", "first_name", "last_name", "language", "country", "sms", "email_marketing"]
    rows = wanted.found().with_suppressed().order_by("pk").iterator(chunk_size=2000)
    return sheets.response("contacts.csv", header, (_row(contact) for contact in rows))


def _row(contact: Any) -> list[Any]:
    said = {True: "opted out", False: "reachable"}
    return [
        contact.phone, contact.email, contact.first_name, contact.last_name, contact.language, contact.country,
        said[contact.suppressed_sms] if contact.phone else "", said[contact.suppressed_email] if contact.email else "",
    ]  # fmt: skip


@require_POST
@member_required("marketer")
def bulk(request: MemberRequest) -> HttpResponse:
    form = BulkForm(request.POST, company=request.company)
    if not form.is_valid():
        return _page(request, "refused.html", {"form": form, "back": _back(request)}, status=422)
    if form.cleaned_data["everybody"]:
        return _bulk_everybody(request, form)
    act, group, contacts = (form.cleaned_data[name] for name in ("act", "group", "contact"))
    if not contacts:
        raise Http404
    try:
        with transaction.atomic():
            change = grouping.put(contacts, into=group) if act == "add" else grouping.take(contacts, out_of=group)
    except IntegrityError:  # the group or a contact was deleted at this moment
        messages.error(request, _("Somebody deleted this group or one of the contacts. Look again and repeat."))
        return redirect(_back(request))
    messages.success(request, _changed(act, group, change))
    return redirect(_back(request))


def _bulk_everybody(request: MemberRequest, form: BulkForm) -> HttpResponse:
    """Everybody whom the list's filter finds, not only those on this page."""
    wanted = ContactFilter(QueryDict(form.cleaned_data["filter"]), company=request.company)
    if not wanted.is_valid():
        return _page(request, "refused.html", {"form": wanted, "back": _back(request)}, status=422)
    act, group = form.cleaned_data["act"], form.cleaned_data["group"]
    try:
        with transaction.atomic():
            change = grouping.change_all(wanted, act=act, group=group)
    except IntegrityError:
        messages.error(request, _("Somebody deleted this group or one of the contacts. Look again and repeat."))
        return redirect(_back(request))
    if change is None:
        messages.info(request, _("These are many contacts. The change goes on in the background."))
    else:
        messages.success(request, _changed(act, group, change))
    return redirect(_back(request))


def _changed(act: str, group: Group, n: int) -> str:
    if act == "add":
        text = ngettext("%(n)d contact added to %(group)s.", "%(n)d contacts added to %(group)s.", n)
    else:
        text = ngettext("%(n)d contact removed from %(group)s.", "%(n)d contacts removed from %(group)s.", n)
    return text % {"n": n, "group": group.name}


def _back(request: MemberRequest) -> str:
    """The page of ours that the form stood on."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None, require_https=request.is_secure())
    return wanted if ours and wanted.startswith("/") and wanted.isprintable() else "addressbook:contacts"


@require_safe
@member_required("viewer")
def contact(request: MemberRequest, pk: int) -> HttpResponse:
    contact = _contact(request, pk)
    before = request.GET.get("before", "")
    try:
        moment = parse_datetime(before) if before else None
    except ValueError:
        moment = None
    if before and (moment is None or moment.tzinfo is None or not 1970 < moment.year < 9999):
        raise Http404
    entries, has_older = timeline.of_contact(contact, before=moment)
    members = list(contact.groups.all())
    standings = standing.of_contact(contact)
    return _page(
        request,
        "contact.html",
        {
            "contact": contact,
            "language": places.language_name(contact.language),
            "country": places.country_name(contact.country),
            "standings": standings,
            "topics_left": standing.topics_left(contact),
            "may_be_reached": any(one.suppression is None for one in standings),
            "entries": entries,
            "older": entries[-1].at.isoformat() if has_older else "",
            "is_first": moment is None,
            "members": members,
            "other_groups": Group.objects.by_hand().exclude(pk__in=[group.pk for group in members]),
        },
    )


@_form
@member_required("marketer")
def add(request: MemberRequest) -> HttpResponse:
    return _edit(request, ContactForm(_posted(request), company=request.company))


@_form
@member_required("marketer")
def edit(request: MemberRequest, pk: int) -> HttpResponse:
    return _edit(request, ContactForm(_posted(request), company=request.company, contact=_contact(request, pk)))


def _edit(request: MemberRequest, form: ContactForm) -> HttpResponse:
    is_new = form.contact.pk is None
    if request.method == "POST" and form.is_valid():
        try:
            followed = form.save(by=request.user)
        except Contact.DoesNotExist:
            raise Http404 from None  # erased meanwhile
        if followed is not None:
            messages.success(request, _("Added.") if is_new else _("Saved."))
            if followed:
                messages.info(
                    request,
                    _("The contact had opted out before, so the new address is opted out too: %(addresses)s.")
                    % {"addresses": ", ".join(display(a.value) for a in followed)},
                )
            elif is_new:
                _tell_suppressed(request, form.contact)
            return redirect(form.contact)
    page = {"form": form, "contact": None if is_new else form.contact}
    return _page(request, "contact_form.html", page, status=422 if form.is_bound else 200)


def _tell_suppressed(request: MemberRequest, contact: Contact) -> None:
    for one in standing.of_contact(contact):
        if one.suppression:
            text = _("%(address)s is on the suppression list and stays there. %(why)s")
            messages.info(request, text % {"address": one.shown_address, "why": one.reason})


@require_POST
@member_required("marketer")
def address_standing(request: MemberRequest) -> HttpResponse:
    """While somebody types: what is known of these addresses. By POST, because addresses do not belong in logs."""
    country = request.POST.get("country", "")[:2] or request.company.country
    found, problems = [], []
    for field in ("phone", "email"):
        text = request.POST.get(field, "").strip()
        if not text:
            continue
        try:
            found.append(parse_phone(text, default_country=country) if field == "phone" else parse_email(text))
        except InvalidAddress as problem:
            problems.append(str(problem))
    known = standing.of_addresses(request.company, found)
    notes = [
        {"standing": known[address], "contact": Contact.objects.with_address(address).first()} for address in found
    ]
    pk = request.POST.get("contact", "")
    return _page(request, "_standing.html", {"notes": notes, "problems": problems, "own": pk})


@_form
@member_required("marketer")
def opt_out(request: MemberRequest, pk: int) -> HttpResponse:
    contact = _contact(request, pk)
    channels = [a.channel for a in contact.addresses()]
    form = OptOutForm(_posted(request), channels=channels)
    if request.method == "POST" and form.is_valid():
        already = _opt_out(request, contact, form)
        messages.success(
            request, _("Had opted out before.") if already else _("Opted out. No more marketing goes there.")
        )
        return redirect(contact)
    page = {"form": form, "contact": contact, "standings": standing.of_contact(contact)}
    return _page(request, "contact_opt_out.html", page, status=422 if form.is_bound else 200)


def _opt_out(request: MemberRequest, contact: Contact, form: OptOutForm) -> bool:
    chosen = form.cleaned_data["channels"]
    acting = next(a for a in contact.addresses() if a.channel in chosen)
    return consent.opt_out(
        company=request.company,
        address=acting,
        source="marketer",
        channels=chosen,
        country=contact.country,
        reason=form.cleaned_data["reason"],
        comment=form.cleaned_data["comment"],
        evidence={"by": request.user.email, "method": "told to a member"},
    ).already


@_form
@member_required("marketer")
def opt_in(request: MemberRequest, pk: int) -> HttpResponse:
    contact = _contact(request, pk)
    form = OptInForm(_posted(request), channels=[a.channel for a in contact.addresses()])
    if request.method == "POST" and form.is_valid():
        chosen = form.chosen()
        acting = next(a for a in contact.addresses() if a.channel in chosen)
        if form.record(company=request.company, address=acting, channels=chosen, by=request.user):
            messages.success(request, _("The opt-in is recorded with its evidence."))
            return redirect(contact)
    page = {"form": form, "contact": contact, "standings": standing.of_contact(contact)}
    return _page(request, "contact_opt_in.html", page, status=422 if form.is_bound else 200)


@_form
@member_required("marketer")
def erase(request: MemberRequest, pk: int) -> HttpResponse:
    contact = _contact(request, pk)
    form = EraseForm(_posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            erasure.erase(contact, by=request.user, opt_out=form.cleaned_data["opt_out"])
        except Contact.DoesNotExist as gone:
            raise Http404 from gone
        except erasure.Busy:
            form.add_error(
                None, _("A message to or from this contact is being handled at this moment. Try again in a minute.")
            )
            return _page(request, "contact_erase.html", {"form": form, "contact": contact}, status=409)
        messages.success(request, _("Erased. What remains is a keyed digest, by which an opt-out goes on to hold."))
        return redirect("addressbook:contacts")
    return _page(request, "contact_erase.html", {"form": form, "contact": contact})


@require_safe
@member_required("viewer")
def export(request: MemberRequest, pk: int) -> HttpResponse:
    """All that is kept about one person, for their access request (GDPR Art. 15)."""
    contact = _contact(request, pk)
    answer = JsonResponse(access_request.of(contact), json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = f'attachment; filename="contact-{contact.pk}.json"'
    return answer


@require_safe
@member_required("viewer")
def access(request: MemberRequest, pk: int) -> HttpResponse:
    """The same, for people to read and to print."""
    contact = _contact(request, pk)
    return _page(request, "contact_access.html", {"contact": contact, "kept": access_request.of(contact)})


@require_POST
@member_required("marketer")
def groups(request: MemberRequest, pk: int) -> HttpResponse:
    """Put one contact into a group, or take it out."""
    contact = _contact(request, pk)
    form = BulkForm(_with(request.POST, contact=contact.pk), company=request.company)
    if not form.is_valid():
        return _page(request, "refused.html", {"form": form, "back": contact.get_absolute_url()}, status=422)
    try:
        with transaction.atomic():
            if form.cleaned_data["act"] == "add":
                grouping.put([contact], into=form.cleaned_data["group"])
            else:
                grouping.take([contact], out_of=form.cleaned_data["group"])
    except IntegrityError:
        messages.error(request, _("Somebody deleted this group or the contact. Look again and repeat."))
    return redirect(contact)


def _posted(request: MemberRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _with(posted: QueryDict, **more: Any) -> QueryDict:
    data = posted.copy()
    for name, value in more.items():
        data[name] = str(value)
    return data
