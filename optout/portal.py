"""Out without a link: a code goes to an address, and whoever has the code has the address.

Anybody may type any address, so nothing a stranger sees or measures depends on whether the company knows it: asking
only writes down what was typed. A worker looks whether the company has ever had to do with the address, and sends.
"""

from __future__ import annotations

import hmac
import json
import secrets
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts import limits
from accounts.models import Company
from lib.keys import digest_key, link_key, seal, unseal
from lib.wake import wake
from messaging.addresses import Address
from optout import lines, notices
from optout.landing import texts
from optout.models import PortalCode

TASK = "optout.send_portal_codes"
DIGITS = 6
MINUTES = 10
MOST_TRIES = 5
HOUR, DAY = 3600, 86_400
ROUND = 100
#: How often a code may be asked for.
PER_NETWORK_AND_HOUR = 10
PER_ADDRESS_AND_HOUR = 5
PER_ADDRESS_AND_DAY = 10  # at all companies together
#: Wrong codes from one network, whatever they were tried on.
WRONG_PER_NETWORK_AND_HOUR = 50


class TooMany(Exception):
    """No more for now; says nothing about the address."""


class WrongCode(Exception):
    """Not this code, not any more, or never."""


def ask(*, company: Company, address: Address, language: str, network: str) -> uuid.UUID:
    """Raises TooMany. Known or not, it is the same work."""
    digest = address.digest(digest_key()).hex()
    for key, size, seconds in (
        (f"portal:{network}", PER_NETWORK_AND_HOUR, HOUR),
        (f"portal:{company.pk}:{digest}", PER_ADDRESS_AND_HOUR, HOUR),
        (f"portal-day:{digest}", PER_ADDRESS_AND_DAY, DAY),
    ):
        if not limits.take(key, size=size, seconds=seconds):
            raise TooMany
    asked = PortalCode.objects.create(
        company=company,
        sealed_address=seal(json.dumps([address.channel, address.value])),
        language=language,
        expires_at=timezone.now() + timedelta(minutes=MINUTES),
    )
    wake(TASK)
    return asked.token


def prove(*, company: Company, token: uuid.UUID, typed: str, network: str) -> Address:
    """The address that the right code was sent to, once. Raises WrongCode, TooMany.

    Call it inside the transaction of what it is proof for. A wrong try counts only when that
    transaction commits, so it must not be rolled back by the exception.
    """
    asked = (
        PortalCode.objects.of(company)
        .select_for_update()
        .filter(token=token, expires_at__gt=timezone.now(), tries__lte=MOST_TRIES)
        .first()
    )
    if asked is not None and asked.tries == MOST_TRIES:
        raise TooMany
    right = asked.code_hash if asked is not None else b""
    if hmac.compare_digest(bytes(right), _hash(token, code_in(typed))):
        assert asked is not None
        asked.delete()
        return _address(asked)
    PortalCode.objects.of(company).filter(token=token).update(tries=F("tries") + 1)
    if not limits.take(f"portal-wrong:{network}", size=WRONG_PER_NETWORK_AND_HOUR, seconds=HOUR):
        raise TooMany
    raise WrongCode


def code_in(typed: str) -> str:
    """The digits of any script, without what people put between them."""
    return "".join(str(int(c)) for c in typed[:40] if c.isdecimal())


def due() -> bool:
    return _waiting().exists()


def send_waiting() -> None:
    """A code to each address that its company knows."""
    while True:
        with transaction.atomic():
            rows = list(_waiting().select_related("company").select_for_update(skip_locked=True, of=("self",))[:ROUND])
            for asked in rows:
                _send(asked)
                asked.handled_at = timezone.now()
                asked.save(update_fields=["handled_at", "code_hash"])
        if len(rows) < ROUND:
            return


def forget_old() -> None:
    """With the code its address."""
    PortalCode.objects.across_companies().filter(expires_at__lte=timezone.now()).delete()


def _waiting() -> QuerySet[PortalCode]:
    rows = PortalCode.objects.across_companies().filter(handled_at=None, expires_at__gt=timezone.now())
    return rows.order_by("pk")


def _send(asked: PortalCode) -> None:
    way = notices.way(asked.company, _address(asked))
    if way is None or not way.is_known or not way.may_send():
        return
    code = "".join(secrets.choice("0123456789") for _n in range(DIGITS))
    asked.code_hash = _hash(asked.token, code)
    way.send(
        language=asked.language,
        subject=_text("pin_subject", asked, code=code),
        text=_text("pin_message", asked, code=code),
    )


def _text(name: str, asked: PortalCode, *, code: str) -> str:
    return lines.fill(
        texts.template(name, language=asked.language), company=asked.company.name, code=code, keyword="", link=""
    )


def _address(asked: PortalCode) -> Address:
    return Address(*json.loads(unseal(bytes(asked.sealed_address))))


def _hash(token: uuid.UUID, code: str) -> bytes:
    """Under a key: a million codes are tried in a second."""
    return hmac.digest(link_key(), f"portal:{token}:{code}".encode(), "sha256")
