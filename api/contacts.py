"""Contacts: one, many at once, and what is in the ledger about one."""

from __future__ import annotations

from typing import Annotated, Any

from django.db import IntegrityError, transaction
from ninja import Query, Router, Status
from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from accounts.models import Company
from addressbook import consent, erasure
from addressbook.models import ConsentEvent, Contact, Group, GroupContact
from addressbook.upsert import upsert
from api import events, fields
from api.auth import ApiRequest, Key
from api.paging import Page, Paging, page
from api.problems import Problem, error, invalid, many_invalid, not_found, of_pydantic
from lib.keys import digest_key
from messaging.addresses import Address, InvalidAddress, parse_email, parse_phone

router = Router(tags=["contacts"])
MOST_AT_ONCE = 1000
MOST_GROUPS = 100
READERS = {"sms": ("phone", parse_phone), "email": ("email", parse_email)}
Groups = Annotated[list[fields.GroupName], Field(max_length=MOST_GROUPS)]


class ContactBody(fields.Body):
    phone: fields.AddressText | None = None
    email: fields.AddressText | None = None
    first_name: fields.Name | None = None
    last_name: fields.Name | None = None
    language: fields.Language | None = None
    country: fields.Country | None = None
    groups: Groups | None = None
    attributes: fields.Attributes | None = None


class BadRow(BaseModel):
    code: str
    detail: str


def _row(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """What is wrong in a person's data rejects the row; what no row could ever be is the program's mistake."""
    try:
        return check(value)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_input=False)
        if any(e["type"].endswith("_type") or e["type"] == "extra_forbidden" for e in found):
            raise
        first = of_pydantic({**found[0], "loc": ("row", *found[0]["loc"])})
        return BadRow(code=first["code"], detail=f"{first['field']}: {first['detail']}")


class BatchBody(fields.Body):
    contacts: Annotated[
        list[Annotated[ContactBody, WrapValidator(_row)]],
        Field(max_length=MOST_AT_ONCE),
    ]
    default_country: fields.Country = ""


class Suppressed(BaseModel):
    sms: bool
    email: bool


class ContactOut(BaseModel):
    id: int
    phone: str | None
    email: str | None
    first_name: str
    last_name: str
    language: str
    country: str
    groups: list[str]
    attributes: dict[str, Any]
    suppressed: Suppressed
    created_at: fields.datetime
    updated_at: fields.datetime


class Rejected(BaseModel):
    index: int
    code: str
    detail: str


class BatchOut(BaseModel):
    created: int
    updated: int
    unchanged: int
    rejected: list[Rejected]


class Filters(BaseModel):
    phone: str = ""
    email: str = ""
    group: str = ""
    suppressed: bool | None = Field(None, description="By at least one channel.")


@router.post("/contacts", auth=Key("write"), response={201: ContactOut, 200: ContactOut})
def save_contact(request: ApiRequest, body: ContactBody) -> Status[Any]:
    """Add a contact, or update who is known by one of the addresses. Absent fields stay; groups are added."""
    row = _row_of(body, default_country="")
    (result,) = upsert(company=request.company, rows=[row])
    if result.status == "rejected":
        if result.code == "two_contacts":
            raise Problem(409, "two-contacts", result.detail, errors=[error("email", result.code, result.detail)])
        raise invalid("phone" if result.code == "no_address" else "", result.code, result.detail)
    (contact,) = shown(list(Contact.objects.filter(pk=result.contact_id)))
    return Status(201 if result.status == "created" else 200, contact)


@router.post("/contacts/batch", auth=Key("write"), response=BatchOut)
def save_contacts(request: ApiRequest, body: BatchBody) -> dict[str, Any]:
    """Add or update up to 1000 contacts; each is taken or rejected by itself."""
    rows, indexes, rejected = [], [], []
    for index, given in enumerate(body.contacts):
        if isinstance(given, BadRow):
            rejected.append({"index": index, "code": given.code, "detail": given.detail})
            continue
        try:
            rows.append(_row_of(given, default_country=body.default_country))
            indexes.append(index)
        except Problem as problem:
            (first,) = problem.errors
            rejected.append({"index": index, "code": first["code"], "detail": problem.detail})
    counts = {"created": 0, "updated": 0, "unchanged": 0}
    for index, result in zip(indexes, upsert(company=request.company, rows=rows), strict=True):
        if result.status == "rejected":
            rejected.append({"index": index, "code": result.code, "detail": result.detail})
        else:
            counts[result.status] += 1
    return {**counts, "rejected": sorted(rejected, key=lambda r: r["index"])}


@router.get("/contacts", response=Page[ContactOut])
def list_contacts(request: ApiRequest, filters: Query[Filters], paging: Query[Paging]) -> dict[str, Any]:
    rows = Contact.objects.all()
    if filters.phone:
        rows = rows.with_address(fields.asked_address(filters.phone, field="phone", channel="sms"))
    if filters.email:
        rows = rows.with_address(fields.asked_address(filters.email, field="email", channel="email"))
    if filters.group:
        rows = rows.filter(memberships__group__in=Group.objects.filter(name=filters.group))
    if filters.suppressed is not None:
        out = Contact.objects.opted_out()
        rows = rows.filter(pk__in=out.values("pk")) if filters.suppressed else rows.exclude(pk__in=out.values("pk"))
    return page(rows, request=request, paging=paging, shown=shown)


@router.get("/contacts/{int:contact_id}", response=ContactOut)
def get_contact(request: ApiRequest, contact_id: int) -> dict[str, Any]:
    (contact,) = shown([_contact_or_404(contact_id)])
    return contact


