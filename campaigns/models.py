"""What, and when: a campaign and its states."""

from __future__ import annotations

from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.scoping import CompanyModel, ScopedManager, company_scope
from messaging.models import Batch, Message, Tally
from messaging.models.message import Channel


class WrongState(Exception):
    """The campaign's state does not allow this."""


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def launched(self) -> CampaignQuerySet:
        return self.exclude(launched_at=None)

    def to_build(self) -> CampaignQuerySet:
        """Sending, but its messages are not there yet."""
        return self.filter(status=Campaign.Status.SENDING, built_at=None)


class CampaignManager(ScopedManager.from_queryset(CampaignQuerySet)):  # type: ignore[misc]
    pass


class Campaign(CompanyModel):
    """One marketing message to an audience, over one channel."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SCHEDULED = "scheduled", _("Scheduled")
        SENDING = "sending", _("Sending")
        PAUSED = "paused", _("Paused")
        SENT = "sent", _("Sent")
        CANCELLED = "cancelled", _("Cancelled")

    name = models.CharField(_("name"), max_length=200)
    channel = models.CharField(_("channel"), max_length=5, choices=Channel.choices, default=Channel.SMS)
    sender = models.CharField(_("sender"), max_length=100, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"), max_length=4000)
    opt_out_text = models.CharField(_("opt-out line"), max_length=160, blank=True)
    groups = models.ManyToManyField("addressbook.Group", related_name="campaigns")
    exclude_groups = models.ManyToManyField("addressbook.Group", related_name="+", blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    scheduled_at = models.DateTimeField(_("send at"), null=True, blank=True)
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    launched_at = models.DateTimeField(null=True)
    built_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # Fixed when the audience is built; what happens to each message afterwards is in the tally.
    audience = models.IntegerField(default=0)
    left_out_suppressed = models.IntegerField(default=0)
    left_out_no_way = models.IntegerField(default=0, help_text=_("No lawful way out with this sender."))

    objects = CampaignManager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["company", "id"], name="campaign_of_company"),
            models.CheckConstraint(
                condition=~Q(status="scheduled") | Q(scheduled_at__isnull=False), name="scheduled_has_a_time"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "scheduled", "cancelled"]) | Q(launched_at__isnull=False),
                name="sending_was_launched",
            ),
        ]
        indexes = [
            models.Index(
                "status", "scheduled_at", condition=Q(status__in=["scheduled", "sending"]), name="campaign_active"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("campaigns:campaign", args=[self.pk])

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT

    def _move(self, *, to: str, allowed: tuple[str, ...], **fields: object) -> bool:
        """One guarded statement: False when somebody else was faster, raises WrongState when it may not be."""
        moved = (
            type(self).objects.of(self.company_id).filter(pk=self.pk, status__in=allowed).update(status=to, **fields)
        )
        self.refresh_from_db()
        if not moved and self.status != to:
            raise WrongState(
                _("A campaign that is “%(status)s” cannot do that.") % {"status": self.get_status_display()}
            )
        return bool(moved)

    def launch(self) -> bool:
        """Now, or at `scheduled_at` when that is ahead. Launching twice is not an error and sends once."""
        now = timezone.now()
        if self.status in {self.Status.SENDING, self.Status.SENT, self.Status.PAUSED}:
            return False
        if self.scheduled_at and self.scheduled_at > now:
            return self._move(to=self.Status.SCHEDULED, allowed=(self.Status.DRAFT,))
        try:
            return self._move(
                to=self.Status.SENDING, allowed=(self.Status.DRAFT, self.Status.SCHEDULED), launched_at=now
            )
        except WrongState:
            if self.status in {self.Status.SENT, self.Status.PAUSED}:  # the other launch is already further
                return False
            raise

    def pause(self) -> bool:
        with transaction.atomic():
            moved = self._move(to=self.Status.PAUSED, allowed=(self.Status.SENDING,))
            if moved:  # else somebody else's batches, who may be resuming by now
                self.batches().filter(status=Batch.Status.QUEUED).update(status=Batch.Status.HELD)
        return moved

    def resume(self) -> bool:
        with transaction.atomic():
            moved = self._move(to=self.Status.SENDING, allowed=(self.Status.PAUSED,))
            if moved:
                self.batches().filter(status=Batch.Status.HELD).update(status=Batch.Status.QUEUED)
        return moved

    def cancel(self) -> bool:
        """What has not been handed over never will be."""
        allowed = (self.Status.DRAFT, self.Status.SCHEDULED, self.Status.SENDING, self.Status.PAUSED)
        with transaction.atomic():
            moved = self._move(to=self.Status.CANCELLED, allowed=allowed, finished_at=timezone.now())
            waiting = self.batches().filter(status__in=[Batch.Status.QUEUED, Batch.Status.HELD])
            ids = list(waiting.select_for_update().values_list("pk", flat=True))
            Message.objects.of(self.company_id).filter(
                batch_id__in=ids, status__in=[Message.Status.QUEUED, Message.Status.DEFERRED]
            ).update(status=Message.Status.CANCELLED)
            Batch.objects.of(self.company_id).filter(pk__in=ids).update(status=Batch.Status.DONE)
        return moved

    def duplicate(self, *, by: User) -> Campaign:
        """The same text and audience as a new draft."""
        with transaction.atomic(), company_scope(self.company_id):  # the groups are of this company only
            return self._copy(by=by)

    def _copy(self, *, by: User) -> Campaign:
        copy = Campaign.objects.create(
            company=self.company,
            name=_("%(name)s (copy)") % {"name": self.name[:190]},
            channel=self.channel,
            sender=self.sender,
            subject=self.subject,
            body=self.body,
            opt_out_text=self.opt_out_text,
            created_by=by,
        )
        copy.groups.set(self.groups.all())
        copy.exclude_groups.set(self.exclude_groups.all())
        return copy

    def batches(self) -> models.QuerySet[Batch]:
        return Batch.objects.of(self.company_id).filter(campaign_id=self.pk)

    def counts(self) -> dict[str, int]:
        """By status; together they are the audience. What is being handed over counts as queued."""
        tally = Tally.of(self.pk)
        counts = {status: tally.get(status, 0) for status in Message.Status.values}
        counts["suppressed"] += self.left_out_suppressed
        counts["failed"] += self.left_out_no_way
        return {"audience": self.audience, **counts}
