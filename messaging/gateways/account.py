"""What an account at a provider is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_SETTING = 8192


class InvalidSettings(ValueError):
    """The settings do not make an account; the message says which one to mend."""


@dataclass(frozen=True, slots=True)
class Account:
    """`needed` and `optional` are names of settings."""

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def check(self, settings: Mapping[str, str], *, label: str) -> None:
        """Raises InvalidSettings."""
        known = (*self.needed, *self.optional)
        for name, value in settings.items():
            if name not in known:
                raise InvalidSettings(f"{label} has no setting “{name}”. It takes: {', '.join(known) or 'none'}.")
            if not value.strip() or not _is_plain(value) or len(value) > LONGEST_SETTING:
                raise InvalidSettings(f"{name} is empty or no plain text; write {name}=VALUE.")
        missing = [name for name in self.needed if name not in settings]
        if missing:
            raise InvalidSettings(f"{label} needs {', '.join(missing)}; add {missing[0]}=VALUE.")
        if "base_url" in settings and not _is_web(settings["base_url"]):
            raise InvalidSettings("base_url is no address; write it as https://host or http://host:port.")
        if "port" in settings and not _is_number(settings["port"], up_to=65535):
            raise InvalidSettings("port is a number, for example 587.")
        if "rate" in settings and not _is_number(settings["rate"], up_to=10_000):
            raise InvalidSettings("rate is a number of messages per second, for example 10.")
        if ":" not in settings.get("webhook_secret", ":"):
            raise InvalidSettings("webhook_secret is USER:PASSWORD, as it stands in the webhook's address.")
        group = settings.get("unsubscribe_group", "1")
        if not (group.isascii() and group.isdigit() and len(group) < 10):
            raise InvalidSettings("unsubscribe_group is the number of the group, for example 12345.")
        if "from_email" in settings and "@" not in settings["from_email"]:
            raise InvalidSettings("from_email is no e-mail address; write it as news@example.org.")


def _is_plain(value: str) -> bool:
    return "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def _is_number(text: str, *, up_to: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= up_to


def _is_web(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
