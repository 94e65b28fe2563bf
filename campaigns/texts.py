"""The final text of each message: the campaign's body, merged, with the opt-out line of its destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from accounts.models import Company
from addressbook.models import Contact
from campaigns.letter import Letter, Line
from campaigns.models import Campaign, Trial
from campaigns.rendering import LINK, Part, Template
from messaging.models import Batch
from messaging.models.message import Category
from optout import destinations, lines
from optout.links import link
from optout.links import parts as link_parts
from optout.wording import Wording

#: Merge field → column of addressbook_contact. Attributes come from their own column.
CONTACT_FIELDS = {"first_name": "c.first_name", "last_name": "c.last_name", "email": "c.email", "phone": "c.phone"}
ATTRIBUTE = "attr."
#: Makes a message's text, or a piece of it, of its id and what the last look read of its contact.
Writer = Callable[[int, Sequence[Any]], str]


class Composer:
    """Renders the messages of one campaign; lines are filled once per destination and language."""

    def __init__(self, *, company: Company, campaign: Campaign | None) -> None:
        self.company = company
        self.template = Template.parse(campaign.body) if campaign else None
        self.subject = campaign.subject if campaign else ""
        self.preheader = campaign.preheader if campaign else ""
        self.wording = Wording(company=company, override=campaign.opt_out_text if campaign else "")
        self.fields = sorted(self.template.fields & CONTACT_FIELDS.keys()) if self.template else []
        self.attributes = sorted(f for f in (self.template.fields if self.template else ()) if f.startswith(ATTRIBUTE))
        self._lines: dict[tuple[str, ...], tuple[str, str, str]] = {}
        self._writers: dict[tuple[str, ...], Writer] = {}

    @classmethod
    def of(cls, batch: Batch) -> Composer:
        company = Company.objects.get(pk=batch.company_id)
        return cls(company=company, campaign=_campaign_of(batch))

    def is_test(self, batch: Batch) -> bool:
        """Of a draft, or of a gateway: it goes to whoever asked for it, at any hour."""
        return batch.pinned or (self.template is not None and not batch.campaign_id)

    def contact_columns(self) -> tuple[str, str]:
        """What the last look has to read besides the message: nothing, when no field is merged."""
        columns = [CONTACT_FIELDS[field] for field in self.fields] + (["c.attributes"] if self.attributes else [])
        if not columns:
            return "", ""
        return ", " + ", ".join(columns), "\nLEFT JOIN addressbook_contact c ON c.id = m.contact_id"

    def text(
        self,
        *,
        message_id: int,
        channel: str,
        language: str,
        method: str,
        reply_code: str,
        country: str,
        contact: Sequence[Any],
    ) -> str:
        return self.writer(channel, language, method, reply_code, country)(message_id, contact)

    def writer(self, *way_out: str) -> Writer:
        """What writes the texts of one way out: (channel, language, method, reply_code, country)."""
        writer = self._writers.get(way_out)
        if writer is None:
            bound = self._bind(*way_out)
            pattern = "".join([part.replace("%", "%%") if isinstance(part, str) else "%s" for part in bound])
            takes = [self._taking(part, *link_parts(way_out[0])) for part in bound if isinstance(part, Part)]
            writer = self._writers[way_out] = _writer(pattern, takes)
        return writer

    def _taking(self, part: Part, beginning: str, code: Callable[[int], str]) -> Writer:
        """What stands at this place of a message."""
        if part is LINK:
            return lambda message_id, contact: beginning + code(message_id)
        if part.name.startswith(ATTRIBUTE):
            name = part.name.removeprefix(ATTRIBUTE)
            return lambda message_id, contact: part.shown(_attribute(name, contact[-1] if contact else None))
        at = self.fields.index(part.name)
        return lambda message_id, contact: part.shown((contact[at] if contact else "") or "")

    def _bind(self, channel: str, language: str, method: str, reply_code: str, country: str) -> list[str | Part]:
        """The text for one way out, down to what differs from person to person."""
        assert self.template is not None
        line = self._parts(channel=channel, language=language, method=method, reply_code=reply_code, country=country)
        return [self.prefix(country, channel), *self.template.bind({"company": self.company.name}, line=line)]

    def html(
        self,
        *,
        message_id: int,
        channel: str,
        language: str,
        method: str,
        reply_code: str,
        country: str,
        contact: Sequence[Any],
    ) -> str:
        """An e-mail's page; empty for what has none: SMS, and texts that programs handed in."""
        if channel != "email" or self.letter is None:
            return ""
        parts = self._parts(channel=channel, language=language, method=method, reply_code=reply_code, country=country)
        return self.letter.page(self._values(contact), line=_line(parts, message_id), language=language)

    def shown_html(
        self,
        *,
        message_id: int,
        channel: str,
        language: str,
        method: str,
        reply_code: str,
        country: str,
        contact: Sequence[Any],
    ) -> str:
        """The same for a page of ours, which allows no styles of its own."""
        if channel != "email" or self.template is None:
            return ""
        parts = self._parts(channel=channel, language=language, method=method, reply_code=reply_code, country=country)
        return self._bare_letter.content(self._values(contact), line=_line(parts, message_id))

    @cached_property
    def letter(self) -> Letter | None:
        return Letter.of(self.template, subject=self.subject, preheader=self.preheader) if self.template else None

    @cached_property
    def _bare_letter(self) -> Letter:
        assert self.template is not None
        return Letter.of(self.template, styled=False)

    def values_of(self, contact: Contact | None) -> list[Any]:
        """What the last look would read of this contact."""
        values: list[Any] = [getattr(contact, field, "") or "" for field in self.fields]
        return [*values, contact.attributes if contact else {}] if self.attributes else values

    def _values(self, contact: Sequence[Any]) -> dict[str, str]:
        values: dict[str, str] = {"company": self.company.name}
        if contact:
            values.update(zip(self.fields, [value or "" for value in contact], strict=False))
            if self.attributes:
                values.update(_attributes(self.attributes, contact[-1] or {}))
        return values

    def prefix(self, country: str, channel: str) -> str:
        """What the law of a destination wants marketing texts to begin with, e.g. `<ADV> `."""
        return destinations.rule(country).prefix if channel == "sms" else ""

    def line(self, *, message_id: int, channel: str, language: str, method: str, reply_code: str, country: str) -> str:
        before, gap, after = self._parts(
            channel=channel, language=language, method=method, reply_code=reply_code, country=country
        )
        return f"{before}{link(message_id, channel)}{after}" if gap else before

    def _parts(
        self, *, channel: str, language: str, method: str, reply_code: str, country: str
    ) -> tuple[str, str, str]:
        """Before the link, a sign where there is one, and after it."""
        key = (channel, language, method, reply_code, country)
        filled = self._lines.get(key)
        if filled is None:
            text = self.wording.line(language=language, method=method, channel=channel)
            keyword = destinations.rule(country).keyword
            whole = lines.fill(text, company=self.company.name, code=reply_code, keyword=keyword, link="\x00")
            filled = self._lines[key] = whole.partition("\x00")
        return filled


def _line(parts: tuple[str, str, str], message_id: int) -> Line:
    before, gap, after = parts
    return Line(before, link(message_id, "email") if gap else "", after)


def _campaign_of(batch: Batch) -> Campaign | None:
    """A test of a draft stands alone, but is written like the draft's own messages."""
    campaigns = Campaign.objects.of(batch.company_id)
    if batch.campaign_id:
        return campaigns.get(pk=batch.campaign_id)
    if batch.category != Category.MARKETING:
        return None
    trials = Trial.objects.of(batch.company_id).filter(message__batch_id=batch.pk)
    return campaigns.filter(pk__in=trials.values("campaign_id")).first()


def _attributes(names: Sequence[str], attributes: Mapping[str, Any]) -> dict[str, str]:
    return {name: _attribute(name.removeprefix(ATTRIBUTE), attributes) for name in names}


def _attribute(name: str, attributes: Mapping[str, Any] | None) -> str:
    return str((attributes or {}).get(name) or "")


def _writer(pattern: str, takes: Sequence[Writer]) -> Writer:
    return lambda message_id, contact: pattern % tuple([take(message_id, contact) for take in takes])
