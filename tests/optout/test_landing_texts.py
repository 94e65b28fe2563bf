"""What the pages say: complete in every language, safe for whatever a company writes, and small."""

from __future__ import annotations

import re
import tomllib

import pytest
from django.conf import settings
from django.test.utils import override_settings

from accounts.models import Company
from messaging.segments import measure
from optout import destinations, lines, reasons
from optout.landing import languages, link, pages, texts
from optout.models import Reason
from tests.optout import links
from tests.world import PHONE

ALL = list(texts.languages())
LOOK = {
    "en": ("Stop marketing from Acme", "Your phone number", "You will get no more marketing from Acme."),
    "de": ("Keine Werbung mehr von Acme", "Ihre Telefonnummer", "Sie erhalten keine Werbung mehr von Acme."),
    "fr": ("Ne plus recevoir de publicité de Acme", "Votre numéro", "Vous ne recevrez plus de publicité de Acme."),
    "nl": ("Geen reclame meer van Acme", "Uw telefoonnummer", "U krijgt geen reclame meer van Acme."),
}


def brand(name: str = "Acme", **fields: str) -> link.Brand:
    return link.Brand(**dict.fromkeys(link.Brand._fields, "") | {"company_id": 0, "name": name} | fields)


def render(template: str, *, language: str, name: str = "Acme") -> pages.Page:
    """A page with everything on it that it may have."""
    facts = {
        "form": {"channel": "sms", "choose_again": True},
        "fewer": {"date": "2030-01-24", "left": ((1, "News"),)},
        "out": {"ask_reason": True, "consent_text": "Yes"},
        "confirm": {"consent_text": "Yes"},
    }.get(template, {})
    offering = brand(name, offers_pause=True, topics='[[1, "News", {}], [2, "Offers", {}]]')
    return pages.render(template, state="form", language=language, brand=offering, **facts)


@pytest.fixture
def page(db, client, world, settings):
    settings.ROOT_URLCONF = "config.short_urls"

    def opened(**company: str) -> str:
        Company.objects.filter(pk=world.acme.pk).update(**company)
        return client.get(links.path(links.message(world.acme, PHONE))).content.decode()

    return opened


@pytest.mark.parametrize("language", ALL)
def test_every_language_says_everything(language):
    english, theirs = texts._read()["en"], texts._read()[language]

    assert theirs.keys() == english.keys()
    assert theirs["reasons"].keys() == dict(reasons.DEFAULTS).keys()
    for name in english.keys() - {"reasons"}:
        assert theirs[name].strip()
        assert set(re.findall(r"\{.*?\}", theirs[name])) == set(re.findall(r"\{.*?\}", english[name])), name


def test_the_official_languages_of_the_union_are_there_and_some_more():
    union = "bg hr cs da nl en et fi fr de el hu ga it lv lt mt pl pt ro sk sl es sv"

    assert set(ALL) == {*union.split(), *["af", "zu", "nb", "is", "tr", "uk", "ar", "he"]}


@pytest.mark.parametrize("language", ALL)
@pytest.mark.parametrize("name", ["pin_message", "confirm_message"])
def test_what_is_sent_by_sms_is_one_short_message(language, name):
    """In the cheap alphabet, where the language can be written in it."""
    values = {"company": "Acme", "code": "123456", "keyword": "", "link": f"https://no-s.ms/i/{'A' * 33}"}
    size = measure(lines.fill(texts.template(name, language=language), **values))

    assert size.segments <= (2 if size.encoding == "UCS-2" else 1)
    assert size.encoding == "GSM-7" or language in ["cs", "sk", "lv", "hu", "ga", "is", "el", "bg", "uk", "he", "ar"]


@pytest.mark.parametrize("language", ALL)
def test_every_language_has_an_opt_out_line_for_every_method(language):
    ours = tomllib.loads((destinations.DATA / "texts.toml").read_text("utf-8"))[language]

    assert ours.keys() == {"reply", "link", "email"}
    for method, line in ours.items():
        lines.check(line, method=method)
        assert len(line) < 50
        assert method == "email" or measure(line).encoding == "GSM-7" or language in {"ar", "he"}


@pytest.mark.parametrize("language", LOOK)
def test_the_words_are_those_of_the_look(language):
    said = [texts.text(name, language=language, company="Acme") for name in ("heading", "label", "done")]

    assert all(a.startswith(b) for a, b in zip(said, LOOK[language], strict=True))


