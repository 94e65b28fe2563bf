from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel, ScopedManager
from messaging.gateways.hooks import Hook
from messaging.models.senders import Gateway

#: A report may be faster than the worker that waits for the answer to its request; later it is nobody's.
WAITS = timedelta(minutes=10)
FIRST_WAIT = timedelta(seconds=1)
#: Providers repeat a delivery for up to a month.
KEPT = timedelta(days=60)
BODIES_KEPT = timedelta(days=30)


class HookQuerySet(models.QuerySet["HookDelivery"]):
    def waiting(self) -> HookQuerySet:
        return self.filter(read_at=None)

    def due(self) -> HookQuerySet:
        return self.waiting().filter(due_at__lte=timezone.now())

    def purge(self) -> None:
        """What nobody needs any more; the bodies are somebody's words and numbers."""
        now = timezone.now()
        read = self.exclude(read_at=None)
        read.filter(received_at__lt=now - KEPT).delete()
        read.filter(received_at__lt=now - BODIES_KEPT).exclude(body=b"").update(body=b"")


class HookManager(ScopedManager.from_queryset(HookQuerySet)):  # type: ignore[misc]
    pass


class HookDelivery(CompanyModel):
    """What a provider told us, until it is acted upon; longer only if it says something that must not count twice,
    or that nobody understands.
    """

    class Kind(models.TextChoices):
        INBOUND = "inbound", _("reply")
        STATUS = "status", _("delivery report")

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    digest = models.BinaryField(max_length=32)
    content_type = models.CharField(_("content type"), max_length=100, blank=True)
    query = models.TextField(blank=True)
    body = models.BinaryField(default=b"", help_text=_("Emptied once it is understood."))
    received_at = models.DateTimeField(_("received"))
    due_at = models.DateTimeField(help_text=_("When to try again."))
    read_at = models.DateTimeField(_("read"), null=True, help_text=_("Empty: kept, not yet acted upon."))
    problem = models.CharField(_("problem"), max_length=200, blank=True)

    objects = HookManager()

    class Meta:
        verbose_name = _("webhook received")
        verbose_name_plural = _("webhooks received")
        constraints = [models.UniqueConstraint(fields=["gateway", "kind", "digest"], name="one_delivery_per_content")]
        indexes = [models.Index("due_at", condition=models.Q(read_at=None), name="hook_unread")]

    @classmethod
    def keep(cls, gateway: Gateway, hook: Hook) -> HookDelivery:
        """The row of this delivery, which may be there already: then it is a repetition."""
        now = timezone.now()
        content = (hook.content_type.encode(errors="replace"), hook.url.encode(errors="replace"), hook.body)
        digest = hashlib.sha256(b"\x00".join(content)).digest()
        row = cls(
            company_id=gateway.company_id,
            gateway=gateway,
            kind=hook.kind,
            digest=digest,
            content_type=hook.content_type[:100].replace("\x00", ""),
            query=hook.url.partition("?")[2][:2000].replace("\x00", ""),
            body=hook.body,
            received_at=now,
            due_at=now + FIRST_WAIT,
        )
        cls.objects.bulk_create([row], ignore_conflicts=True)
        rows = cls.objects.of(gateway.company_id).select_related("gateway")
        found: HookDelivery = rows.get(gateway=gateway, kind=hook.kind, digest=digest)
        return found

    @classmethod
    def is_first(cls, gateway: Gateway, event: str) -> bool:
        """Whether this event of the provider's is told for the first time; it is known from now on."""
        now = timezone.now()
        digest = hashlib.sha256(b"event\x00" + event.encode(errors="replace")).digest()
        known = {"received_at": now, "due_at": now, "read_at": now}
        rows = cls.objects.of(gateway.company_id)
        _row, is_new = rows.get_or_create(
            gateway=gateway, kind=cls.Kind.STATUS, digest=digest, defaults={"company_id": gateway.company_id, **known}
        )
        return bool(is_new)

    def hook(self) -> Hook:
        url = self.gateway.hook_url(self.kind) + (f"?{self.query}" if self.query else "")
        return Hook(kind=self.kind, url=url, body=bytes(self.body), headers={"content-type": self.content_type})

    def is_fresh(self, now: datetime) -> bool:
        return now - self.received_at < WAITS

    def try_later(self) -> None:
        """Twice as old as it is now."""
        now = timezone.now()
        self.due_at = now + max(now - self.received_at, FIRST_WAIT)
        self.save(update_fields=["due_at"])

    def done(self) -> None:
        """Acted upon; what it says was kept where it belongs."""
        self.delete()

    def done_once(self) -> None:
        """Acted upon, and to be known again when it is repeated."""
        self.read_at, self.body = timezone.now(), b""
        self.save(update_fields=["read_at", "body"])

    def give_up(self, problem: str) -> None:
        self.read_at, self.problem = timezone.now(), problem[:200]
        self.save(update_fields=["read_at", "problem"])
