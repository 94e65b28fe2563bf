"""What the worker looks for every few seconds, whether or not anybody asked: nothing is lost with a wake-up."""

from __future__ import annotations

import logging

from django.db import DatabaseError

from campaigns import dispatch
from lib.wake import wake
from messaging.models.message import Category

log = logging.getLogger("stopgate.worker")


def sweep() -> bool:
    """Ask for everything that is due; True when something was."""
    dispatch.sweep()
    found = False
    for category in Category.values:
        if dispatch.due(category=category):
            wake(f"campaigns.send_{category}")
            found = True
    return found


def sweep_quietly() -> None:
    """The database may be away for a while; the next round tries again."""
    try:
        sweep()
    except DatabaseError:
        log.exception("the sweep failed")
