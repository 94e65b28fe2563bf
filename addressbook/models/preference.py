"""Fewer messages instead of none: a pause, and topics that somebody has left."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel, ScopedManager
from addressbook.models.contact import Group


class PauseQuerySet(models.QuerySet["Pause"]):
    def running(self) -> PauseQuerySet:
        return self.filter(until__gt=Now())


class PauseManager(ScopedManager.from_queryset(PauseQuerySet)):  # type: ignore[misc]
    pass


class Pause(CompanyModel):
    """No marketing to this address until then. Follows from its line in the ledger (sql/preferences.sql).

    An opt-out takes its place and an opt-in ends it. The address stands in the line's evidence alone, so a pause
    outlives erasure as a suppression does.
    """

    channel = models.CharField(_("channel"), max_length=5)
    digest = models.BinaryField(max_length=32, editable=False)
    event_id = models.BigIntegerField(_("consent event"))
    until = models.DateTimeField(_("until"))

    objects = PauseManager()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        constraints = [models.UniqueConstraint(fields=["company", "channel", "digest"], name="one_pause")]
        indexes = [models.Index("company", "until", name="pause_until")]

    def __str__(self) -> str:
        return f"{self.channel} {self.pk}"


class TopicLeft(CompanyModel):
    """This address gets nothing more of a group; nobody puts it back but the person.

    The composite foreign key of sql/preferences.sql ties group and company together.
    """

    group = models.ForeignKey(
        Group, on_delete=models.DO_NOTHING, related_name="left", db_constraint=False, db_index=False
    )
    channel = models.CharField(_("channel"), max_length=5)
    digest = models.BinaryField(max_length=32, editable=False)
    event_id = models.BigIntegerField(_("consent event"))
    was_member = models.BooleanField(_("was in the group"), default=False)

    class Meta:
        verbose_name = _("topic that was left")
        verbose_name_plural = _("topics that were left")
        constraints = [models.UniqueConstraint(fields=["group", "channel", "digest"], name="topic_left_once")]
        indexes = [models.Index("company", "digest", name="topic_left_digest")]

    def __str__(self) -> str:
        return f"{self.group_id} {self.channel} {self.pk}"
