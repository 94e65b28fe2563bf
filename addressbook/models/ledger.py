"""The ledger: one line per consent event, append-only in the database itself.

Apart from the company it has no foreign keys: it outlives messages and campaigns,
whose ids and names it keeps by value. What erasure must remove (the recipient's
words, the address, the browser) stands in `Evidence`, whose hash the line keeps.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel


class Source(models.TextChoices):
    LANDING = "landing", _("opt-out link")
    REPLY = "reply", _("reply")
    ONE_CLICK = "one_click", _("one-click e-mail")
    PORTAL = "portal", _("portal")
    API = "api", _("API")
    IMPORT = "import", _("import")
    MARKETER = "marketer", _("marketer")
    ADMINISTRATOR = "administrator", _("administrator")
    PROVIDER = "provider", _("provider")
    COMPLAINT = "complaint", _("complaint or bounce")


class ConsentEvent(CompanyModel):
    """One line of the ledger."""

    class Type(models.TextChoices):
        OPT_OUT = "opt_out", _("opt-out")
        OPT_IN = "opt_in", _("opt-in")
        REASON = "reason", _("reason given")
        ERASURE = "erasure", _("erasure")
        PAUSE = "pause", _("pause")
        PAUSE_END = "pause_end", _("end of a pause")
        TOPIC_OUT = "topic_out", _("topic left")
        TOPIC_IN = "topic_in", _("topic joined again")

    type = models.CharField(_("type"), max_length=10, choices=Type.choices)
    source = models.CharField(_("source"), max_length=20, choices=Source.choices)
    channel = models.CharField(_("channel"), max_length=5)
    digest = models.BinaryField(max_length=32)
    # The event of the address that acted, when this one only follows from it.
    cause_id = models.BigIntegerField(_("follows from"), null=True)
    campaign_id = models.BigIntegerField(_("campaign"), null=True)
    campaign_name = models.CharField(_("campaign's name"), max_length=200, blank=True)
    message_id = models.BigIntegerField(_("message"), null=True)
    country = models.CharField(_("country"), max_length=2, blank=True)
    reason = models.CharField(_("reason"), max_length=100, blank=True)
    occurred_at = models.DateTimeField(_("occurred"))
    recorded_at = models.DateTimeField(_("recorded"))
    evidence_hash = models.BinaryField(max_length=32)
    # The chain, filled in by the database: 64 per company, so that opt-outs do not queue behind each other.
    shard = models.SmallIntegerField()
    position = models.BigIntegerField()
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = _("consent event")
        verbose_name_plural = _("ledger")
        constraints = [models.UniqueConstraint(fields=["company", "shard", "position"], name="one_line_per_position")]
        indexes = [
            models.Index("company", "digest", "id", name="event_digest"),
            models.Index(fields=["company", "-id"], name="event_newest"),
            models.Index(
                "company", "campaign_id", condition=models.Q(campaign_id__isnull=False), name="event_campaign"
            ),
            models.Index("company", "occurred_at", name="event_occurred"),
            models.Index("company", "reason", "id", condition=~models.Q(reason=""), name="event_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"


class Evidence(CompanyModel):
    """The erasable part of one event: address, words, what was shown."""

    event_id = models.BigIntegerField(primary_key=True)
    address = models.CharField(max_length=254, blank=True)
    comment = models.TextField(blank=True)
    details = models.JSONField(default=dict)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")


class LedgerSeal(CompanyModel):
    """One batch of lines, sealed: the hash of its lines and of the seal before. Filled in by the database."""

    number = models.BigIntegerField(_("number"))
    sealed_at = models.DateTimeField(_("sealed"))
    # Per chain, up to which position this seal and those before it go.
    reach = ArrayField(models.BigIntegerField())
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals of the ledger")
        constraints = [models.UniqueConstraint(fields=["company", "number"], name="one_seal_per_number")]

    def __str__(self) -> str:
        return f"{self.number}:{bytes(self.hash).hex()}"


class LedgerHead(CompanyModel):
    """The last line of each of a company's chains; the 65th is the chain of its seals."""

    shard = models.SmallIntegerField()
    position = models.BigIntegerField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "shard"], name="one_head_per_chain")]
