"""The gate for texts that another system sends: who may be sent what, with line and link.

Each text that is handed out is kept as a message of ours, as if sent: its link opens, a reply
to it finds its campaign, and the ledger can show that nobody was allowed who had opted out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Company
from addressbook import preferences
from addressbook.models import Contact, Suppression
from addressbook.models.contact import CHANNELS
from campaigns import audience, gate
from campaigns.models import Campaign
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.models import Batch, Message
from messaging.models.message import Category
from optout.models import ReviewItem


@dataclass(frozen=True, slots=True)
class Answer:
    """`why` says why not; `message` is there when there is a text, now or from an earlier call."""

    allowed: bool
    why: str = ""
    message: Message | None = None


def campaign_named(name: str, *, company: Company, channel: str) -> Campaign:
    """What single texts are counted under: a launched campaign of this name, made when there is none."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"campaign:{company.pk}:{name}"])
        named = Campaign.objects.of(company).filter(name=name, channel=channel).exclude(built_at=None)
        found = named.order_by("-pk").first()
        if found:
            return found
        now = timezone.now()
        return Campaign.objects.create(
            company=company,
            name=name,
            channel=channel,
            status=Campaign.Status.SENT,
            launched_at=now,
            built_at=now,
            finished_at=now,
        )


@transaction.atomic
def hand_out(
    *,
    company: Company,
    to: Sequence[Address],
    text: str,
    channel: str,
    sender: str = "",
    campaign: Campaign | None = None,
) -> list[Answer]:
    """One answer per address, in order. Raises NoGateway."""
    key = digest_key()
    digests = [address.digest(key) for address in to]
    # Locks the campaign: two calls for one address take turns.
    if campaign:
        gate.join(campaign, audience=0)
    contacts = {
        bytes(getattr(contact, CHANNELS[channel][1])): contact
        for contact in Contact.objects.of(company).filter(**{f"{CHANNELS[channel][1]}__in": digests})
    }
    out = Suppression.objects.of(company).filter(channel=channel, digest__in=digests)
    suppressed = {bytes(digest) for digest in out.values_list("digest", flat=True)}
    paused = preferences.paused(company, channel=channel, digests=digests)
    held = ReviewItem.objects.of(company).holding().filter(digest__in=digests)
    waiting = {bytes(digest) for digest in held.values_list("digest", flat=True)}
    earlier = gate.known(campaign, contacts=[c.pk for c in contacts.values()], digests=digests) if campaign else {}
    reached = {message.contact_id: message for message in earlier.values() if message.contact_id}
    ways = audience.Ways(company=company, sender=sender, channel=channel)
    batch, composer = _batch(company, campaign=campaign, channel=channel), gate.composer_of(company)
    answers: list[Answer] = []
    seen: set[bytes] = set()
    for address, digest in zip(to, digests, strict=True):
        way = ways.for_country(address.country)
        contact = contacts.get(digest)
        sent = earlier.get(digest) or (reached.get(contact.pk) if contact else None)
        why = (
            "duplicate" if digest in seen
            else "suppressed" if digest in suppressed
            else "paused" if digest in paused
            else "waits_for_review" if digest in waiting
            else "already_sent" if sent
            else "no_way_out" if way is None
            else ""
        )  # fmt: skip
        seen.add(digest)
        if why or way is None:
            answers.append(Answer(False, why, sent if why == "already_sent" else None))
            continue
        message = Message(
            company=company,
            campaign=campaign,
            contact=contact,
            batch=batch,
            category=Category.MARKETING,
            channel=channel,
            address=address.value,
            digest=digest,
            country=address.country,
            language=(contact.language if contact else "") or gate.language_of(address.country, company=company),
            sender=way.sender,
            method=way.method,
            reply_code=way.code if way.method == "reply" else "",
            status=Message.Status.SENT,
            created_at=batch.due_at,
            sent_at=batch.due_at,
        )
        answers.append(Answer(True, "", message))
    new = [answer.message for answer in answers if answer.allowed and answer.message]
    Message.objects.bulk_create(new)
    for message in new:  # the link is made from the id, so the text comes second
        message.text = gate.with_line(message, body=text, composer=composer)
    Message.objects.of(company).bulk_update(new, ["text"], batch_size=500)
    if campaign:
        left_out = [answer.why for answer in answers]
        kept_out = left_out.count("suppressed") + left_out.count("waits_for_review")
        no_way = left_out.count("no_way_out")
        gate.join(campaign, audience=len(new) + kept_out + no_way, suppressed=kept_out, no_way=no_way)
    return answers


def _batch(company: Company, *, campaign: Campaign | None, channel: str) -> Batch:
    """Done from the beginning: no worker ever takes it."""
    return Batch.objects.create(
        company=company,
        gateway=audience.gateway_of(company, channel=channel),
        campaign_id=campaign.pk if campaign else None,
        category=Category.MARKETING,
        status=Batch.Status.DONE,
        due_at=timezone.now(),
    )
