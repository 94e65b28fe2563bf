"""The opt-out link of a message."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from django.conf import settings

from lib.keys import link_key
from optout.codes import Codes


@cache
def codes() -> Codes:
    return Codes(link_key())


def link(message_id: int, channel: str) -> str:
    """For SMS as short as it can be, without https:// (phones make it a link all the same); for e-mail in full."""
    beginning, code = parts(channel)
    return beginning + code(message_id)


def parts(channel: str) -> tuple[str, Callable[[int], str]]:
    """How every link begins, and what makes the rest of one: for many of them."""
    if channel == "email":
        return f"{settings.SHORT_URL}/e/", codes().encode_tagged
    return f"{_shown_host()}/", codes().encode


def url(message_id: int, channel: str) -> str:
    """The same as a full address."""
    if channel == "email":
        return link(message_id, channel)
    return f"{settings.SHORT_URL}/{codes().encode(message_id)}"


def unsubscribe_header(message_id: int) -> str:
    """RFC 2369 value of List-Unsubscribe: the page first; by e-mail too where a mailbox takes it (optout/mailbox.py).

    The code stands in the subject as well, for mail servers that know no +detail.
    """
    page = f"<{link(message_id, 'email')}>"
    local, _at, domain = settings.UNSUBSCRIBE_EMAIL.rpartition("@")
    if not domain:
        return page
    code = codes().encode_tagged(message_id)
    return f"{page}, <mailto:{local}+{code}@{domain}?subject=unsubscribe%20{code}>"


@cache
def _shown_host() -> str:
    return settings.SHORT_URL.removeprefix("https://")
