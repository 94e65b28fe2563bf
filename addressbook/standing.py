"""May this contact get marketing, and if not, why: in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Company
from addressbook.models import ConsentEvent, Contact, Group, Pause, Suppression
from lib.keys import digest_key
from messaging.addresses import Address, display

HOW = {
    "landing": gettext_lazy("by the opt-out link"),
    "reply": gettext_lazy("by reply"),
    "one_click": gettext_lazy("by one click in an e-mail"),
    "portal": gettext_lazy("on the opt-out page"),
    "api": gettext_lazy("through the API"),
    "import": gettext_lazy("by an import"),
    "marketer": gettext_lazy("entered by a member"),
    "administrator": gettext_lazy("entered by an administrator"),
    "provider": gettext_lazy("reported by the provider"),
    "complaint": gettext_lazy("by a complaint or a bounce"),
}


@dataclass(frozen=True)
class Badge:
    tag: str
    label: Any


REACHABLE = Badge("ok", gettext_lazy("Reachable"))
OPTED_OUT = Badge("out", gettext_lazy("Opted out"))
SMS_ONLY = Badge("quiet", gettext_lazy("SMS only"))
EMAIL_ONLY = Badge("quiet", gettext_lazy("E-mail only"))


def badge(contact: Any) -> Badge:
    """Of a contact from `with_suppressed()`."""
    by_sms = contact.phone and not contact.suppressed_sms
    by_email = contact.email and not contact.suppressed_email
    if not by_sms and not by_email:
        return OPTED_OUT
    if not by_sms:
        return EMAIL_ONLY
    return SMS_ONLY if contact.email and not by_email else REACHABLE


@dataclass(frozen=True)
class Standing:
    """One address of a contact: reachable, or the suppression and the event that it follows from."""

    address: Address
    suppression: Suppression | None = None
    event: ConsentEvent | None = None
    paused_until: datetime | None = None

    @property
    def shown_address(self) -> str:
        return display(self.address.value)

    @property
    def label(self) -> str:
        if self.paused_until:
            paused = (
                _("SMS paused until %(date)s") if self.address.channel == "sms" else _("E-mail paused until %(date)s")
            )
            return paused % {"date": date_format(timezone.localtime(self.paused_until), "j M")}
        if self.address.channel == "sms":
            return _("No marketing by SMS") if self.suppression else _("Reachable by SMS")
        return _("No marketing by e-mail") if self.suppression else _("Reachable by e-mail")

    @property
    def seal(self) -> str:
        """The beginning and end of the ledger line's hash."""
        text = bytes(self.event.hash).hex() if self.event else ""
        return f"{text[:6]}…{text[-6:]}"

    @property
    def reason(self) -> str:
        return why(self.suppression, self.event) if self.suppression else ""


def why(suppression: Suppression, event: ConsentEvent | None) -> str:
    """The reason in one or two sentences."""
    when = {"date": day(suppression.since), "how": HOW.get(suppression.source, suppression.source)}
    if event and event.campaign_name:
        text = _("Opted out on %(date)s %(how)s to “%(campaign)s”.") % {**when, "campaign": event.campaign_name}
    else:
        text = _("Opted out on %(date)s %(how)s.") % when
    if event and event.cause_id:
        text = format_lazy("{} {}", text, _("It follows from the opt-out of the other address."))
    return str(text)


def of_contact(contact: Contact) -> list[Standing]:
    """Per address of the contact, phone first. Three queries at most."""
    addresses = contact.addresses()
    found = of_addresses(contact.company, addresses)
    return [found[address] for address in addresses]


def topics_left(contact: Contact) -> list[Group]:
    """Groups that the person has left on the opt-out page."""
    digests = [bytes(d) for d in (contact.phone_digest, contact.email_digest) if d]
    return list(Group.objects.of(contact.company_id).filter(left__digest__in=digests).distinct())


def of_addresses(company: Company, addresses: list[Address]) -> dict[Address, Standing]:
    key = digest_key()
    digests = {address: address.digest(key) for address in addresses}
    wanted = Q(pk=None)
    for address, digest in digests.items():
        wanted |= Q(channel=address.channel, digest=digest)
    rows = {bytes(s.digest): s for s in Suppression.objects.of(company).filter(wanted)}
    events = {}
    if rows:
        events = ConsentEvent.objects.of(company).in_bulk([s.event_id for s in rows.values()])
    paused = {bytes(p.digest): p.until for p in Pause.objects.of(company).running().filter(wanted)}
    found = {}
    for address, digest in digests.items():
        suppression = rows.get(digest)
        event = events.get(suppression.event_id) if suppression else None
        found[address] = Standing(address, suppression, event, paused.get(digest))
    return found


def day(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "j F Y")
