"""What the ways out are made of; administrators edit the rules, companies their texts."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel, ScopedManager
from lib.countries import country_name
from messaging.addresses import display
from optout import lines
from optout.quiet_hours import InvalidWindow, parse
from optout.zones import country_zones

METHODS = [("reply", _("reply")), ("link", _("link")), ("email", _("e-mail"))]
WORKING_DAYS = 10
_WEEKEND = (5, 6)
_QUESTION = re.compile("[?？؟;]\\s*$")  # the Greek question mark looks like a semicolon


class DestinationRule(models.Model):
    """What law and networks ask for in one country; loaded from data/destinations.toml, then edited."""

    country = models.CharField(
        _("country"), max_length=2, unique=True, help_text=_("Empty: every other country."), blank=True
    )
    methods = models.JSONField(_("methods in order"), default=list)
    link_allowed = models.BooleanField(_("links are allowed"), default=True)
    reply_required = models.BooleanField(_("a reply must be possible"), default=False)
    prefix = models.CharField(_("text begins with"), max_length=20, blank=True)
    keyword = models.CharField(_("keyword"), max_length=20, default="STOP")
    languages = models.JSONField(_("languages, default first"), default=list)
    confirmation = models.CharField(
        _("confirmation"),
        max_length=8,
        choices=[("none", _("none")), ("allowed", _("allowed")), ("required", _("required"))],
        default="allowed",
    )
    window = models.JSONField(
        _("hours per weekday"),
        default=dict,
        blank=True,
        help_text=_("SMS marketing leaves within these hours, by the recipient's clock. Empty: at any time."),
    )
    holidays = models.BooleanField(_("not on public holidays"), default=True)
    law = models.TextField(_("law and notes"), blank=True)
    source = models.TextField(_("source"), blank=True)
    verified = models.BooleanField(_("verified"), default=False)

    class Meta:
        verbose_name = _("destination rule")
        verbose_name_plural = _("destination rules")
        ordering = ["country"]

    def __str__(self) -> str:
        return self.country or "*"

    def clean(self) -> None:
        try:
            parse(self.window)
        except InvalidWindow as problem:
            raise ValidationError({"window": str(problem)}) from problem


class OptOutText(models.Model):
    """An opt-out line: the platform's (no company), or a company's own, per language and method."""

    company = models.ForeignKey(
        "accounts.Company", on_delete=models.CASCADE, null=True, blank=True, related_name="opt_out_texts"
    )
    language = models.CharField(_("language"), max_length=8)
    method = models.CharField(_("method"), max_length=5, choices=METHODS)
    text = models.CharField(_("text"), max_length=160)

    class Meta:
        verbose_name = _("opt-out text")
        verbose_name_plural = _("opt-out texts")
        ordering = ["language", "method"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "language", "method"], name="one_opt_out_text", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.language} {self.method}"

    def clean(self) -> None:
        try:
            lines.check(self.text, method=self.method)
        except lines.InvalidLine as problem:
            raise ValidationError({"text": str(problem)}) from problem


class Reason(CompanyModel):
    """Why people leave: what a company offers on its landing page."""

    code = models.SlugField(_("code"), max_length=40)
    text = models.CharField(_("text"), max_length=100)
    position = models.SmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("reason")
        verbose_name_plural = _("reasons")
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["company", "code"], name="one_reason_per_code")]

    def __str__(self) -> str:
        return self.text


class ReviewQuerySet(models.QuerySet["ReviewItem"]):
    def waiting(self) -> ReviewQuerySet:
        return self.filter(decision="")

    def holding(self) -> ReviewQuerySet:
        """Marketing to these addresses waits for a person: what may be a no is never ignored meanwhile."""
        return self.filter(decision="", holds=True)


class ReviewManager(ScopedManager.from_queryset(ReviewQuerySet)):  # type: ignore[misc]
    pass


class ReviewItem(CompanyModel):
    """A reply that a person has to decide: it may be an opt-out, or nobody can tell whom it concerns."""

    class Decision(models.TextChoices):
        OPT_OUT = "opt_out", _("opted out")
        KEPT = "kept", _("not an opt-out")
        HELPED = "helped", _("help sent")

    reply = models.OneToOneField("messaging.Reply", on_delete=models.PROTECT, related_name="review")
    digest = models.BinaryField(max_length=32)
    suggestion = models.CharField(_("suggestion"), max_length=20, blank=True)
    holds = models.BooleanField(_("holds marketing"), default=False)
    message_id = models.BigIntegerField(null=True)
    campaign_name = models.CharField(max_length=200, blank=True)
    decision = models.CharField(_("decision"), max_length=10, choices=Decision.choices, blank=True)
    decided_by = models.ForeignKey("accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReviewManager()

    class Meta:
        verbose_name = _("reply to review")
        verbose_name_plural = _("replies to review")
        ordering = ["created_at"]
        indexes = [
            models.Index("company", "created_at", condition=models.Q(decision=""), name="review_waiting"),
            models.Index("company", "digest", condition=models.Q(decision=""), name="review_address"),
            models.Index(fields=["company", "-decided_at"], condition=~models.Q(decision=""), name="review_decided"),
        ]

    @property
    def number(self) -> str:
        """As people write it; empty after erasure."""
        return display(self.reply.sender)

    @property
    def likely(self) -> str:
        """The suggestion in words."""
        match self.suggestion:
            case "opt_out":
                return _("probably an opt-out")
            case "opt_in":
                return _("wants to come back")
            case "help":
                return _("asks who you are")
            case _:
                return _("a question") if _QUESTION.search(self.reply.text) else _("unclear")

    @property
    def due_on(self) -> date:
        """The last of ten working days, the longest that any destination grants (47 CFR 64.1200(a)(10))."""
        day = self.created_at.date()
        for _n in range(WORKING_DAYS):
            day += timedelta(days=1)
            while day.weekday() in _WEEKEND:
                day += timedelta(days=1)
        return day

    @property
    def is_overdue(self) -> bool:
        return not self.decision and timezone.now().date() > self.due_on


class PortalCode(CompanyModel):
    """Somebody without a link asked for a code, at an address that the company may or may not know.

    A row is made either way, so that nobody can tell from the answer or its time. A worker
    finds out, and sends; the row goes when its minutes are over.
    """

    token = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sealed_address = models.BinaryField(editable=False)
    language = models.CharField(_("language"), max_length=8)
    # Keyed, and empty where nothing was sent: then no code is the right one.
    code_hash = models.BinaryField(default=b"", editable=False)
    tries = models.SmallIntegerField(_("tries"), default=0)
    handled_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("portal code")
        verbose_name_plural = _("portal codes")
        indexes = [models.Index("id", condition=models.Q(handled_at=None), name="portal_code_waiting")]

    def __str__(self) -> str:
        return str(self.pk)


class OptInRequest(CompanyModel):
    """Somebody who wants to come back where the company asks for a second step: nothing is lifted until then.

    It names no address: the message whose link was used, or the opt-out on the company's own page, leads to it.
    """

    #: The opt-out that is to be lifted. A later one is not: the request is void then.
    out_event_id = models.BigIntegerField()
    message_id = models.BigIntegerField(null=True)
    evidence = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("opt-in to be confirmed")
        verbose_name_plural = _("opt-ins to be confirmed")

    def __str__(self) -> str:
        return str(self.pk)


class QuietHoursQuerySet(models.QuerySet["QuietHoursSwitch"]):
    def in_force(self, at: datetime) -> list[QuietHoursSwitch]:
        """The countries for which quiet hours are off at this moment; each country's latest word counts."""
        latest = self.order_by("country", "-pk").distinct("country")
        return [switch for switch in latest if switch.is_off and (switch.until is None or switch.until > at)]


