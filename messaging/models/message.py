"""One text to one address, and the batches in which messages leave the house.

A message waits as `queued` in a batch. Claiming the batch (`handing`) is committed
before the gateway is called; nobody else touches its messages from then on. So one
row changes per gateway request instead of one per message, and what a crash hides
is exactly the messages still `queued` in a batch that is `handing`: they end as
`unknown` and are never sent again by themselves.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from accounts.models import Company
from accounts.scoping import CompanyModel, ScopedManager
from messaging.addresses import Address


class Channel(models.TextChoices):
    SMS = "sms", _("SMS")
    EMAIL = "email", _("e-mail")


class Category(models.TextChoices):
    MARKETING = "marketing", _("marketing")
    TRANSACTIONAL = "transactional", _("transactional")


class BatchQuerySet(models.QuerySet["Batch"]):
    def deferred(self) -> BatchQuerySet:
        """Waiting for their hours."""
        return self.filter(deferred=True, status__in=[Batch.Status.QUEUED, Batch.Status.HELD])

    def gaps(self, *, of_last: int = 10_000) -> dict[str, float | None]:
        """How many milliseconds old the last look was when a batch left, lately: of 99 in 100 at most, and of any."""
        last = self.order_by("-pk").values_list("pk", flat=True).first() or 0
        percentile = models.Aggregate(
            F("look_to_send_ms"),
            function="percentile_cont",
            template="%(function)s(0.99) WITHIN GROUP (ORDER BY %(expressions)s)",
            output_field=models.FloatField(),
        )
        return self.filter(pk__gt=last - of_last).aggregate(most=percentile, longest=models.Max("look_to_send_ms"))


class BatchManager(ScopedManager.from_queryset(BatchQuerySet)):  # type: ignore[misc]
    pass


class Batch(CompanyModel):
    """One gateway request's worth of messages."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        HELD = "held"  # its campaign is paused
        HANDING = "handing"
        DONE = "done"

    gateway = models.ForeignKey("messaging.Gateway", on_delete=models.PROTECT, related_name="+")
    campaign_id = models.BigIntegerField(null=True, db_index=True)
    category = models.CharField(max_length=13, choices=Category.choices)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.QUEUED)
    due_at = models.DateTimeField()
    # Its messages wait until then because of quiet hours.
    deferred = models.BooleanField(default=False, db_default=False)
    # When the gateway first refused them for now.
    tried_since = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    claimed_by = models.UUIDField(null=True)
    # The test of one gateway: tried once, through no other.
    pinned = models.BooleanField(default=False, db_default=False)
    # From the last look at the suppressions to the first byte to the gateway.
    look_to_send_ms = models.FloatField(null=True)
    # Its messages have ids between these; kept by trigger.
    first_id = models.BigIntegerField(null=True, editable=False)
    last_id = models.BigIntegerField(null=True, editable=False)

    objects = BatchManager()

    class Meta:
        indexes = [
            models.Index("category", "due_at", "id", condition=Q(status="queued"), name="batch_due"),
            models.Index("category", "company", "due_at", "id", condition=Q(status="queued"), name="batch_turn"),
            models.Index("campaign_id", condition=~Q(status="done"), name="batch_open"),
            models.Index("claimed_at", condition=Q(status="handing"), name="batch_in_flight"),
            models.Index(
                "company", "due_at", condition=Q(deferred=True, status__in=["queued", "held"]), name="batch_deferred"
            ),
        ]


class MessageQuerySet(models.QuerySet["Message"]):
    def marketing(self) -> MessageQuerySet:
        return self.filter(category=Category.MARKETING)

    def left_the_house(self) -> MessageQuerySet:
        """What a gateway has, or may have, taken."""
        return self.filter(status__in=Message.LEFT)


class MessageManager(ScopedManager.from_queryset(MessageQuerySet)):  # type: ignore[misc]
    def to(self, company: Company | int, *digests: bytes) -> MessageQuerySet:
        """The company's messages to the addresses with these digests, by addressbook/sql/addressed.sql."""
        company_id = company if isinstance(company, int) else company.pk
        ids = RawSQL("SELECT messages_to_v1(%s, %s)", [company_id, list(digests)])
        return self.of(company_id).filter(pk__in=ids)


