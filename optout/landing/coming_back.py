"""Back again, by the recipient's own link. Where the company asks for it, only after a second message is confirmed.

START by reply needs no second step: who answers from a number has it in hand, which is what the second message would
show. An opt-in through the API is what the company itself vouches for.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import limits
from accounts.models import Company
from accounts.network import network_of
from addressbook import consent
from optout import lines, notices
from optout.codes import TAG_LENGTH
from optout.landing import evidence, pages, texts
from optout.landing.link import Link, find_asked
from optout.links import codes
from optout.models import OptInRequest

DAYS = 7
HOUR, DAY = 3600, 86_400
#: Second messages.
PER_ADDRESS_AND_DAY = 3
PER_NETWORK_AND_HOUR = 10
PURPOSE = "opt-in"
#: What the page after asking is about: a message is on its way, or none can be sent for now.
WAITING = ("asked", "later")


def back(request: HttpRequest, link: Link, *, language: str, out_event_id: int) -> str:
    """Lifts, or asks for the second step; what the page after it is about: "in", "asked" or "later"."""
    shown = texts.text("consent", language=language, company=link.brand.name)
    proof = evidence.of(request, language=language, said=shown) | {"occurred_at": timezone.now().isoformat()}
    if not Company.objects.filter(pk=link.company.pk, confirms_opt_ins=True).exists():
        _lift(link, proof)
        return "in"
    return "asked" if _ask(request, link, proof, out_event_id=out_event_id, language=language) else "later"


@transaction.atomic
def confirm(request: HttpRequest, request_id: int, *, language: str) -> Link | None:
    """The second step. None when what was asked for is over: expired, or opted out anew since."""
    asked = find_asked(request_id, lock=True)
    if asked is None:
        return None
    standing = asked.link.standing()
    if standing.event_id is None:
        return asked.link  # pressed twice, it is one consent
    if standing.event_id != asked.out_event_id:
        return None
    shown = texts.text("consent", language=language, company=asked.link.brand.name)
    first = {f"first_{name}": value for name, value in asked.evidence.items()}
    second = evidence.of(request, language=language, said=shown) | {"occurred_at": timezone.now().isoformat()}
    _lift(asked.link, first | second, how=", confirmed by a second message")
    return asked.link


def read(text: str) -> int | None:
    """The request behind the link in a second message; its end is known to nobody else."""
    found = codes().decode(text[:-TAG_LENGTH])
    if found is None or not codes().check_receipt(found, PURPOSE, text[-TAG_LENGTH:]):
        return None
    return found


def confirm_page(link: Link, *, language: str) -> HttpResponse:
    """Opening it changes nothing: mail servers and phones open links by themselves."""
    consent_text = texts.text("consent", language=language, company=link.brand.name)
    return pages.page(
        "confirm", state="confirm", language=language, brand=link.brand, consent_text=consent_text
    ).response()


def waiting_page(link: Link, *, purpose: str, language: str) -> HttpResponse:
    return pages.page("asked", state=purpose, language=language, brand=link.brand).response()


def forget_old() -> None:
    OptInRequest.objects.across_companies().filter(expires_at__lte=timezone.now()).delete()


def _lift(link: Link, proof: dict[str, str], *, how: str = "") -> None:
    """A consent of its own, with the words on the button as its proof."""
    consent.opt_in(
        company=link.company,
        address=link.address,
        source=link.source,
        campaign_id=link.campaign_id,
        campaign_name=link.campaign_name,
        message_id=link.message_id,
        evidence={**proof, "method": link.source + how},
    )


def _ask(request: HttpRequest, link: Link, proof: dict[str, str], *, out_event_id: int, language: str) -> bool:
    """False when no message can be sent."""
    way = notices.way(link.company, link.address) if link.address.value else None
    if way is None:
        return False
    for key, size, seconds in (
        (f"opt-in:{network_of(request)}", PER_NETWORK_AND_HOUR, HOUR),
        (f"opt-in:{link.company.pk}:{way.digest.hex()}", PER_ADDRESS_AND_DAY, DAY),
    ):
        if not limits.take(key, size=size, seconds=seconds):
            return False
    if not way.may_send():
        return False
    with transaction.atomic():
        asked = OptInRequest.objects.create(
            company=link.company,
            out_event_id=out_event_id,
            message_id=link.message_id,
            evidence=proof,
            expires_at=timezone.now() + timedelta(days=DAYS),
        )
        said = {
            name: lines.fill(
                texts.template(name, language=language),
                company=link.brand.name,
                code="",
                keyword="",
                link=f"{settings.SHORT_URL}/i/{codes().encode(asked.pk)}{codes().receipt(asked.pk, PURPOSE)}",
            )
            for name in ("confirm_subject", "confirm_message")
        }
        way.send(language=language, subject=said["confirm_subject"], text=said["confirm_message"])
    return True
