"""What may not start, and what to do about it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

SECRETS = ("SECRET_KEY", "LINK_KEY", "DIGEST_KEY")
SHORTEST_SECRET = 32


def secret_problems() -> list[CheckMessage]:
    """A production process needs secrets of its own; the trial's are printed in the source."""
    if settings.DEBUG:
        return []
    problems: list[CheckMessage] = []
    for name in SECRETS:
        value = getattr(settings, name)
        if value == settings.TRIAL_SECRET:
            problems.append(Error(f"{name} is not set.", hint=f"Set {name} to a random secret.", id="stopgate.E001"))
        elif len(value) < SHORTEST_SECRET or len(set(value)) < 8:
            problems.append(
                Error(
                    f"{name} is too weak.",
                    hint=f"Use at least {SHORTEST_SECRET} random characters.",
                    id="stopgate.E002",
                )
            )
    return problems


@register(Tags.security)
def check_secrets(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return secret_problems()
