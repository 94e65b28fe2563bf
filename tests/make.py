"""Factories: what a test does not name does not matter to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

from django.utils import timezone

from accounts.models import Company, Member, User
from addressbook.models import Contact, Group, GroupContact
from campaigns.models import Campaign
from messaging.models import Gateway

PASSWORD = "correct horse battery"
_n = count(1)


def company(name: str = "Acme", **fields) -> Company:
    made = Company.objects.create_named(name, **fields)
    Gateway.objects.create(company=made, kind="simulator", is_default=True)
    return made


def member(of: Company, role: str = "owner", email: str = "") -> Member:
    email = email or f"{role}@{of.slug}.example"
    user = User.objects.filter(email=email).first() or User.objects.create_user(email, PASSWORD)
    return Member.objects.create(company=of, user=user, role=role)


def contact(
    of: Company, phone: str | None = None, email: str | None = None, group: Group | None = None, **fields
) -> Contact:
    if phone is None and email is None:
        phone = f"+316{10000000 + next(_n)}"
    fields.setdefault("country", {"+31": "NL", "+33": "FR", "+49": "DE", "+27": "ZA"}.get((phone or "")[:3], ""))
    made = Contact.objects.create(company=of, phone=phone, email=email, **fields)
    if group:
        GroupContact.objects.create(company=of, group=group, contact=made)
    return made


def group(of: Company, name: str = "Customers") -> Group:
    return Group.objects.of(of).filter(name=name).first() or Group.objects.create(company=of, name=name)


def campaign(of: Company, *groups: Group, body: str = "Sale today", **fields) -> Campaign:
    fields.setdefault("name", f"Campaign {next(_n)}")
    made = Campaign.objects.create(company=of, body=body, **fields)
    made.groups.set(groups)
    return made


def long_ago(age: timedelta) -> datetime:
    return timezone.now() - age
