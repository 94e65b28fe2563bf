"""A company's members: added by e-mail, never without an owner."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.models import Company, Member, User
from lib.wake import wake


class AlreadyMember(Exception):
    """This person is in the company already."""


class LastOwner(Exception):
    """A company keeps at least one owner."""

    def __str__(self) -> str:
        return str(_("A company keeps at least one owner. Make somebody else an owner first."))


def add(*, company: Company, email: str, role: str) -> Member:
    """The person gets a mail with which to set a password, whether or not we knew them: nobody learns which."""
    email = email.strip().lower()
    with transaction.atomic():
        user, _made = User.objects.get_or_create(email=email, defaults={"password": make_password(None)})
        member, made = Member.objects.get_or_create(company=company, user=user, defaults={"role": role})
        if not made:
            raise AlreadyMember
        wake("accounts.send_password_mail", email=email)
    return member


def change_role(*, member: Member, role: str) -> None:
    """Raises LastOwner."""
    with transaction.atomic():
        _keep_an_owner(member=member, unless=role == Member.Role.OWNER)
        Member.objects.filter(pk=member.pk).update(role=role)
    member.role = role


def remove(*, member: Member) -> None:
    """Raises LastOwner."""
    with transaction.atomic():
        _keep_an_owner(member=member, unless=False)
        member.delete()


def _keep_an_owner(*, member: Member, unless: bool) -> None:
    # Two owners who remove each other at the same moment wait for one another here.
    Company.objects.select_for_update().get(pk=member.company_id)
    others = Member.objects.filter(company_id=member.company_id, role=Member.Role.OWNER).exclude(pk=member.pk)
    if not unless and not others.exists():
        raise LastOwner
