"""Asks for a task after the commit. A lost wake-up costs seconds: the sweep finds what is due."""

from __future__ import annotations

import logging

from django.db import connection, transaction

log = logging.getLogger("stopgate.wake")
# procrastinate_jobs_queueing_lock_idx_v1
_ENQUEUED = "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo')"


def wake(task: str, **arguments: object) -> None:
    """Defer `task` by name when the transaction has committed; never in the way of what was committed."""
    transaction.on_commit(lambda: _defer(task, arguments), robust=True)


def _defer(task: str, arguments: dict[str, object]) -> None:
    from procrastinate.contrib.django import app
    from procrastinate.exceptions import AlreadyEnqueued

    lock = f"{task} {arguments}" if arguments else task
    # One look instead of a transaction that fails. What waits now starts after this commit, and sees it.
    with connection.cursor() as cursor:
        cursor.execute(_ENQUEUED, [lock])
        if cursor.fetchone()[0]:
            return
    try:
        with transaction.atomic():
            app.configure_task(task, queueing_lock=lock, queue=task.partition(".")[0]).defer(**arguments)
    except AlreadyEnqueued:
        pass
