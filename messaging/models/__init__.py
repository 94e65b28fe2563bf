from messaging.models.hooks import HookDelivery
from messaging.models.inbox import Reply
from messaging.models.message import Batch, Message, Tally
from messaging.models.senders import Gateway, Sender
from messaging.models.simulator import HandsetMessage

__all__ = ["Batch", "Gateway", "HandsetMessage", "HookDelivery", "Message", "Reply", "Sender", "Tally"]
