"""Who did what to a campaign, and when. Append-only in the database itself (sql/actions.sql)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.scoping import CompanyModel

if TYPE_CHECKING:
    from campaigns.models import Campaign

LONGEST_WHO = 254


@dataclass(frozen=True, slots=True)
class Who:
    """A person, or a program by its key. Kept in words too, which outlive the account and the key."""

    words: str = ""
    user_id: int | None = None
    key_id: int | None = None

    @classmethod
    def person(cls, user: User) -> Who:
        return cls(words=str(user)[:LONGEST_WHO], user_id=user.pk)

    @classmethod
    def program(cls, *, key_id: int, name: str) -> Who:
        return cls(words=name[:LONGEST_WHO], key_id=key_id)


#: Stopgate itself, when a set time has come.
NOBODY = Who()


#: Fields of a campaign as they are called in its history.
FIELDS = {
    "name": _("name"),
    "channel": _("channel"),
    "sender": _("sender"),
    "subject": _("subject"),
    "preheader": _("preview line"),
    "body": _("text"),
    "opt_out_text": _("opt-out line"),
    "groups": _("audience"),
    "exclude_groups": _("who is left out"),
    "exclude_campaigns": _("campaigns that are left out"),
    "not_messaged_days": _("days without marketing"),
    "senders": _("senders in countries"),
    "scheduled_at": _("time"),
}


class Action(CompanyModel):
    """One thing that somebody did to a campaign. Outlives a deleted draft, so nothing here points with a constraint."""

    class Verb(models.TextChoices):
        CREATED = "created", _("created it")
        EDITED = "edited", _("changed it")
        TESTED = "tested", _("sent a test")
        SCHEDULED = "scheduled", _("scheduled it")
        LAUNCHED = "launched", _("launched it")
        PAUSED = "paused", _("paused it")
        RESUMED = "resumed", _("resumed it")
        CANCELLED = "cancelled", _("cancelled it")
        DUPLICATED = "duplicated", _("made a copy")
        ARCHIVED = "archived", _("archived it")
        RESTORED = "restored", _("took it out of the archive")
        DELETED = "deleted", _("deleted the draft")

    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="actions"
    )
    verb = models.CharField(max_length=10, choices=Verb.choices)
    who = models.CharField(max_length=LONGEST_WHO, blank=True)
    user_id = models.BigIntegerField(null=True)
    key_id = models.BigIntegerField(null=True)
    # Names of fields and numbers only: addresses and texts would outlive an erasure here.
    details = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        indexes = [models.Index(fields=["campaign", "id"], name="action_campaign")]

    def __str__(self) -> str:
        return f"{self.verb} {self.campaign_id}"

    @property
    def words(self) -> str:
        """What an edit changed, as the composer calls it."""
        return ", ".join(str(FIELDS[name]) for name in self.details.get("fields", ()) if name in FIELDS)

    @classmethod
    def record(cls, campaign: Campaign, verb: str, *, by: Who, **details: Any) -> Action:
        """In the transaction of what was done, so that neither is there without the other."""
        return cls.objects.create(
            company_id=campaign.company_id,
            campaign=campaign,
            verb=verb,
            who=by.words,
            user_id=by.user_id,
            key_id=by.key_id,
            details=details,
        )


def history(campaign: Campaign, *, most: int = 50) -> list[Action]:
    """Newest first."""
    rows = Action.objects.of(campaign.company_id).filter(campaign=campaign)
    return list(rows.order_by("-pk")[:most])


def last_change(campaign: Campaign) -> Action | None:
    verbs = [Action.Verb.CREATED, Action.Verb.EDITED]
    rows = Action.objects.of(campaign.company_id).filter(campaign=campaign, verb__in=verbs)
    return rows.order_by("-pk").first()
