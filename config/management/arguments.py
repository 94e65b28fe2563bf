"""What the commands' arguments have in common: each is checked as the pages check it."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_email

from accounts.forms import country_code, language_code, one_line
from accounts.models import Company


def company(slug: str) -> Company:
    found = Company.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Company.objects.order_by("slug").values_list("slug", flat=True)[:10]) or "none yet"
        raise CommandError(f"There is no company “{slug}”. Known: {known}.")
    return found


def email(value: str) -> str:
    return _checked(validate_email, value, name="e-mail").strip().lower()


def country(value: str) -> str:
    _checked(country_code, value, name="--country")
    return country_code(value)


def language(value: str) -> str:
    _checked(language_code, value, name="--language")
    return language_code(value)


def name(value: str, *, longest: int = 100) -> str:
    value = value.strip()
    if not value or len(value) > longest:
        raise CommandError(f"A name has 1 to {longest} characters.")
    return _checked(one_line, value, name="name")


def _checked(check: Callable[[str], object], value: str, *, name: str) -> str:
    try:
        check(value)
    except ValidationError as problem:
        raise CommandError(f"{name} “{value}”: {' '.join(problem.messages)}") from problem
    return value
