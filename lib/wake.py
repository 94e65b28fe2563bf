"""Asks for a task after the commit. A lost wake-up costs seconds: the sweep finds what is due."""

from __future__ import annotations

import logging

from django.db import transaction

log = logging.getLogger("stopgate.wake")


def wake(task: str, **arguments: object) -> None:
    """Defer `task` by name when the transaction has committed; never in the way of what was committed."""
    transaction.on_commit(lambda: _defer(task, arguments), robust=True)


def _defer(task: str, arguments: dict[str, object]) -> None:
    from procrastinate.contrib.django import app
    from procrastinate.exceptions import AlreadyEnqueued

    lock = f"{task} {arguments}" if arguments else task
    try:
        with transaction.atomic():
            app.configure_task(task, queueing_lock=lock, queue=task.partition(".")[0]).defer(**arguments)
    except AlreadyEnqueued:
        pass
