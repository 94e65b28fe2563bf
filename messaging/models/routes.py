"""Which gateway carries what, at what price, and how it has been doing."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.scoping import CompanyModel
from messaging.models.message import Channel, Message
from messaging.models.senders import Gateway


class Route(CompanyModel):
    """Messages of a channel, to a country, from a sender: through this gateway, in the order of `rank`.

    Empty means any. What is asked in which order stands in messaging/routing.py.
    """

    channel = models.CharField(_("channel"), max_length=5, choices=Channel.choices)
    country = models.CharField(_("country"), max_length=2, blank=True)
    sender = models.CharField(_("sender"), max_length=16, blank=True)
    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="routes", verbose_name=_("gateway"))
    rank = models.PositiveSmallIntegerField(_("place in the order"), default=1)
    # Of one text part of an SMS, or of one e-mail.
    price = models.DecimalField(_("price"), max_digits=9, decimal_places=5, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)

    class Meta:
        verbose_name = _("route")
        verbose_name_plural = _("routes")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "channel", "country", "sender", "gateway"], name="one_route_per_gateway"
            ),
            models.CheckConstraint(condition=Q(price=None) | ~Q(currency=""), name="a_price_is_in_a_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.country or '*'} {self.sender or '*'} → {self.gateway_id}"


class GatewayResult(CompanyModel):
    """What became of one request's messages: rows to be added up, so that no two workers wait for each other."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField()
    taken = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    refused = models.IntegerField(default=0)
    unknown = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("gateway's results")
        verbose_name_plural = _("gateways' results")
        indexes = [models.Index("gateway", "at", name="result_of_gateway")]


class GatewayTest(CompanyModel):
    """Marks a message as the test of a gateway, asked for by a member."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="tests")
    message = models.OneToOneField(Message, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("test of a gateway")
        verbose_name_plural = _("tests of gateways")
