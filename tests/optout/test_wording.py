"""Which line is used: the campaign's, else the company's, else the platform's; the recipient's language first."""

from __future__ import annotations

import pytest

from optout.models import OptOutText
from optout.wording import Wording

pytestmark = pytest.mark.django_db


def line(company, language="nl", method="link", channel="sms", override=""):
    return Wording(company=company, override=override).line(language=language, method=method, channel=channel)


def platform(language="nl", method="link"):
    return OptOutText.objects.get(company=None, language=language, method=method).text


def own(company, text, language="nl", method="link"):
    OptOutText.objects.create(company=company, language=language, method=method, text=text)


def test_the_platform_s_line_when_nobody_says_otherwise(world):
    assert line(world.acme) == platform()


def test_the_company_s_line_before_the_platform_s(world):
    own(world.acme, "Weg: {link}")

    assert line(world.acme) == "Weg: {link}"


def test_the_campaign_s_line_before_the_company_s(world):
    own(world.acme, "Weg: {link}")

    assert line(world.acme, override="Klaar: {link}") == "Klaar: {link}"


def test_a_campaign_s_line_for_links_leaves_replies_alone(world):
    assert line(world.acme, method="reply", override="Klaar: {link}") == platform(method="reply")


def test_another_company_s_line_is_not_ours(world):
    own(world.rival, "Weg: {link}")

    assert line(world.acme) == platform()


def test_the_recipient_s_language_before_the_company_s(world):
    world.acme.language = "de"

    assert line(world.acme, language="fr") == platform("fr")


def test_a_regional_language_falls_back_to_its_language(world):
    assert line(world.acme, language="nl-BE") == platform("nl")


def test_the_company_s_language_when_the_recipient_s_has_no_line(world):
    world.acme.language = "de"

    assert line(world.acme, language="tlh") == platform("de")


def test_english_when_neither_has_a_line(world):
    world.acme.language = "tlh"

    assert line(world.acme, language="tlh") == platform("en")


def test_with_no_lines_at_all_there_is_still_a_way_out(world):
    OptOutText.objects.all().delete()

    assert "{link}" in line(world.acme)
    assert "{code}" in line(world.acme, method="reply")


def test_an_email_has_lines_of_its_own(world):
    own(world.acme, "Mail: {link}", method="email")

    assert line(world.acme, channel="email") == "Mail: {link}"
    assert line(world.acme, channel="sms") == platform()


def test_a_recipient_s_language_counts_more_than_who_wrote_the_line(world):
    """A Dutch reader gets the platform's Dutch line rather than the company's English one."""
    own(world.acme, "Out: {link}", language="en")

    assert line(world.acme, language="nl") == platform("nl")