class Message(CompanyModel):
    """MT: one text to one address."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        DEFERRED = "deferred", _("deferred")
        SENT = "sent", _("sent")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown")
        SUPPRESSED = "suppressed", _("suppressed")
        CANCELLED = "cancelled", _("cancelled")

    WAITING = (Status.QUEUED, Status.DEFERRED)
    LEFT = (Status.SENT, Status.DELIVERED, Status.UNKNOWN)

    # Written a million at a time, so relations are checked once per statement by a trigger
    # (sql/messages.sql) instead of once per row and foreign key: 4 s of a million's 16.
    company = models.ForeignKey(
        "accounts.Company", on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    campaign = models.ForeignKey(
        "campaigns.Campaign",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="messages",
    )
    contact = models.ForeignKey(
        "addressbook.Contact",
        on_delete=models.SET_NULL,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="messages",
    )
    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="messages"
    )
    readdressed = models.BooleanField(
        default=False, editable=False, help_text=_("The contact has another address now.")
    )
    category = models.CharField(max_length=13, choices=Category.choices)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    address = models.CharField(max_length=254, help_text=_("Emptied by erasure."))
    digest = models.BinaryField(max_length=32, help_text=_("Keyed digest of the address; stays."))
    country = models.CharField(max_length=2, blank=True)
    language = models.CharField(max_length=8, blank=True)
    sender = models.CharField(max_length=254, blank=True)
    method = models.CharField(max_length=5, blank=True, help_text=_("reply, link, or empty for transactional."))
    reply_code = models.CharField(max_length=16, blank=True, help_text=_("The number that takes a STOP."))
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    subject = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    encoding = models.CharField(max_length=5, blank=True)
    segments = models.SmallIntegerField(default=0)
    provider_id = models.CharField(max_length=100, blank=True)
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    objects = MessageManager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            # Promise 5. Contact first: "what went to this address" goes through the contact
            # (addressbook/sql/addressed.sql), and an audience written in the order of contacts grows it in order.
            models.UniqueConstraint(fields=["contact", "campaign"], name="one_message_per_contact"),
            models.CheckConstraint(
                condition=Q(category="transactional", method="") | Q(category="marketing") & ~Q(method=""),
                name="marketing_has_a_way_out",
            ),
        ]
        indexes = [
            models.Index("campaign", "id", name="message_campaign"),
            models.Index(
                "company",
                "digest",
                condition=Q(contact__isnull=True) | Q(readdressed=True),
                name="message_on_its_own",
            ),
            # By which a delivery report finds its message.
            models.Index("company", "provider_id", condition=~Q(provider_id=""), name="message_provider_id"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.pk}"

    @property
    def shown_status(self) -> str:
        """What the outside sees: a waiting message of a claimed batch is being handed over."""
        if self.status in self.WAITING and self.batch.status == Batch.Status.HANDING:
            return "handing"
        return self.status

    @property
    def leaves_at(self) -> datetime | None:
        """When a message that waits for its hours leaves."""
        return self.batch.due_at if self.status == self.Status.DEFERRED and self.batch.deferred else None

    def is_to(self, address: Address, *, key: bytes) -> bool:
        """Whether this message went to `address`; compared in constant time, nothing is looked up."""
        return hmac.compare_digest(bytes(self.digest), address.digest(key))


class Tally(models.Model):
    """How many messages of a campaign are in a status, as changes to be added up.

    Written by trigger in the transaction of each change, so counts are exact without
    counting and without a row that everybody waits for; squashed by the worker.
    """

    campaign_id = models.BigIntegerField()
    status = models.CharField(max_length=10)
    delta = models.IntegerField()

    class Meta:
        indexes = [models.Index("campaign_id", "status", include=["delta"], name="tally_campaign")]

    @classmethod
    def of(cls, campaign_id: int) -> dict[str, int]:
        rows = cls.objects.filter(campaign_id=campaign_id).values("status").annotate(n=models.Sum(F("delta")))
        return {row["status"]: row["n"] for row in rows if row["n"]}
