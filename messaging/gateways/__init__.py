"""The list of gateways; a new provider is one module and one line here."""

from messaging.gateways.base import Adapter, Outcome, Outgoing, Verdict
from messaging.gateways.simulator import Nothing, Simulator

ADAPTERS: dict[str, type[Adapter]] = {adapter.kind: adapter for adapter in (Simulator, Nothing)}

__all__ = ["ADAPTERS", "Adapter", "Outcome", "Outgoing", "Verdict"]
