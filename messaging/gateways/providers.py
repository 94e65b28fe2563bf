"""What an account at each provider is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LONGEST_SETTING = 8192


class InvalidSettings(ValueError):
    """The settings do not make an account; the message says which one to mend."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`needed` and `optional` are names of settings."""

    label: str
    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def check(self, settings: Mapping[str, str]) -> None:
        """Raises InvalidSettings."""
        known = (*self.needed, *self.optional)
        for name, value in settings.items():
            if name not in known:
                raise InvalidSettings(f"{self.label} has no setting “{name}”. It takes: {', '.join(known) or 'none'}.")
            if not value.strip() or "\x00" in value or len(value) > LONGEST_SETTING:
                raise InvalidSettings(f"{name} is empty or no plain text; write {name}=VALUE.")
        missing = [name for name in self.needed if name not in settings]
        if missing:
            raise InvalidSettings(f"{self.label} needs {', '.join(missing)}; add {missing[0]}=VALUE.")
        if "base_url" in settings and not _is_web(settings["base_url"]):
            raise InvalidSettings("base_url is no address; write it as https://host or http://host:port.")
        if "port" in settings and not (settings["port"].isascii() and settings["port"].isdigit()):
            raise InvalidSettings("port is a number, for example 587.")


PROVIDERS = {
    "simulator": Provider("Simulator"),
    "cm": Provider("CM.com", ("product_token",), ("base_url",)),
    "twilio": Provider("Twilio", ("account_sid", "auth_token"), ("base_url",)),
    "vonage": Provider(
        "Vonage", ("api_key", "api_secret"), ("signature_secret", "application_id", "private_key", "base_url")
    ),
    "smtp": Provider("SMTP", ("host",), ("port", "username", "password", "from_email", "base_url")),
}


def _is_web(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
