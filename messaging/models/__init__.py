from messaging.models.hooks import HookDelivery
from messaging.models.inbox import Reply
from messaging.models.message import Batch, Message, Tally
from messaging.models.routes import GatewayResult, GatewayTest, Route
from messaging.models.senders import Gateway, Sender
from messaging.models.simulator import HandsetMessage

__all__ = [
    "Batch",
    "Gateway",
    "GatewayResult",
    "GatewayTest",
    "HandsetMessage",
    "HookDelivery",
    "Message",
    "Reply",
    "Route",
    "Sender",
    "Tally",
]
