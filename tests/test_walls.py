"""Promise 4, generically: every model and every address of the project, so that a new one cannot be forgotten.

Rival has a row with the id FOREIGN in every table, and its name in every text; Acme has one with the id OWN.
Whatever Acme opens or sends, it finds nothing of Rival's and changes nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts.models import Company, Member
from accounts.scoping import CompanyModel, company_scope
from addressbook import consent, preferences
from addressbook.models import Contact
from api.models import SCOPES, ApiKey
from campaigns import audience, dispatch
from campaigns.models import Campaign
from messaging.addresses import Address
from messaging.models import Sender
from tests import make
from tests.world import CANARY, PHONE

pytestmark = pytest.mark.django_db
OWN, FOREIGN = 101, 1_000_001
PROJECT = {"accounts", "addressbook", "api", "campaigns", "config", "messaging", "optout", "webhooks"}

#: Models that belong to no single company, each with its reason.
WITHOUT_COMPANY = {
    "accounts.User": "a person may be a member of several companies",
    "accounts.Company": "it is the company",
    "accounts.Member": "asked for before the company is known, at log-in",
    "accounts.Bucket": "limits, before anybody is known",
    "config.CheckValue": "about the server's secrets",
    "messaging.Sender": "may be shared by all; asked for by usable_by",
    "messaging.Tally": "numbers only, reached through a campaign",
    "optout.DestinationRule": "the law of a country",
    "optout.OptOutText": "may be the platform's; asked for by company",
}
#: Addresses that anybody may open.
PUBLIC = {
    "healthz",
    "readyz",
    "login",
    "password-reset",
    "password-reset-sent",
    "password-reset-complete",
    "password-reset-confirm",
    "docs",
    "openapi-json",
    "problem",
}
#: Addresses with parts other than numbers: none of them names a row of a company.
OTHER_PARTS = {
    "password-reset-confirm": "a user's id and a signed token",
    "problem": "an error's documentation",
    "inbound": "a gateway's unguessable id; the body is signed",
    "status": "a gateway's unguessable id; the body is signed",
    "": "whatever else is asked of the API",
}


# The cast


@dataclass
class Cast:
    acme: Company
    rival: Company
    client: Client
    key: str


@pytest.fixture
def cast(db, settings) -> Cast:
    settings.ALLOWED_HOSTS = ["*"]
    settings.APP_URL, settings.SHORT_URL = "http://testserver", "http://short.test"
    number_from(OWN)
    acme = furnish(Company.objects.create(name="Acme", slug="acme", country="NL"), "acme words")
    number_from(FOREIGN)
    rival = furnish(Company.objects.create(name="Rival", slug="rival", country="NL"), CANARY)
    client = Client(raise_request_exception=True)
    client.force_login(Member.objects.get(company=acme, role="owner").user)
    _key, text = ApiKey.issue(company=acme, name="all", scopes=list(SCOPES))
    return Cast(acme, rival, client, text)


def project_models() -> list[type[models.Model]]:
    return [m for m in apps.get_models() if m._meta.app_label in PROJECT]


def scoped_models() -> list[type[CompanyModel]]:
    return [m for m in project_models() if issubclass(m, CompanyModel)]


def number_from(first: int) -> None:
    """The next row of every table gets this id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname, sequencename FROM pg_sequences WHERE sequencename !~ '^(procrastinate|django)'"
        )
        for schema, name in cursor.fetchall():
            cursor.execute("SELECT setval(%s, %s, false)", [f'{schema}."{name}"', first])


def furnish(company: Company, words: str) -> Company:
    """A row in every table: by the real ways where the database insists, else field by field."""
    make.Gateway.objects.create(company=company, kind="simulator", is_default=True, name=words)
    make.member(company, "owner")
    make.member(company, "viewer")
    Sender.objects.create(company=company, value=words[:11], kind="alphanumeric")
    group = make.group(company, words)
    contact = make.contact(company, PHONE, f"{words.replace(' ', '.')}@example.org", group=group, first_name=words)
    campaign = make.campaign(company, group, name=words, body=words)
    campaign.launch()
    audience.build(campaign)
    with company_scope(company):
        dispatch.run(category="marketing")
    consent.opt_out(
        company=company,
        address=Address("sms", contact.phone),
        source="api",
        comment=words,
        campaign_id=campaign.pk,
        campaign_name=words,
    )
    someone = preferences.Act(company=company, address=Address("sms", "+31687654321"), source="landing", comment=words)
    preferences.pause(someone, days=30)
    preferences.leave(someone, topics=[group])
    for model in scoped_models():
        if not model.objects.of(company).exists():
            fill(model, company, words)
    return company


