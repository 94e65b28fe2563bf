"""Whom a campaign is meant for, and what keeps somebody in its groups from getting it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from addressbook.models import Pause
from campaigns.left_out import REASONS
from campaigns.models import Campaign
from lib import sql

STATEMENTS = sql.named(Path(__file__).parent / "sql" / "audience.sql")


@dataclass(frozen=True)
class Choice:
    """What of a campaign stands in tables of its own; of a form's, before it is saved."""

    groups: list[int] = field(default_factory=list)
    exclude: list[int] = field(default_factory=list)
    #: Who has had one of these campaigns is left out.
    received: list[int] = field(default_factory=list)
    #: Country → sender.
    senders: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, campaign: Campaign) -> Choice:
        chosen = {
            name: list(relation.through.objects.filter(**{own: campaign}).values_list(other, flat=True))
            for name, relation, own, other in (
                ("groups", Campaign.groups, "campaign", "group_id"),
                ("exclude", Campaign.exclude_groups, "campaign", "group_id"),
                ("received", Campaign.exclude_campaigns, "from_campaign", "to_campaign_id"),
            )
        }
        return cls(**chosen, senders=campaign.senders())


def looks_back(campaign: Campaign, choice: Choice) -> bool:
    """Whether earlier messages decide who gets this one."""
    return bool(choice.received or campaign.not_messaged_days or campaign.company.frequency_cap)


def conditions(campaign: Campaign, choice: Choice) -> dict[str, Any]:
    """`why`, an expression of SQL for the reason (empty: none), and its arguments. What is not wanted costs nothing."""
    company = campaign.company
    tests = {
        "no_address": "c.{digest} IS NULL",
        "suppressed": "s.id IS NOT NULL",
        "no_way": "coalesce(d.method, %(method)s) = ''",
    }
    arguments: dict[str, Any] = {}
    if Pause.objects.of(company).running().exists():
        tests["paused"] = STATEMENTS["paused"]
    if campaign.channel == "sms":
        tests["landline"] = "c.landline"
    if choice.received:
        tests["received"] = STATEMENTS["received"]
        arguments["received"] = choice.received
    for name, most, days in (
        ("lately", 1, campaign.not_messaged_days),
        ("capped", company.frequency_cap, company.frequency_days),
    ):
        if most and days:
            since = timezone.now() - timedelta(days=days)
            tests[name] = STATEMENTS["often"].replace("{name}", name)
            arguments[f"{name}_most"], arguments[f"{name}_since"] = most, since
            arguments[f"{name}_campaigns"] = _with_messages(campaign, since=since)
    whens = " ".join(f"WHEN {tests[reason]} THEN '{reason}'" for reason in REASONS if reason in tests)
    return {**arguments, "why": f"CASE {whens} ELSE '' END"}


def _with_messages(campaign: Campaign, *, since: Any) -> list[int]:
    with connection.cursor() as cursor:
        values = {"company": campaign.company_id, "campaign": campaign.pk, "since": since}
        cursor.execute(STATEMENTS["recent"], values)
        return [pk for (pk,) in cursor.fetchall()]
