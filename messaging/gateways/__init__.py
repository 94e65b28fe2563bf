"""The list of gateways; a new provider is one module and one line here (docs/gateways.md)."""

from messaging.gateways.account import Account, InvalidSettings
from messaging.gateways.base import Adapter, Block, Inbound, Outcome, Outgoing, Report, Standing, Verdict
from messaging.gateways.cm import Cm
from messaging.gateways.esps import ESPS
from messaging.gateways.hooks import Hook, NotUnderstood
from messaging.gateways.simulator import Nothing, Simulator
from messaging.gateways.smtp import Smtp
from messaging.gateways.twilio import Twilio
from messaging.gateways.vonage import Vonage

ADAPTERS: dict[str, type[Adapter]] = {
    adapter.kind: adapter for adapter in (Simulator, Cm, Twilio, Vonage, Smtp, *ESPS, Nothing)
}

__all__ = [
    "ADAPTERS", "Account", "Adapter", "Block", "Hook", "Inbound", "InvalidSettings", "NotUnderstood", "Outcome",
    "Outgoing", "Report", "Standing", "Verdict",
]  # fmt: skip
