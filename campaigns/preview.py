"""What each destination will read, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from addressbook.models import Contact
from campaigns import audience
from campaigns.models import Campaign
from campaigns.texts import ATTRIBUTE, Composer
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


def _sample(row: dict[str, Any], *, composer: Composer, campaign: Campaign, contact: Contact | None) -> Sample:
    way, country = row["way"], row["country"]
    if way is None:
        return Sample(country, "", "", campaign.sender, "", 0, 0, row["recipients"])
    default = destinations.rule(country).languages
    language = row["language"] or (default[0] if country and default else campaign.company.language)
    values: list[Any] = [getattr(contact, field, "") or "" for field in composer.fields]
    if any(f.startswith(ATTRIBUTE) for f in composer.attributes):
        values.append(contact.attributes if contact else {})
    arguments = {
        "message_id": NO_MESSAGE,
        "channel": campaign.channel,
        "language": language,
        "method": way.method,
        "reply_code": way.code,
        "country": country,
    }
    text = composer.text(address="", contact=values, **arguments)
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
    )
