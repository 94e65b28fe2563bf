"""The demo company's story: seven campaigns in five weeks, and the people who left because of them.

Everything goes through the doors the product has: contacts, launches, replies and opt-outs are
made as they would be in real life, then moved back in time.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import phonenumbers
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Company, Member, User
from accounts.scoping import company_scope
from addressbook import consent
from addressbook.models import Contact, Group, GroupContact, Suppression
from campaigns import audience, dispatch
from campaigns.models import Campaign
from config import demo_people
from config.setup_company import person, set_up_company
from lib.keys import digest_key
from messaging.addresses import Address
from messaging.models import Message, Sender
from optout import replies
from optout.links import url

NAME, RIVAL = "Fjord & Fern", "Kaap Outdoor"
OWNER, VIEWER, ADMINISTRATOR = "owner@fjordfern.example", "viewer@fjordfern.example", "admin@stopgate.example"
RIVALS_OWNER = "owner@kaapoutdoor.example"
PASSWORD = "try-it-out-2026"  # noqa: S105 (printed at every start)
SHORT_CODES = [("4411", "NL"), ("36184", "FR"), ("66777", "GB"), ("8850", "BE")]
PEOPLE = 2000
OVERLAP = 300


@dataclass(frozen=True)
class Episode:
    """A campaign that was sent, and how it was received: `leaving` is the share of recipients who opted out."""

    name: str
    body: str
    groups: tuple[str, ...]
    days_ago: int
    leaving: float
    channel: str = "sms"
    subject: str = ""


EPISODES = [
    Episode(
        "Autumn lookbook",
        "Hi {first_name|there}, the autumn collection is here. Have a look in our shop.",
        ("Newsletter",),
        33,
        0.011,
    ),
    Episode("Free delivery weekend", "Free delivery on everything until Sunday night.", ("Customers",), 26, 0.014),
    Episode(
        "Rotterdam store opening",
        "{first_name|Hello}, our Rotterdam store opens on Saturday at 10. Coffee is on us.",
        ("Rotterdam",),
        19,
        0.012,
    ),
    Episode(
        "Winter lookbook", "Winter has arrived at {company}: wool, down and warm socks.", ("Newsletter",), 12, 0.016
    ),
    Episode(
        "November newsletter",
        "Hello {first_name|there},\n\nthis month: how our wool is made, and a recipe for "
        "cold evenings.\n\nThe team of {company}",
        ("Newsletter",),
        9,
        0.009,
        "email",
        "How our wool is made",
    ),
    Episode(
        "Black Week preview",
        "BLACK WEEK starts now!! 40 % off for you only, again tomorrow, and the day after.",
        ("Customers", "VIP"),
        5,
        0.044,
    ),
    Episode(
        "Cape Town sample sale",
        "Sample sale in Cape Town this Saturday, 9 to 13. First come, first served.",
        ("Cape Town",),
        4,
        0.02,
    ),
]
REASONS = [("too_many", 42), ("not_relevant", 27), ("never_signed_up", 14), ("other_channel", 9), ("other", 8)]
COMMENTS = [
    "Three messages in one week is too much for me.",
    "I only bought a present once.",
    "Ik woon niet in de buurt van de winkel.",
    "Bitte nur noch per E-Mail.",
    "Je préfère regarder votre site moi-même.",
    "I never gave you this number.",
    "Lovely shop, but my phone should stay quiet.",
    "Moved abroad, cannot use these offers.",
]
UNCERTAIN = [
    "please dont text me again, i mean it",
    "Wie is dit? Ik krijg dit elke week",
    "pouvez vous me retirer de votre liste svp",
]


def exists() -> bool:
    return Company.objects.filter(slug="fjord-fern").exists()


def load() -> str:
    """Write the story, all or none; returns the demo company's API key."""
    rng = random.Random(20260)  # the same people at every first start
    with transaction.atomic():
        made = set_up_company(name=NAME, owner=OWNER, password=PASSWORD, country="NL", language="en")
        company = made.company
        Company.objects.filter(pk=company.pk).update(
            brand_color="#1f5f4a", contact_details="hello@fjordfern.example, +31 10 123 4567"
        )
        company.refresh_from_db()
        for code, country in SHORT_CODES:
            Sender.objects.create(company=None, value=code, kind=Sender.Kind.SHORT_CODE, country=country)
        Sender.objects.create(company=company, value="FjordFern", kind=Sender.Kind.ALPHANUMERIC)
        _member(VIEWER, company=company, role=Member.Role.VIEWER)
        with company_scope(company):
            people = _people(company, rng=rng)
            for episode in EPISODES:
                _play(episode, company=company, rng=rng)
            _some_come_back(company, rng=rng)
            _some_wait_for_review(company)
            _draft(company, by=made.owner.pk)
        _rival(people)
        _administrator()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return made.api_key