def test_the_english_reasons_are_the_ones_a_company_starts_with():
    assert texts._read()["en"]["reasons"] == dict(reasons.DEFAULTS)


def test_templates_name_only_texts_that_there_are():
    known = texts._read()["en"].keys() | set(pages.OWN_TEXTS.values())

    for template in (settings.BASE_DIR / "templates" / "landing").glob("*.html"):
        for name in re.findall(r"\bt\.([a-z_]+)", template.read_text("utf-8")):
            assert name in known, (template.name, name)


@pytest.mark.parametrize("language", ALL)
@pytest.mark.parametrize("template", list(pages.TITLES))
def test_every_page_is_small_and_loads_nothing(db, language, template):
    body = render(template, language=language, name="Acme" * 25).body

    assert len(body) < 14_000
    assert not re.search(rb"<script|<img|<link|<iframe|\sstyle=|\son[a-z]+=|\ssrc=|url\(|@import", body)
    assert b"{{" not in body
    assert b"{%" not in body


def test_what_a_company_writes_is_only_ever_text(page):
    evil = "<script>alert(1)</script>{company}{{ 7*7 }}'\"&"

    said = page(name=evil, contact_details=evil, brand_color="#fff;x")

    assert "<script" not in said
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{company}{{" in said.replace("\u00a0", " ")


def test_a_companys_own_reasons_stay_as_it_wrote_them(page, client, world):
    Reason.objects.create(company=world.acme, code="too_many", text="Too many messages", position=0)
    Reason.objects.create(company=world.acme, code="shop", text="I moved <away>", position=1)
    reasons.offered(world.acme.pk, fresh=True)

    said = page(language="nl")

    assert "Te veel berichten" in said
    assert "I moved &lt;away&gt;" in said
    assert said.count('name="reason"') == 2


@pytest.mark.parametrize("language", ["ar", "he"])
def test_some_languages_run_from_right_to_left_and_their_numbers_do_not(db, language):
    said = pages.render("form", state="form", language=language, brand=brand(), channel="sms").body.decode()

    assert f'<html lang="{language}" dir="rtl">' in said
    assert re.search(r'<input[^>]*name="phone"[^>]*dir="ltr"', said)
    assert "<bdi>Acme</bdi>" in said


@pytest.mark.parametrize(
    ("asked", "header", "contact", "country", "expected"),
    [
        ("", "pt-BR", "", "NL", "pt"),
        ("", "ar-EG,ar;q=0.9", "nl", "NL", "ar"),
        ("", "", "", "ZA", "en"),
        ("", "", "", "MA", "ar"),
        ("", "", "", "BR", "pt"),
        ("", "", "", "NO", "nb"),
        ("", "no,en;q=0.5", "", "", "nb"),
        ("", "nn-NO", "", "", "nb"),
        ("", "iw", "", "", "he"),
        ("", "", "", "MT", "en"),
        ("", "mt", "", "MT", "mt"),
        ("", "", "", "UA", "uk"),
        ("", "*", "de-CH", "NL", "de"),
        ("", "zh", "ja", "JP", "en"),
        ("<b>", "\x00;q=x", "", "", "en"),
        ("", "de;q=" + "9" * 5000, "", "", "en"),
    ],
)
def test_the_language_is_the_nearest_that_we_speak(db, asked, header, contact, country, expected):
    assert languages.choose(asked=asked, header=header, contact=contact, country=country) == expected


def test_who_says_nothing_of_a_language_reads_the_companys(db):
    assert languages.choose(company="nl") == "nl"
    assert languages.choose(country="DE", company="nl") == "de"
    assert languages.choose(company="zh") == "en"


def test_an_edit_of_the_company_shows_at_once(page):
    assert "Acme" in page(name="Acme")

    assert "Nova" in page(name="Nova")


def test_kept_pages_are_bounded(db, monkeypatch):
    monkeypatch.setattr(pages, "MOST_KEPT", 3)
    monkeypatch.setattr(pages, "_kept", {})

    for n in range(9):
        pages.page("form", state="form", language="en", brand=brand(f"Company {n}"), channel="sms")

    assert len(pages._kept) <= 3


def test_what_was_said_is_kept_as_plain_words(db):
    with override_settings(SHORT_URL="https://no-s.ms"):
        said = pages.page("form", state="form", language="en", brand=brand("Fjord & Fern"), channel="sms").said

    assert said == (
        "Stop marketing from Fjord & Fern / Enter the phone number that received the message. "
        "It takes effect at once. / Stop these messages"
    )
