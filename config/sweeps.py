"""What the worker looks for every few seconds, whether or not anybody asked: nothing is lost with a wake-up."""

from __future__ import annotations

import logging

from addressbook import grouping, retention, seals, search, telling
from addressbook.imports import run as imports
from api import idempotency
from campaigns import dispatch
from lib.wake import wake
from messaging.models.message import Category
from optout import portal, replies
from optout.hooks import taking as hooks
from optout.landing import coming_back
from webhooks import deliveries as webhooks

log = logging.getLogger("stopgate.worker")


def sweep() -> bool:
    """Ask for everything that is due; True when something was."""
    dispatch.sweep()
    idempotency.forget_old()
    retention.sweep()
    search.tidy()
    portal.forget_old()
    coming_back.forget_old()
    seals.sweep()
    webhooks.tidy()
    found = False
    for category in Category.values:
        if dispatch.due(category=category):
            wake(f"campaigns.send_{category}")
            found = True
    if replies.due():
        wake("optout.read_replies")
        found = True
    if portal.due():
        wake(portal.TASK)
        found = True
    if hooks.due():
        wake("optout.read_hooks")
        found = True
    if webhooks.due():
        wake(webhooks.TASK)
        found = True
    if grouping.due():
        wake(grouping.TASK)
        found = True
    if telling.due():
        wake(telling.TASK)
        found = True
    if imports.due():
        wake(imports.TASK)
        found = True
    return found


def sweep_quietly() -> None:
    """Whatever fails (the database may be away for a while), the next round tries again."""
    try:
        sweep()
    except Exception as problem:
        log.error("the sweep failed: %s", type(problem).__name__)