def fill(model: type[models.Model], company: Company, words: str) -> models.Model:
    values: dict[str, Any] = {"company": company}
    for field in model._meta.concrete_fields:
        if field.name in values or field.has_default() or field.null or isinstance(field, models.AutoField):
            continue
        if field.choices:
            values[field.name] = field.flatchoices[0][0]
        elif isinstance(field, models.ForeignKey):
            values[field.name] = of_company(field.related_model, company, words)
        elif isinstance(field, models.DateTimeField):
            values[field.name] = timezone.now()
        elif isinstance(field, models.BinaryField):
            values[field.name] = words.encode().ljust(32, b".")[:32]
        elif isinstance(field, (models.IntegerField, models.FloatField)):
            values[field.name] = 1
        elif isinstance(field, models.JSONField):
            values[field.name] = [words]
        elif field.__class__.__name__ == "ArrayField":
            values[field.name] = []
        elif isinstance(field, models.URLField):
            values[field.name] = f"https://{words.replace(' ', '-')}.example"
        else:
            values[field.name] = words[: field.max_length] if field.max_length else words
    return model.objects.create(**values)


def of_company(model: type[models.Model], company: Company, words: str) -> models.Model:
    if issubclass(model, CompanyModel):
        return model.objects.of(company).first() or fill(model, company, words)
    if model._meta.label == "accounts.User":
        return Member.objects.filter(company=company).first().user
    raise AssertionError(f"tests/test_walls.py does not know how to make a {model._meta.label}; teach `of_company`")


# Models


def test_every_model_belongs_to_a_company_or_says_why_not():
    others = {m._meta.label for m in project_models() if not issubclass(m, CompanyModel)}

    assert others == set(WITHOUT_COMPANY)


def test_rows_show_in_their_company_only(cast):
    for model in scoped_models():
        with company_scope(None):
            assert list(model.objects.all()) == [], model
        for company in (cast.acme, cast.rival):
            with company_scope(company):
                assert {row.company_id for row in model.objects.all()} == {company.pk}, model
            assert {row.company_id for row in model.objects.of(company)} == {company.pk}, model


def test_every_table_has_a_foreign_row_for_these_tests(cast):
    """Else the walks below would find nothing because nothing is there."""
    for model in scoped_models():
        assert model.objects.of(cast.rival).filter(pk__gte=FOREIGN).exists(), model


def test_no_default_manager_is_a_way_around(cast):
    for model in scoped_models():
        assert list(model._default_manager.all()) == [], model._meta.label


# Addresses


@dataclass(frozen=True)
class Route:
    text: str
    name: str

    @property
    def parts(self) -> dict[str, str]:
        """Name → kind; a regular expression is a kind of its own."""
        plain = {
            name: kind or "str" for kind, name in re.findall(r"<(?:(\w+):)?(\w+)>", self.text.replace("(?P<", "(?P:"))
        }
        return plain | dict.fromkeys(re.findall(r"\(\?P<(\w+)>", self.text), "expression")

    def path(self, number: int) -> str:
        """With this number in every place."""
        if "expression" in self.parts.values():
            return "/" + re.sub(r"\^?\(\?P<.*", "x", self.text)
        return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda m: str(number) if m[1] == "int" else "x", self.text)

    @property
    def is_api(self) -> bool:
        return self.text.startswith("api/")

    @property
    def names_rows(self) -> bool:
        return "int" in self.parts.values()


def walk(resolver: URLResolver, prefix: str = "") -> Iterator[Route]:
    for entry in resolver.url_patterns:
        text = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield Route(text, entry.name or "")
        elif not text.startswith("admin/"):  # administrators see every company; tests/test_admin.py
            yield from walk(entry, text)


ROUTES = list({route.text: route for route in walk(get_resolver("config.urls"))}.values())
NUMBERED = [route for route in ROUTES if route.names_rows]
PAGES = [route for route in ROUTES if not route.is_api]


def test_every_other_part_of_an_address_is_known_to_name_no_row():
    other = [route for route in ROUTES if set(route.parts.values()) - {"int"}]
    unknown = [route.text for route in other if route.name not in OTHER_PARTS]

    assert unknown == [], "a new kind of address: say in OTHER_PARTS why it names no row of a company, or test it"


def test_without_a_login_there_is_nothing(cast):
    before = snapshot(cast.rival)
    for route in ROUTES:
        for method in ("get", "post"):
            answer = getattr(Client(), method)(route.path(FOREIGN))

            if route.name not in PUBLIC:
                assert answer.status_code in {302, 401, 403, 404, 405}, route
                assert answer.status_code != 302 or answer["Location"].startswith("/login"), route
            assert CANARY not in content(answer), route
    assert snapshot(cast.rival) == before


