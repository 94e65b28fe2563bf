"""What happened between a company and one contact: messages, replies and consent events, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from addressbook import reasons
from addressbook.models import ConsentEvent, Contact, Evidence
from addressbook.standing import HOW
from messaging.addresses import display
from messaging.models import Message, Reply

SHOWN = 50
_SENT = {
    "queued": gettext_lazy("%(what)s is waiting"),
    "deferred": gettext_lazy("%(what)s is waiting for its hours"),
    "sent": gettext_lazy("%(what)s sent"),
    "delivered": gettext_lazy("%(what)s delivered"),
    "failed": gettext_lazy("%(what)s failed"),
    "unknown": gettext_lazy("%(what)s: not known whether it was sent"),
    "suppressed": gettext_lazy("%(what)s held back: opted out"),
    "paused": gettext_lazy("%(what)s held back: paused"),
    "topic left": gettext_lazy("%(what)s held back: topic left"),
    "cancelled": gettext_lazy("%(what)s cancelled"),
}
#: What the person chose stands where others have a reason.
CHOSEN = ("pause", "topic_out", "topic_in")


@dataclass(frozen=True)
class Entry:
    at: datetime
    title: str
    text: str = ""
    detail: str = ""
    kind: str = ""  # the dot: "out", "in", "bad" or quiet

    @property
    def shown_at(self) -> str:
        """With the hour in this year, with the year before."""
        this_year = self.at.year == timezone.now().year
        return date_format(timezone.localtime(self.at), "j M, H:i" if this_year else "j M Y")


def of_contact(contact: Contact, *, before: datetime | None = None, most: int = SHOWN) -> tuple[list[Entry], bool]:
    """At most `most` entries before a moment, and whether there are older ones. Four queries, whatever there is."""
    digests = [bytes(d) for d in (contact.phone_digest, contact.email_digest) if d]
    entries = [
        *_messages(contact, digests, before, most + 1),
        *_replies(contact, digests, before, most + 1),
        *_events(contact, digests, before, most + 1),
    ]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return entries[:most], len(entries) > most


def _messages(contact: Contact, digests: list[bytes], before: datetime | None, most: int) -> list[Entry]:
    rows = Message.objects.to(contact.company_id, *digests).select_related("campaign", "batch")
    if before:
        rows = rows.filter(created_at__lt=before)
    return [_message(message) for message in rows.order_by("-created_at", "-pk")[:most]]


def _message(message: Any) -> Entry:
    if message.campaign:
        what = f"“{message.campaign.name}”"
    elif message.category == "transactional":
        what = _("Transactional message")
    else:
        what = _("Marketing message")
    details = [message.get_channel_display(), display(message.address)]
    if message.segments > 1:
        details.append(_("%(n)s segments") % {"n": message.segments})
    if message.leaves_at:
        at = date_format(timezone.localtime(message.leaves_at), "D j M, H:i")
        details.append(_("leaves %(at)s") % {"at": at})
    why_not = message.error if message.status == "suppressed" and message.error in _SENT else ""
    if message.error and not why_not:
        details.append(message.error)
    return Entry(
        at=message.created_at,
        title=_SENT[why_not or message.status] % {"what": what},
        text=message.text,
        detail=" · ".join(str(d) for d in details if d),
        kind="bad" if message.status == "failed" else "",
    )


def _replies(contact: Contact, digests: list[bytes], before: datetime | None, most: int) -> list[Entry]:
    rows = Reply.objects.of(contact.company_id).filter(digest__in=digests)
    if before:
        rows = rows.filter(received_at__lt=before)
    return [
        Entry(at=reply.received_at, title=_("Reply to %(number)s") % {"number": display(reply.to)}, text=reply.text)
        for reply in rows.order_by("-received_at", "-pk")[:most]
    ]


def _events(contact: Contact, digests: list[bytes], before: datetime | None, most: int) -> list[Entry]:
    rows = ConsentEvent.objects.of(contact.company_id).filter(digest__in=digests)
    if before:
        rows = rows.filter(recorded_at__lt=before)
    events = list(rows.order_by("-recorded_at", "-pk")[:most])
    evidence = Evidence.objects.of(contact.company_id).in_bulk([event.pk for event in events])
    return [of_event(event, evidence.get(event.pk)) for event in events]


def of_event(event: ConsentEvent, evidence: Evidence | None) -> Entry:
    channel = _("SMS") if event.channel == "sms" else _("e-mail")
    details = evidence.details if evidence and isinstance(evidence.details, dict) else {}
    kind, title, text = "", event.get_type_display(), ""
    words = {"channel": channel, "how": HOW.get(event.source, event.get_source_display())}
    match event.type:
        case ConsentEvent.Type.OPT_OUT:
            kind, title = "out", _("Opted out of %(channel)s %(how)s") % words
            text = evidence.comment if evidence else ""
        case ConsentEvent.Type.OPT_IN:
            kind, title = "in", _("Opted in to %(channel)s %(how)s") % words
            text = str(details.get("text", ""))
        case ConsentEvent.Type.REASON:
            title = _("Said why")
            text = evidence.comment if evidence else ""
        case ConsentEvent.Type.ERASURE:
            title = _("Data erased")
        case ConsentEvent.Type.PAUSE:
            title = _("Paused %(channel)s for %(days)s days %(how)s") % {
                **words,
                "days": event.reason.partition(":")[2],
            }
        case ConsentEvent.Type.PAUSE_END:
            title = _("Ended the pause of %(channel)s %(how)s") % words
        case ConsentEvent.Type.TOPIC_OUT:
            title = _("Left a topic %(how)s") % words
        case ConsentEvent.Type.TOPIC_IN:
            title = _("Joined a topic again %(how)s") % words
    if event.type in CHOSEN:
        text = str(details.get("text", ""))
    facts = [
        _("campaign %(name)s") % {"name": event.campaign_name} if event.campaign_name else "",
        _("reason: %(reason)s") % {"reason": reasons.text(event.reason, company=event.company_id)}
        if event.reason and event.type not in CHOSEN
        else "",
        str(details.get("method", "")) if event.source == "marketer" else "",
        _("event %(id)s") % {"id": event.pk},
    ]
    return Entry(at=event.recorded_at, title=title, text=text, detail=" · ".join(f for f in facts if f), kind=kind)