def links(company: Company, *, n: int = 3) -> list[str]:
    """Opt-out links of people who still get marketing, the newest first."""
    recent = Message.objects.of(company).filter(channel="sms", method="link", status=Message.Status.DELIVERED)
    suppressed = _gone(company)
    return [url(m.pk, "sms") for m in recent.exclude(digest__in=suppressed).order_by("-pk")[:n]]


def _gone(company: Company) -> QuerySet[Suppression, Any]:
    return Suppression.objects.of(company).filter(channel="sms").values("digest")


def _member(email: str, *, company: Company, role: str) -> None:
    Member.objects.get_or_create(company=company, user=person(email=email, password=PASSWORD), defaults={"role": role})


def _administrator() -> None:
    if not User.objects.filter(email=ADMINISTRATOR).exists():
        User.objects.create_superuser(ADMINISTRATOR, PASSWORD)


def _people(company: Company, *, rng: random.Random) -> list[Contact]:
    contacts = list(_invent(company, rng=rng))
    Contact.objects.bulk_create(contacts, batch_size=1000)
    groups = {
        name: Group.objects.create(company=company, name=name)
        for name in ("Customers", "Newsletter", "Rotterdam", "Cape Town", "VIP")
    }
    places = []
    for contact in contacts:
        names = {"Customers"} if rng.random() < 0.62 else set()
        if rng.random() < 0.58 or not names:
            names.add("Newsletter")
        if contact.country == "NL" and rng.random() < 0.3:
            names.add("Rotterdam")
        if contact.country == "ZA" and rng.random() < 0.7:
            names.add("Cape Town")
        if rng.random() < 0.06:
            names.add("VIP")
        places += [GroupContact(company=company, group=groups[name], contact=contact) for name in names]
    GroupContact.objects.bulk_create(places, batch_size=2000)
    Contact.objects.of(company).update(created_at=timezone.now() - timedelta(days=60))
    return contacts


def _invent(company: Company, *, rng: random.Random) -> Iterator[Contact]:
    seen: set[str] = set()
    while len(seen) < PEOPLE:
        country = rng.choices(list(demo_people.SHARES), list(demo_people.SHARES.values()))[0]
        phone = _number(country, rng=rng)
        if phone in seen:
            continue
        seen.add(phone)
        names = demo_people.NAMES[country]
        first, last = rng.choice(names.first), rng.choice(names.last)
        email = f"{_ascii(first)}.{_ascii(last)}{len(seen)}@mail.example" if rng.random() < 0.7 else None
        contact = Contact(
            company=company,
            first_name=first,
            last_name=last,
            language=names.language if rng.random() < 0.5 else "",
        )
        contact.set_address("sms", Address("sms", phone))
        if email:
            contact.set_address("email", Address("email", email))
        yield contact


