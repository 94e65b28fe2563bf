"""What a company keeps about one contact, in full: the answer to an access request."""

from __future__ import annotations

from typing import Any

from addressbook.models import ConsentEvent, Contact, Evidence, Suppression
from messaging.models import Message, Reply


def of(contact: Contact) -> dict[str, Any]:
    digests = [bytes(d) for d in (contact.phone_digest, contact.email_digest) if d]
    company = contact.company_id
    return {
        "contact": {
            "id": contact.pk,
            "phone": contact.phone,
            "email": contact.email,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "language": contact.language,
            "country": contact.country,
            "attributes": contact.attributes,
            "groups": [group.name for group in contact.groups.all()],
            "created_at": contact.created_at,
            "updated_at": contact.updated_at,
        },
        "suppressions": list(
            Suppression.objects.of(company).filter(digest__in=digests).values("channel", "address", "source", "since")
        ),
        "consent_events": _events(company, digests),
        "messages": list(
            Message.objects.of(company)
            .filter(digest__in=digests)
            .order_by("pk")
            .values(
                "id", "channel", "category", "address", "sender", "subject", "text", "status",
                "campaign__name", "created_at", "sent_at", "delivered_at",
            )
        ),
        "replies": list(
            Reply.objects.of(company)
            .filter(digest__in=digests)
            .order_by("pk")
            .values("id", "sender", "to", "text", "received_at")
        ),
    }  # fmt: skip


def _events(company: int, digests: list[bytes]) -> list[dict[str, Any]]:
    events = list(ConsentEvent.objects.of(company).filter(digest__in=digests).order_by("pk"))
    evidence = Evidence.objects.of(company).in_bulk([event.pk for event in events])
    return [_event(event, evidence.get(event.pk)) for event in events]


def _event(event: ConsentEvent, evidence: Evidence | None) -> dict[str, Any]:
    return {
        "id": event.pk,
        "type": event.type,
        "source": event.source,
        "channel": event.channel,
        "address": evidence.address if evidence else "",
        "campaign": event.campaign_name,
        "reason": event.reason,
        "comment": evidence.comment if evidence else "",
        "evidence": evidence.details if evidence else {},
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
    }