class QuietHoursManager(ScopedManager.from_queryset(QuietHoursQuerySet)):  # type: ignore[misc]
    pass


class QuietHoursSwitch(CompanyModel):
    """An administrator switched the quiet hours of a destination off for a company, or on again.

    Only ever added to, in the database itself (sql/quiet_hours.sql): who, why and when stay provable.
    """

    country = models.CharField(_("country"), max_length=2, help_text=_("Two letters, for example FR."))
    is_off = models.BooleanField(
        _("quiet hours"), choices=[(True, _("off: marketing leaves at any hour")), (False, _("on again"))], default=True
    )
    until = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("Empty: until somebody switches them on again.")
    )
    reason = models.CharField(_("reason"), max_length=500, help_text=_("Marketers of the company see it."))
    # Also in words, which outlive the account.
    who = models.CharField(_("who"), max_length=254, editable=False)
    user_id = models.BigIntegerField(null=True, editable=False)
    at = models.DateTimeField(_("when"), auto_now_add=True)

    objects = QuietHoursManager()

    class Meta:
        verbose_name = _("quiet hours switched")
        verbose_name_plural = _("quiet hours switched")
        indexes = [models.Index(fields=["company", "country", "-id"], name="quiet_hours_latest")]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason="") & ~models.Q(country=""), name="switch_says_why")
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.get_is_off_display()}"

    @property
    def place(self) -> str:
        return country_name(self.country)

    def clean(self) -> None:
        self.country = self.country.upper()
        if not country_zones(self.country):
            raise ValidationError({"country": _("There is no such country. Write its two letters, for example FR.")})
        if self.until and not self.is_off:
            raise ValidationError({"until": _("Only what is switched off ends by itself. Leave this empty.")})
        if self.until and self.until <= timezone.now():
            raise ValidationError({"until": _("This is over. Name a time that is still ahead, or none.")})
