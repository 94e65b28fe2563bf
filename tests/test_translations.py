"""The catalogues of the app's pages (locale/): whole enough to be shown, and never a page that breaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings

ROOT = Path(__file__).parent.parent / "locale"
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|\{[^{}]*\}|</?strong>|https?://")


def catalogue(language: str) -> Catalog:
    with (ROOT / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def pairs(language: str):
    """Each original beside its translation; an empty one stays English."""
    for message in catalogue(language):
        if not message.id or not any([message.string] if isinstance(message.string, str) else message.string):
            continue
        plural = isinstance(message.id, (list, tuple))
        yield from zip(message.id, message.string, strict=True) if plural else [(message.id, message.string)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_translation_has_the_placeholders_of_its_original(language):
    wrong = [
        (original, text)
        for original, text in pairs(language)
        if sorted(PLACEHOLDER.findall(original)) != sorted(PLACEHOLDER.findall(text))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_is_uncertain_or_half_a_plural(language):
    for message in catalogue(language):
        if message.id:
            assert not message.fuzzy, message.id
            strings = [message.string] if isinstance(message.string, str) else list(message.string)
            assert all(strings) or not any(strings), message.id


def test_every_language_has_the_same_words():
    words = [{(str(m.id), m.context) for m in catalogue(language)} for language in LANGUAGES]
    assert all(other == words[0] for other in words)


@pytest.mark.parametrize(("language", "word"), [("de", "Kampagnen"), ("fr", "Campagnes"), ("nl", "Campagnes")])
@pytest.mark.django_db
def test_the_pages_speak_the_reader_s_language(world, client, language, word, tmp_path, settings):
    folder = tmp_path / language / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, catalogue(language))
    settings.LOCALE_PATHS = [tmp_path]
    client.force_login(world.marketer.user)
    for path in ("/", "/campaigns", "/campaigns/new", "/settings"):
        page = client.get(path, headers={"Accept-Language": language})
        assert page.status_code == 200
        assert word in page.content.decode()
