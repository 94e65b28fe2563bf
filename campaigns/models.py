"""What, and when: a campaign and its states."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, models, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel, ScopedManager, company_scope
from campaigns import left_out
from campaigns.audit import NOBODY, Action, Who, last_change
from campaigns.transactional import TransactionalTemplate as TransactionalTemplate
from messaging.models import Batch, Message, Tally
from messaging.models.message import BatchQuerySet, Channel


class WrongState(Exception):
    """The campaign's state does not allow this."""


class Changed(WrongState):
    """Somebody saved the draft after it was looked at."""

    def __init__(self, campaign: Campaign) -> None:
        change = last_change(campaign)
        self.who = change.who if change else ""
        who = self.who or _("Somebody")
        super().__init__(_("%(who)s changed this campaign meanwhile: look again.") % {"who": who})


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def in_use(self) -> CampaignQuerySet:
        return self.filter(archived_at=None)

    def archived(self) -> CampaignQuerySet:
        return self.exclude(archived_at=None)

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

    AT_REST = (Status.DRAFT, Status.SENT, Status.CANCELLED)

    name = models.CharField(_("name"), max_length=200)
    channel = models.CharField(_("channel"), max_length=5, choices=Channel.choices, default=Channel.SMS)
    sender = models.CharField(_("sender"), max_length=100, blank=True)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    preheader = models.CharField(_("preview line"), max_length=150, blank=True, default="", db_default="")
    body = models.TextField(_("text"), max_length=4000)
    opt_out_text = models.CharField(_("opt-out line"), max_length=160, blank=True)
    groups = models.ManyToManyField("addressbook.Group", related_name="campaigns")
    exclude_groups = models.ManyToManyField("addressbook.Group", related_name="+", blank=True)
    # Who has had one of these, or any marketing in so many days, is left out.
    exclude_campaigns = models.ManyToManyField("self", symmetrical=False, related_name="+", blank=True)
    not_messaged_days = models.PositiveSmallIntegerField(_("days without marketing"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    scheduled_at = models.DateTimeField(_("send at"), null=True, blank=True)
    created_by = models.ForeignKey("accounts.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    launched_at = models.DateTimeField(null=True)
    built_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    # Grows with each saved change, so that nobody launches or overwrites what they have not seen.
    version = models.PositiveIntegerField(default=1, db_default=1)
    # Fixed when the audience is built; what happens to each message afterwards is in the tally.
    audience = models.IntegerField(default=0)
    left_out_suppressed = models.IntegerField(default=0)
    left_out_no_way = models.IntegerField(default=0, help_text=_("No lawful way out with this sender."))
    # In the groups, but no part of the audience (campaigns/left_out.py).
    left_out_no_address = models.IntegerField(default=0, db_default=0)
    left_out_paused = models.IntegerField(default=0, db_default=0)
    left_out_landline = models.IntegerField(default=0, db_default=0)
    left_out_received = models.IntegerField(default=0, db_default=0)
    left_out_lately = models.IntegerField(default=0, db_default=0)
    left_out_capped = models.IntegerField(default=0, db_default=0)

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

    @property
    def is_under_way(self) -> bool:
        return self.status not in self.AT_REST

    @property
    def may_be_archived(self) -> bool:
        return self.status in self.AT_REST and self.archived_at is None

    def edited(self, *, by: Who, fields: list[str]) -> None:
        """To be called in the transaction of the change, with the draft locked."""
        rows = type(self).objects.of(self.company_id).filter(pk=self.pk)
        rows.update(version=F("version") + 1)
        self.refresh_from_db(fields=["version"])
        Action.record(self, Action.Verb.EDITED, by=by, fields=fields)

    def _move(
        self,
        verb: str,
        *,
        to: str,
        allowed: tuple[str, ...],
        by: Who,
        version: int | None = None,
        **fields: object,
    ) -> bool:
        """One guarded statement: False when somebody else was faster, raises WrongState when it may not be."""
        rows = type(self).objects.of(self.company_id).filter(pk=self.pk, status__in=allowed)
        if version is not None:
            rows = rows.filter(version=version)
        with transaction.atomic():
            moved = rows.update(status=to, **fields)
            if moved:
                Action.record(self, verb, by=by)
        self.refresh_from_db()
        if not moved and self.is_draft and version is not None and self.version != version:
            raise Changed(self)
        if not moved and self.status != to:
            raise WrongState(
                _("A campaign that is “%(status)s” cannot do that.") % {"status": self.get_status_display()}
            )
        return bool(moved)

    def launch(self, *, by: Who = NOBODY, version: int | None = None) -> bool:
        """Now, or at `scheduled_at` when that is ahead. Launching twice is not an error and sends once.

        With `version` only as it was when it was looked at; raises Changed.
        """
        now = timezone.now()
        if self.status in {self.Status.SENDING, self.Status.SENT, self.Status.PAUSED}:
            return False
        verbs, draft = Action.Verb, self.Status.DRAFT
        if self.scheduled_at and self.scheduled_at > now:
            return self._move(verbs.SCHEDULED, to=self.Status.SCHEDULED, allowed=(draft,), by=by, version=version)
        try:
            return self._move(
                verbs.LAUNCHED,
                to=self.Status.SENDING,
                allowed=(draft, self.Status.SCHEDULED),
                by=by,
                version=version,
                launched_at=now,
            )
        except WrongState:
            if self.status in {self.Status.SENT, self.Status.PAUSED}:  # the other launch is already further
                return False
            raise

    def pause(self, *, by: Who = NOBODY) -> bool:
        with transaction.atomic():
            moved = self._move(Action.Verb.PAUSED, to=self.Status.PAUSED, allowed=(self.Status.SENDING,), by=by)
            if moved:  # else somebody else's batches, who may be resuming by now
                self.batches().filter(status=Batch.Status.QUEUED).update(status=Batch.Status.HELD)
        return moved

    def resume(self, *, by: Who = NOBODY) -> bool:
        with transaction.atomic():
            moved = self._move(Action.Verb.RESUMED, to=self.Status.SENDING, allowed=(self.Status.PAUSED,), by=by)
            if moved:
                self.batches().filter(status=Batch.Status.HELD).update(status=Batch.Status.QUEUED)
        return moved

    def cancel(self, *, by: Who = NOBODY) -> bool:
        """What has not been handed over never will be."""
        allowed = (self.Status.DRAFT, self.Status.SCHEDULED, self.Status.SENDING, self.Status.PAUSED)
        with transaction.atomic():
            moved = self._move(
                Action.Verb.CANCELLED, to=self.Status.CANCELLED, allowed=allowed, by=by, finished_at=timezone.now()
            )
            waiting = self.batches().filter(status__in=[Batch.Status.QUEUED, Batch.Status.HELD])
            ids = list(waiting.select_for_update().values_list("pk", flat=True))
            with connection.cursor() as cursor:
                cursor.execute("SELECT campaign_cancel_v1(%s, %s)", [self.pk, ids])
            Batch.objects.of(self.company_id).filter(pk__in=ids).update(status=Batch.Status.DONE)
        return moved

    def archive(self, *, by: Who = NOBODY) -> bool:
        """Out of the list; nothing else changes. What is on its way cannot be hidden."""
        return self._shelve(Action.Verb.ARCHIVED, at=timezone.now(), by=by)

    def restore(self, *, by: Who = NOBODY) -> bool:
        return self._shelve(Action.Verb.RESTORED, at=None, by=by)

    def _shelve(self, verb: str, *, at: datetime | None, by: Who) -> bool:
        rows = type(self).objects.of(self.company_id).filter(pk=self.pk, archived_at__isnull=at is not None)
        with transaction.atomic():
            moved = rows.filter(status__in=self.AT_REST).update(archived_at=at)
            if moved:
                Action.record(self, verb, by=by)
        self.refresh_from_db()
        if not moved and self.status not in self.AT_REST:
            raise WrongState(_("Only a draft, or a campaign that is over, can be archived."))
        return bool(moved)

    def duplicate(self, *, by: Who) -> Campaign:
        """The same text and audience as a new draft."""
        with transaction.atomic(), company_scope(self.company_id):  # the groups are of this company only
            copy = self.copy(name=_("%(name)s (copy)") % {"name": self.name[:190]}, by=by)
            copy.groups.set(self.groups.all())
            copy.exclude_groups.set(self.exclude_groups.all())
            copy.exclude_campaigns.set(self.exclude_campaigns.all())
        return copy

    def copy(self, *, name: str, by: Who) -> Campaign:
        """The same text as a new draft to nobody yet."""
        copy = Campaign.objects.create(
            company=self.company,
            name=name,
            channel=self.channel,
            sender=self.sender,
            subject=self.subject,
            preheader=self.preheader,
            body=self.body,
            opt_out_text=self.opt_out_text,
            not_messaged_days=self.not_messaged_days,
            created_by_id=by.user_id,
        )
        copy.set_senders(self.senders())
        Action.record(self, Action.Verb.DUPLICATED, by=by, copy=copy.pk)
        Action.record(copy, Action.Verb.CREATED, by=by, original=self.pk)
        return copy

    def senders(self) -> dict[str, str]:
        """Country → the sender that speaks there in place of `sender`."""
        rows = CountrySender.objects.of(self.company_id).filter(campaign=self)
        return dict(rows.order_by("country").values_list("country", "sender"))

    def set_senders(self, senders: dict[str, str]) -> None:
        rows = CountrySender.objects.of(self.company_id).filter(campaign=self)
        rows.delete()
        CountrySender.objects.bulk_create(
            CountrySender(company_id=self.company_id, campaign=self, country=country, sender=sender)
            for country, sender in senders.items()
            if sender
        )

    def left_out_by_reason(self) -> dict[str, int]:
        """By reason, as it was when the audience was built. With the messages these are all who are in the groups."""
        return {reason: getattr(self, left_out.field(reason)) for reason in left_out.REASONS}

    @property
    def in_groups(self) -> int:
        """Everybody in the chosen groups, as far as the audience is built."""
        return self.audience + sum(
            n for reason, n in self.left_out_by_reason().items() if reason not in left_out.IN_AUDIENCE
        )

    def batches(self) -> BatchQuerySet:
        return Batch.objects.of(self.company_id).filter(campaign_id=self.pk)

    def hours(self) -> tuple[datetime, datetime] | None:
        """When the first and the last of those who wait for their hours get their message."""
        found = self.batches().deferred().aggregate(first=models.Min("due_at"), last=models.Max("due_at"))
        return (found["first"], found["last"]) if found["first"] else None

    def counts(self) -> dict[str, int]:
        """By status; together they are the audience. What is being handed over counts as queued."""
        tally = Tally.of(self.pk)
        counts = {status: tally.get(status, 0) for status in Message.Status.values}
        counts["suppressed"] += self.left_out_suppressed
        counts["failed"] += self.left_out_no_way
        return {"audience": self.audience, **counts}


class CountrySender(CompanyModel):
    """As whom a campaign speaks in one country, where that is not its own sender."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="country_senders", db_index=False)
    country = models.CharField(_("country"), max_length=2)
    sender = models.CharField(_("sender"), max_length=100)

    class Meta:
        verbose_name = _("sender in a country")
        verbose_name_plural = _("senders in countries")
        constraints = [models.UniqueConstraint(fields=["campaign", "country"], name="one_sender_in_a_country")]

    def __str__(self) -> str:
        return f"{self.country} {self.sender}"


class Slice(CompanyModel):
    """A part of a campaign's audience, by contact id: written in one transaction, by whichever worker takes it."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    first_contact = models.BigIntegerField()
    last_contact = models.BigIntegerField()
    messages = models.IntegerField(null=True)
    written_at = models.DateTimeField(null=True)


class Trial(CompanyModel):
    """Marks a message as a test of a draft. It is no message of the campaign, so it counts nowhere."""

    # A draft may be deleted, its test was sent all the same.
    campaign = models.ForeignKey(Campaign, on_delete=models.DO_NOTHING, db_constraint=False, related_name="trials")
    message = models.OneToOneField(Message, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