@router.patch("/contacts/{int:contact_id}", auth=Key("write"), response=ContactOut)
def change_contact(request: ApiRequest, contact_id: int, body: ContactBody) -> dict[str, Any]:
    """Given fields replace what is there, groups and attributes as a whole; null empties."""
    given = body.model_dump(exclude_unset=True)
    contact = _contact_or_404(contact_id, locked=True)
    before = contact.addresses()
    for channel, (name, _read) in READERS.items():
        if name in given:
            contact.set_address(channel, _address(given[name], name=name, country=given.get("country") or ""))
    if not contact.addresses():
        raise invalid("phone", "no_address", "A contact keeps a phone number or an e-mail address; give one of them.")
    for name in ("first_name", "last_name", "language"):
        if name in given:
            setattr(contact, name, given[name] or "")
    if "country" in given and not (contact.phone and contact.country):  # laws follow the number
        contact.country = given["country"] or ""
    if "attributes" in given:
        contact.attributes = given["attributes"] or {}
    if contact.addresses() != before:
        key = digest_key()
        consent.hold(company=request.company, digests=[a.digest(key) for a in (*before, *contact.addresses())])
    try:
        with transaction.atomic():
            contact.save()
    except IntegrityError as problem:
        detail = "Another contact has this address already."
        raise Problem(409, "two-contacts", detail) from problem
    if "groups" in given:
        _set_groups(contact, given["groups"] or [], company=request.company)
    _cover(contact, before=before, company=request.company)
    return shown([Contact.objects.get(pk=contact.pk)])[0]


@router.delete("/contacts/{int:contact_id}", auth=Key("write"), response={204: None})
def erase_contact(request: ApiRequest, contact_id: int) -> Status[None]:
    """Erase the person. Who had opted out is still left alone, by a keyed digest of the address."""
    try:
        erasure.erase(_contact_or_404(contact_id), by=str(request.api_key), source="api")
    except Contact.DoesNotExist as problem:
        raise not_found() from problem
    except erasure.Busy as problem:
        detail = "A message to this contact is being handed over right now; nothing was erased. Try again in a minute."
        raise Problem(409, "busy", detail, headers={"Retry-After": "60"}) from problem
    return Status(204, None)


@router.get("/contacts/{int:contact_id}/events", response=Page[events.EventOut])
def list_contact_events(request: ApiRequest, contact_id: int, paging: Query[Paging]) -> dict[str, Any]:
    """The ledger's lines about this contact's addresses."""
    key = digest_key()
    digests = [address.digest(key) for address in _contact_or_404(contact_id).addresses()]
    rows = ConsentEvent.objects.filter(digest__in=digests)
    return page(rows, request=request, paging=paging, shown=events.shown)


def shown(contacts: list[Contact]) -> list[dict[str, Any]]:
    """As JSON; groups and suppressions of all in two queries."""
    ids = [contact.pk for contact in contacts]
    states = {
        pk: {"sms": sms, "email": email}
        for pk, sms, email in Contact.objects.filter(pk__in=ids)
        .with_suppressed()
        .values_list("pk", "suppressed_sms", "suppressed_email")
    }
    groups: dict[int, list[str]] = {pk: [] for pk in ids}
    memberships = GroupContact.objects.filter(contact__in=ids).order_by("group__name")
    for pk, name in memberships.values_list("contact_id", "group__name"):
        groups[pk].append(name)
    plain = ("phone", "email", "first_name", "last_name", "language", "country", "attributes")
    return [
        {
            "id": contact.pk,
            **{name: getattr(contact, name) for name in plain},
            "groups": groups[contact.pk],
            "suppressed": states.get(contact.pk, {"sms": False, "email": False}),
            "created_at": contact.created_at,
            "updated_at": contact.updated_at,
        }
        for contact in contacts
    ]


def _contact_or_404(contact_id: int, *, locked: bool = False) -> Contact:
    rows = Contact.objects.filter(pk=contact_id)
    contact = (rows.select_for_update() if locked else rows).first()
    if contact is None:
        raise not_found()
    return contact


def _row_of(body: ContactBody, *, default_country: str) -> dict[str, Any]:
    """As `upsert` takes it. Raises 422."""
    row = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    for name, _read in READERS.values():
        if name in row:
            row[name] = _address(row[name], name=name, country=row.get("country") or default_country)
    if not row.get("phone") and not row.get("email"):
        raise invalid("phone", "no_address", "Give a phone number, an e-mail address, or both.")
    return row


def _address(text: str | None, *, name: str, country: str) -> Address | None:
    if not text:
        return None
    try:
        return parse_phone(text, default_country=country or None) if name == "phone" else parse_email(text)
    except InvalidAddress as problem:
        raise many_invalid([error(name, problem.code, str(problem))]) from problem


def _set_groups(contact: Contact, names: list[str], *, company: Company) -> None:
    made = [Group(company=company, name=name) for name in sorted(set(names))]
    Group.objects.bulk_create(made, ignore_conflicts=True)
    wanted = Group.objects.of(company).filter(name__in=names)
    GroupContact.objects.filter(contact=contact).exclude(group__in=wanted).delete()
    rows = [GroupContact(company=company, group=group, contact=contact) for group in wanted]
    GroupContact.objects.bulk_create(rows, ignore_conflicts=True)


def _cover(contact: Contact, *, before: list[Address], company: Company) -> None:
    """A new address of somebody who opted out is out as well."""
    old = {address.identity for address in before}
    now = contact.addresses()
    beside = [*before, *now]
    gained = [
        consent.Gained(new, other)
        for new in now
        if new.identity not in old
        for other in beside
        if other.identity != new.identity
    ]
    consent.cover(company=company, gained=gained)
