"""What may not start, and what to do about it."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection

from config.health import durability_off
from lib.keys import check_value, digest_key

SECRETS = ("SECRET_KEY", "LINK_KEY", "DIGEST_KEY")
SHORTEST_SECRET = 32
FEWEST_DIFFERENT = 8
#: Leaves room for a code: 64 characters before the @ (RFC 5321 4.5.3.1.1), and none that a link would have to escape.
MAILBOX = re.compile(r"[A-Za-z0-9._-]{1,24}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


def refuse_to_start() -> None:
    """For processes that no command starts, such as gunicorn's. Raises ImproperlyConfigured with every problem."""
    problems = check_secrets(None) or check_mailbox(None) or check_database(None)
    if problems:
        raise ImproperlyConfigured(" ".join(f"{p.msg} {p.hint}" for p in problems))


@register(Tags.security)
def check_secrets(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A production process needs secrets of its own; the trial's are printed in the source."""
    if settings.DEBUG:
        return []
    return [problem for name in SECRETS if (problem := _weakness(name))]


@register(Tags.security)
def check_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The secrets are those this database was begun with, and what it has acknowledged survives a crash."""
    if settings.DEBUG or check_secrets(None):
        return []
    from config.models import CheckValue

    try:
        if CheckValue._meta.db_table not in connection.introspection.table_names():
            return []  # about to be migrated
        return _changed_secrets() + _durability()
    except DatabaseError:
        return []  # a server that is away is told by whoever needs it, and by /readyz


@register(Tags.security)
def check_mailbox(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """An address nobody can write to would stand in every e-mail."""
    if not settings.UNSUBSCRIBE_EMAIL or MAILBOX.fullmatch(settings.UNSUBSCRIBE_EMAIL):
        return []
    hint = "Use one such as unsubscribe@no-s.ms, with at most 24 letters, digits, dots and hyphens before the @."
    return [Error("UNSUBSCRIBE_EMAIL is no address that takes a code.", hint=hint, id="stopgate.E005")]


def _weakness(name: str) -> CheckMessage | None:
    value = getattr(settings, name)
    if value in {"", settings.TRIAL_SECRET}:
        return Error(f"{name} is not set.", hint=f"Set {name} to a random secret.", id="stopgate.E001")
    if len(value) < SHORTEST_SECRET or len(set(value)) < FEWEST_DIFFERENT:
        return Error(
            f"{name} is too weak.", hint=f"Use at least {SHORTEST_SECRET} random characters.", id="stopgate.E002"
        )
    return None


def _changed_secrets() -> list[CheckMessage]:
    """Stores the check values at the first start. Under another DIGEST_KEY erased people would be written to again,
    under another LINK_KEY every link in a message that was sent would lead nowhere."""
    from config.models import CheckValue

    kept = {row.name: bytes(row.value) for row in CheckValue.objects.all()}
    if "DIGEST_KEY" not in kept and not _addresses_have_this_digest():
        return [_changed("DIGEST_KEY")]
    CheckValue.objects.bulk_create(
        [CheckValue(name=name, value=check_value(name)) for name in SECRETS if name not in kept], ignore_conflicts=True
    )
    return [_changed(name) for name in SECRETS if kept.get(name, check_value(name)) != check_value(name)]


def _addresses_have_this_digest() -> bool:
    """A trial's data was written with the trial's key."""
    from addressbook.models import Contact

    contact = Contact.objects.across_companies().order_by("-pk").first()
    if contact is None:
        return True
    kept = {bytes(digest) for digest in (contact.phone_digest, contact.email_digest) if digest}
    return kept == {address.digest(digest_key()) for address in contact.addresses()}


def _changed(name: str) -> CheckMessage:
    return Error(
        f"{name} is not the one this database was begun with.",
        hint=f"Set {name} to what it was. If it must be another on purpose, delete its row in config_checkvalue.",
        id="stopgate.E003",
    )


def _durability() -> list[CheckMessage]:
    return [
        Error(
            f"PostgreSQL runs with {name} off.",
            hint=f"Set {name} = on: an opt-out that was acknowledged could be lost in a crash.",
            id="stopgate.E004",
        )
        for name in durability_off()
    ]
