"""Gateways without a provider: handsets on a page, and one that does nothing (for measuring)."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from messaging.gateways.base import Adapter, Outcome, Outgoing, Verdict


class Simulator(Adapter):
    """Delivers to the handsets of `/simulator/`, at once."""

    kind = "simulator"
    label = "Simulator"
    channels = frozenset({"sms", "email"})

    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        from messaging.models import HandsetMessage

        now = timezone.now()
        HandsetMessage.objects.bulk_create(
            HandsetMessage(
                company_id=self.gateway.company_id,
                message_id=message.id,
                channel=message.channel,
                to=message.to,
                sender=message.sender,
                subject=message.subject,
                text=message.text,
                received_at=now,
            )
            for message in messages
        )
        return [Outcome(Verdict.DELIVERED, provider_id=f"sim-{m.id}", delivered_at=now) for m in messages]


class Nothing(Adapter):
    """Takes everything and does nothing with it: what remains is our own work."""

    kind = "nothing"
    label = "Nothing (for measuring)"
    is_offered = False
    channels = frozenset({"sms", "email"})
    batch_size = 1000

    def send(self, messages: Sequence[Outgoing]) -> list[Outcome]:
        taken = Outcome(Verdict.ACCEPTED)
        return [taken] * len(messages)
