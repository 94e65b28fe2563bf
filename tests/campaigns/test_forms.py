"""What a marketer may enter, and how a mistake is named."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.forms import CampaignForm
from campaigns.models import Campaign
from messaging.models import Sender
from tests import make


def form(world, instance=None, **changes):
    data = {"name": "Sale", "channel": "sms", "groups": [world.customers.pk], "body": "Sale today", **changes}
    return CampaignForm(data, instance=instance or Campaign(company=world.acme), company=world.acme)


@pytest.mark.parametrize(
    "body",
    ["Sale", "Hi {first_name|there}", "{opt_out} first", "{attr.city|town}", "100 % {off", "a } b", "{}", "{1}"],
)
def test_a_good_text_is_taken(world, body):
    assert form(world, body=body).is_valid()


@pytest.mark.parametrize("field", ["frist_name", "link", "code", "attr.", "FIRST_NAME"])
def test_an_unknown_merge_field_is_named(world, field):
    wrong = form(world, body=f"Hi {{{field}}}")
    assert f"{{{field}}} is not a field" in wrong.errors["body"][0]
    assert "{first_name}" in wrong.errors["body"][0]  # and the remedy


def test_an_empty_text_is_refused(world):
    assert form(world, body="  ").errors["body"] == ["Write the text of the message."]


@pytest.mark.parametrize("line", ["Stop: {link}", "Text {keyword} to {code}", "{company}: {link}"])
def test_an_opt_out_line_with_what_its_method_needs_is_taken(world, line):
    assert form(world, opt_out_text=line).is_valid()


@pytest.mark.parametrize(
    "line",
    [
        "Stop if you can",
        "Text {keyword}",
        "{company}",
        "{link} or {code}",
        "{lnk}",
        "{first_name} {link}",
        "x\x00{link}",
    ],
)
def test_an_opt_out_line_without_a_way_out_is_refused(world, line):
    assert form(world, opt_out_text=line).errors["opt_out_text"]


def test_the_missing_placeholder_is_named(world):
    (said,) = form(world, opt_out_text="Stop if you can").errors["opt_out_text"]
    assert "{link}" in said
    assert "{code}" in said


def test_a_time_that_has_passed_is_refused(world):
    passed = (timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert "passed" in form(world, scheduled_at=passed).errors["scheduled_at"][0]


def test_an_email_needs_a_subject_and_no_sms_sender(world):
    Sender.objects.create(company=world.acme, value="Acme", kind="alphanumeric")
    assert "subject" in form(world, channel="email", sender="Acme").errors
    good = form(world, channel="email", sender="Acme", subject="Sale")
    assert good.is_valid()
    assert good.instance.sender == ""


def test_an_sms_has_no_subject(world):
    good = form(world, subject="left from before")
    assert good.is_valid()
    assert good.instance.subject == ""


def test_only_own_and_shared_senders_are_offered(world):
    Sender.objects.create(company=world.acme, value="Acme", kind="alphanumeric")
    Sender.objects.create(company=None, value="3010", kind="short_code", country="NL")
    Sender.objects.create(company=world.rival, value="Rival", kind="alphanumeric")
    offered = {value: str(label) for value, label in form(world).fields["sender"].choices}
    assert set(offered) == {"", "Acme", "3010"}
    assert "link" in offered["Acme"]
    assert "takes replies" in offered["3010"]
    assert form(world, sender="Rival").errors["sender"]


def test_a_sender_that_came_by_the_api_is_not_lost(world):
    draft = make.campaign(world.acme, world.customers, sender="FromApi")
    again = form(world, instance=draft, sender="FromApi")
    assert again.is_valid()
    assert again.instance.sender == "FromApi"


def test_groups_of_another_company_are_not_offered(world):
    assert list(form(world).fields["groups"].queryset) == [world.customers]
    assert form(world, groups=[world.rivals_customers.pk]).errors["groups"]
    assert form(world, exclude_groups=[world.rivals_customers.pk]).errors["exclude_groups"]