def test_what_is_rival_s_is_not_there_for_acme(cast):
    before = snapshot(cast.rival)
    for route in NUMBERED:
        methods = ("get", "post", "patch", "delete") if route.is_api else ("get", "post")
        answers = [ask(cast, method, route.path(FOREIGN)) for method in methods]

        statuses = {answer.status_code for answer in answers}
        assert 404 in statuses, route
        assert statuses <= {404, 405}, route
        assert not any(CANARY in content(answer) for answer in answers), route
    assert snapshot(cast.rival) == before


def test_no_page_of_acme_s_says_anything_of_rival(cast):
    for route in ROUTES:
        queries = ("",) if route.is_api else ("", f"?page=2&group={FOREIGN}&campaign={FOREIGN}&pk={FOREIGN}")
        for query in queries:
            answer = ask(cast, "get", route.path(OWN) + query)

            assert answer.status_code < 500, (route, query)
            assert CANARY not in content(answer), (route, query)


def test_no_form_of_acme_s_reaches_rival_s_rows(cast):
    before = snapshot(cast.rival)
    names = "pk id ids group groups exclude_groups contact contacts member campaign sender company import_run reply to"
    fields = {**dict.fromkeys(names.split(), str(FOREIGN)), "name": "x", "body": "x", "channel": "sms", "phone": PHONE}
    for route in PAGES:
        if route.name == "logout":
            continue
        with undone():
            answer = cast.client.post(route.path(OWN), fields)

            assert answer.status_code < 500, route
            assert snapshot(cast.rival) == before, route
            for through in (Campaign.groups.through, Campaign.exclude_groups.through):
                crossing = through.objects.filter(campaign__company=cast.acme, group_id__gte=FOREIGN)
                assert not crossing.exists(), route


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside leaves no trace for the next address."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_acme_s_own_rows_open(cast):
    """The walks above would prove nothing if every number led nowhere."""
    found = {route.text: ask(cast, "get", route.path(OWN)).status_code for route in NUMBERED}

    opened = [text for text, status in found.items() if status in {200, 302}]
    missing = [text for text, status in found.items() if status == 404]
    assert len(opened) >= len(NUMBERED) / 4, found
    assert len(missing) <= len(NUMBERED) / 4, missing


def test_a_viewer_of_acme_changes_nothing_of_acme_s(cast):
    cast.client.force_login(Member.objects.get(company=cast.acme, role="viewer").user)
    before = snapshot(cast.acme)
    for route in PAGES:
        if route.name in PUBLIC | {"logout"}:
            continue
        answer = cast.client.post(
            route.path(OWN), {"name": "x", "text": "x", "email": "new@example.org", "role": "owner"}
        )
        assert answer.status_code in {200, 302, 403, 404, 405, 422}, route.text
    assert snapshot(cast.acme) == before


def test_a_company_of_which_one_is_no_member_cannot_be_switched_to(cast):
    answer = cast.client.post("/company", {"company": str(cast.rival.pk), "slug": "rival"})

    assert answer.status_code in {400, 403, 404, 422} or cast.client.session.get("company") != cast.rival.pk
    assert CANARY not in cast.client.get("/contacts/").content.decode()


def test_a_former_member_sees_nothing_any_more(cast):
    Member.objects.filter(company=cast.acme).delete()

    for route in PAGES:
        if route.name not in PUBLIC:
            assert cast.client.get(route.path(OWN)).status_code in {302, 403, 404, 405}, route.text


def test_rival_s_words_are_found_where_they_belong(cast):
    """The canary would be seen: Rival's owner sees it."""
    cast.client.force_login(Member.objects.get(company=cast.rival, role="owner").user)

    assert CANARY in cast.client.get("/contacts/").content.decode()
    assert Contact.objects.of(cast.rival).filter(pk=FOREIGN).exists()


def ask(cast: Cast, method: str, path: str):
    if not path.startswith("/api/"):
        return getattr(cast.client, method)(path)
    body = {"data": "{}", "content_type": "application/json"} if method in {"post", "patch"} else {}
    return getattr(Client(), method)(path, headers={"Authorization": f"Bearer {cast.key}"}, **body)


def content(answer) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode(errors="replace")


def snapshot(company: Company) -> dict[str, list[Any]]:
    """Every row of a company, in every table."""
    found = {m._meta.label: list(m.objects.of(company).order_by("pk").values_list()) for m in scoped_models()}
    found["members"] = list(Member.objects.filter(company=company).order_by("pk").values_list())
    found["senders"] = list(Sender.objects.filter(company=company).order_by("pk").values_list())
    found["company"] = list(Company.objects.filter(pk=company.pk).values_list())
    found["groups"] = list(
        Campaign.groups.through.objects.filter(campaign__company=company).order_by("pk").values_list()
    )
    return found
