"""What each destination will read, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from addressbook.models import Contact
from campaigns import audience, plain
from campaigns.models import Campaign
from campaigns.texts import Composer
from lib.countries import country_name
from messaging.segments import measure
from optout import destinations


@dataclass(frozen=True, slots=True)
class Sample:
    """One destination's text, with a real recipient's names."""

    country: str
    text: str
    method: str
    sender: str
    encoding: str
    characters: int
    segments: int
    recipients: int
    line: str = ""
    limit: int = 0
    #: What the marketer wrote, before anything was merged or added.
    written: str = ""
    #: What stands inside an e-mail's page.
    html: str = ""

    @property
    def place(self) -> str:
        return country_name(self.country) if self.country else _("Country unknown")

    @property
    def parts(self) -> tuple[str, str, str]:
        """Before the opt-out line, the line, after it. The last place counts: a body may quote the line."""
        before, line, after = self.text.rpartition(self.line) if self.line else (self.text, "", "")
        return before, line, after

    @property
    def costly(self) -> list[plain.Costly]:
        """The characters that halve the room of an SMS."""
        return plain.costly(self.text, written=self.written)[:12] if self.encoding == "UCS-2" else []

    @property
    def shown_html(self) -> SafeString:
        """A letter lets nothing through but what Markdown knows (campaigns/letter.py): a page of ours may show it."""
        return mark_safe(self.html)  # noqa: S308

    @property
    def replaceable(self) -> bool:
        """Whether there is something to replace at one go."""
        return any(one.own and one.character in plain.TYPOGRAPHIC for one in self.costly)

    @property
    def all_segments(self) -> int:
        return self.segments * self.recipients

    @property
    def left(self) -> int:
        return self.limit - self.characters


#: Stands in for the message's id; the code shown is of the right length but opens nothing.
NO_MESSAGE = 0


def preview(campaign: Campaign, reach: audience.Reach | None = None) -> list[Sample]:
    """Per destination in the audience; a destination with no lawful way out shows method ""."""
    composer = Composer(company=campaign.company, campaign=campaign)
    found = reach or audience.reach(campaign)
    contacts = Contact.objects.of(campaign.company_id).in_bulk([row["sample"] for row in found.countries])
    return [
        _sample(row, composer=composer, campaign=campaign, contact=contacts.get(row["sample"]))
        for row in found.countries
    ]


def segments(samples: list[Sample]) -> int:
    """About how many segments the whole costs; names of different length make it vary."""
    return sum(sample.segments * sample.recipients for sample in samples)


def _sample(row: dict[str, Any], *, composer: Composer, campaign: Campaign, contact: Contact | None) -> Sample:
    way, country = row["way"], row["country"]
    if way is None:
        return Sample(country, "", "", campaign.sender, "", 0, 0, row["recipients"])
    default = destinations.rule(country).languages
    language = row["language"] or (default[0] if country and default else campaign.company.language)
    values = composer.values_of(contact)
    arguments = {
        "message_id": NO_MESSAGE,
        "channel": campaign.channel,
        "language": language,
        "method": way.method,
        "reply_code": way.code,
        "country": country,
    }
    text = composer.text(contact=values, **arguments)
    size = measure(text)
    return Sample(
        country=country,
        text=text,
        method=way.method,
        sender=way.sender,
        encoding=size.encoding if campaign.channel == "sms" else "",
        characters=size.characters if campaign.channel == "sms" else len(text),
        segments=size.segments if campaign.channel == "sms" else 0,
        recipients=row["recipients"],
        line=composer.line(**arguments),
        limit=size.per_segment * size.segments,
        written=f"{campaign.body}\n{campaign.opt_out_text}",
        html=composer.shown_html(contact=values, **arguments),
    )
