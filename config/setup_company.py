"""A new company with all it needs to send its first campaign."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from accounts.models import Company, Member, User
from api.models import ApiKey
from messaging.models import Gateway
from optout import own_words

FIRST_SCOPES = ["read", "write", "send", "lift", "admin"]


class WrongPassword(Exception):
    """This person has an account already, with another password."""


class PasswordNeeded(Exception):
    """A new person needs a password."""


@dataclass(frozen=True, slots=True)
class SetUp:
    company: Company
    owner: User
    api_key: str


def set_up_company(*, name: str, owner: str, password: str | None, country: str = "GB", language: str = "en") -> SetUp:
    """The company, its owner, a simulator gateway, the usual reasons and a first key. Raises as `person` does."""
    with transaction.atomic():
        user = person(email=owner, password=password)
        company = Company.objects.create_named(name, country=country, language=language)
        Member.objects.create(company=company, user=user, role=Member.Role.OWNER)
        equip(company)
        _key, text = ApiKey.issue(company=company, name="first key", scopes=FIRST_SCOPES)
    return SetUp(company, user, text)


def equip(company: Company, **_signal: object) -> None:
    """What every company starts with: a simulator gateway, and the usual reasons."""
    Gateway.objects.create(company=company, kind="simulator", is_default=True)
    own_words.offer_standard_reasons(company)


def person(*, email: str, password: str | None) -> User:
    """Who logs in by this e-mail, made if need be. A known person's password is never changed: raises
    WrongPassword when another one is given, PasswordNeeded when a new person gets none."""
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        if not password:
            raise PasswordNeeded
        return User.objects.create_user(email, password)
    if password and not user.check_password(password):
        raise WrongPassword
    return user
