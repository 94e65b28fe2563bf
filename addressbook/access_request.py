"""What a company keeps about one contact, in full, and why: the answer to an access request (GDPR Art. 15)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from addressbook import erasure
from addressbook.models import ConsentEvent, Contact, Evidence, Group, ImportedContacts, Pause, Suppression, TopicLeft
from messaging.models import Gateway, HandsetMessage, Message, Reply


def of(contact: Contact) -> dict[str, Any]:
    digests = [bytes(d) for d in (contact.phone_digest, contact.email_digest) if d]
    company = contact.company_id
    return {
        "about": _about(contact),
        "contact": {
            "id": contact.pk,
            "phone": contact.phone,
            "email": contact.email,
            "first_name": contact.first_name,
            "last_name": contact.last_name,
            "language": contact.language,
            "country": contact.country,
            "attributes": contact.attributes,
            "groups": list(
                Group.objects.of(company).filter(memberships__contact=contact).values_list("name", flat=True)
            ),
            "created_at": contact.created_at,
            "updated_at": contact.updated_at,
        },
        "suppressions": list(
            Suppression.objects.of(company).filter(digest__in=digests).values("channel", "address", "source", "since")
        ),
        "pauses": list(Pause.objects.of(company).filter(digest__in=digests).values("channel", "until")),
        "topics_left": list(
            TopicLeft.objects.of(company).filter(digest__in=digests).values("channel", "group__name")
        ),
        "consent_events": _events(company, digests),
        "messages": list(
            (Message.objects.to(company, *digests) | Message.objects.of(company).filter(contact=contact))
            .distinct()
            .order_by("pk")
            .values(
                "id", "channel", "category", "address", "sender", "subject", "text", "status", "country", "language",
                "campaign__name", "created_at", "sent_at", "delivered_at",
            )
        ),
        "replies": list(
            Reply.objects.of(company)
            .filter(digest__in=digests)
            .order_by("pk")
            .values("id", "sender", "to", "text", "meaning", "received_at")
        ),
        "imports": _imports(contact),
        "rejected_rows": erasure.rejected_rows_of(contact),
        "simulator": list(
            HandsetMessage.objects.of(company)
            .filter(to__in=[a.value for a in contact.addresses()])
            .order_by("pk")
            .values("to", "sender", "subject", "text", "received_at")
        ),
    }  # fmt: skip


def _about(contact: Contact) -> dict[str, Any]:
    """What Art. 15(1) asks for beside the data: who, what for, to whom, for how long, and which rights there are."""
    company = contact.company
    kept = (
        _("Texts and addresses of messages and replies: %(n)d days.") % {"n": company.retention_days}
        if company.retention_days
        else _("Until the contact is erased.")
    )
    providers = Gateway.objects.of(company).order_by("kind").values_list("kind", flat=True).distinct()
    return {
        "controller": company.name,
        "contact_details": company.contact_details,
        "privacy_notice": company.privacy_url,
        "purposes": [_("Sending messages."), _("Proving who agreed to them and who does not want them.")],
        "recipients": list(providers),
        "kept_for": kept,
        "kept_after_erasure": _(
            "A keyed digest of the address, so that an opt-out goes on to hold, and the ledger's lines."
        ),
        "rights": _("Correction, erasure, restriction, objection, and a complaint to a supervisory authority."),
        "automated_decisions": _("None."),
    }


def _imports(contact: Contact) -> list[dict[str, Any]]:
    """Where the contact came from, when it was a file (Art. 15(1)(g))."""
    chunks = ImportedContacts.objects.of(contact.company_id).filter(contacts__contains=[contact.pk])
    rows = chunks.values("import_run__id", "import_run__file_name", "import_run__created_at")
    return [{key.removeprefix("import_run__"): value for key, value in row.items()} for row in rows]


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