def _number(country: str, *, rng: random.Random) -> str:
    """A mobile number that its numbering plan knows."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    assert example is not None
    plan = str(example.national_number)
    while True:
        kept = 3 if len(plan) > 8 else 2
        text = plan[:kept] + "".join(rng.choice("0123456789") for _ in plan[kept:])
        number = phonenumbers.PhoneNumber(country_code=example.country_code, national_number=int(text))
        if phonenumbers.is_valid_number_for_region(number, country):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower())
    return "".join(c for c in plain if c.isascii() and c.isalnum())


def _play(episode: Episode, *, company: Company, rng: random.Random) -> None:
    """Launch, deliver, let people leave, then put it where it belongs in time."""
    campaign = Campaign.objects.create(
        company=company,
        name=episode.name,
        channel=episode.channel,
        sender="FjordFern" if episode.channel == "sms" else "",
        subject=episode.subject,
        body=episode.body,
    )
    campaign.groups.set(Group.objects.of(company).filter(name__in=episode.groups))
    campaign.launch()
    audience.build(campaign)
    while dispatch.run(category="marketing"):
        pass
    dispatch.finish()
    at = (timezone.now() - timedelta(days=episode.days_ago)).replace(hour=10, minute=0, second=0, microsecond=0)
    _move_back(campaign, at=at)
    recipients = list(Message.objects.of(company).filter(campaign=campaign, status=Message.Status.DELIVERED))
    for message in rng.sample(recipients, k=max(2, round(len(recipients) * episode.leaving))):
        _leave(message, campaign=campaign, sent_at=at, rng=rng)


def _move_back(campaign: Campaign, *, at: datetime) -> None:
    statements = [
        "UPDATE campaigns_campaign SET created_at = %(at)s - interval '2 days', launched_at = %(at)s,"
        " built_at = %(at)s, finished_at = %(at)s + interval '3 minutes' WHERE id = %(campaign)s",
        "UPDATE messaging_handsetmessage h SET received_at = %(at)s + interval '1 minute'"
        " FROM messaging_message m WHERE m.id = h.message_id AND m.campaign_id = %(campaign)s",
        "UPDATE messaging_message SET created_at = %(at)s, sent_at = %(at)s + (id %% 170) * interval '1 second',"
        " delivered_at = CASE WHEN delivered_at IS NOT NULL"
        " THEN %(at)s + (id %% 170 + 4) * interval '1 second' END WHERE campaign_id = %(campaign)s",
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, {"at": at, "campaign": campaign.pk})


def _leave(message: Message, *, campaign: Campaign, sent_at: datetime, rng: random.Random) -> None:
    # Most people who leave do so within the first hours; a few days later it is quiet.
    after = timedelta(minutes=5 + rng.expovariate(1 / 380))
    if message.channel == "email":
        source = "one_click" if rng.random() < 0.6 else "landing"
    else:
        source = "reply" if message.method == "reply" else "landing"
    told = source == "landing" and rng.random() < 0.75
    consent.opt_out(
        company=campaign.company,
        address=Address(message.channel, message.address),
        source=source,
        campaign_id=campaign.pk,
        campaign_name=campaign.name,
        message_id=message.pk,
        country=message.country,
        reason=_weighted(REASONS, rng=rng) if told else "",
        comment=rng.choice(COMMENTS) if told and rng.random() < 0.4 else "",
        occurred_at=min(sent_at + after, timezone.now()),
        evidence={"reply": "STOP"} if source == "reply" else {"page": "landing"} if source == "landing" else {},
    )


def _weighted(choices: Sequence[tuple[str, int]], *, rng: random.Random) -> str:
    return rng.choices([c for c, _ in choices], [n for _, n in choices])[0]


def _some_come_back(company: Company, *, rng: random.Random) -> None:
    gone = list(Contact.objects.of(company).opted_out().exclude(phone=None).order_by("pk")[:40])
    for contact in rng.sample(gone, k=min(4, len(gone))):
        consent.opt_in(
            company=company,
            address=Address("sms", contact.phone),
            source="landing",
            evidence={"method": "landing page", "text": f"Yes, send me marketing from {company.name} again."},
        )


def _some_wait_for_review(company: Company) -> None:
    """Replies that may be opt-outs: a person decides."""
    reached = Message.objects.of(company).filter(
        channel="sms", method="reply", status=Message.Status.DELIVERED, campaign__name="Black Week preview"
    )
    suppressed = _gone(company)
    answered = reached.exclude(digest__in=suppressed).order_by("pk")[: len(UNCERTAIN)]
    for message, text in zip(answered, UNCERTAIN, strict=False):
        replies.receive_simulated(company=company, from_=message.address, to=message.reply_code, text=text)


def _draft(company: Company, *, by: int) -> None:
    campaign = Campaign.objects.create(
        company=company,
        name="Black Friday reminder",
        sender="FjordFern",
        body="Hi {first_name|there}, last day: 40 % off until midnight. {opt_out}",
        created_by_id=by,
    )
    campaign.groups.set(Group.objects.of(company).filter(name="Customers"))


def _rival(people: list[Contact]) -> None:
    """Another company that knows some of the same people; what they tell one does not concern the other."""
    made = set_up_company(name=RIVAL, owner=RIVALS_OWNER, password=PASSWORD, country="ZA", language="en")
    company = made.company
    _member(OWNER, company=company, role=Member.Role.MARKETER)
    key = digest_key()
    with company_scope(company):
        copies = [
            Contact(
                company=company,
                phone=person.phone,
                phone_digest=Address("sms", person.phone).digest(key),
                landline=person.landline,
                first_name=person.first_name,
                last_name=person.last_name,
                country=person.country,
            )
            for person in people[:OVERLAP]
        ]
        Contact.objects.bulk_create(copies)
        group = Group.objects.create(company=company, name="Hikers")
        GroupContact.objects.bulk_create(GroupContact(company=company, group=group, contact=c) for c in copies)
        campaign = Campaign.objects.create(company=company, name="Trail season", body="New trail shoes are in.")
        campaign.groups.set([group])
        campaign.launch()
        audience.build(campaign)
        while dispatch.run(category="marketing"):
            pass
        dispatch.finish()
        _move_back(campaign, at=timezone.now() - timedelta(days=7))
