"""The import itself: chunk by chunk, each with its progress in one transaction.

A worker may be killed anywhere. What it had committed is counted, what it had not is
read again by the next one (`due`), so nothing is doubled and nothing is lost. Two
workers at once: the row is locked while a chunk is written, and who finds that the
other has moved on leaves.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from itertools import islice

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.scoping import company_scope
from addressbook.imports import reading, storage
from addressbook.imports.reader import FileProblem
from addressbook.imports.reading import Row
from addressbook.models import Contact, Group, Import, RejectedRow
from addressbook.upsert import Result, upsert
from lib.wake import wake

TASK = "addressbook.import_contacts"
CHUNK = 2000
#: After this long without a chunk a worker is taken for dead.
LEASE = timedelta(seconds=30)

log = logging.getLogger("stopgate.import")


def start(import_run: Import) -> bool:
    """Queues it once, however often somebody asks."""
    started = (
        Import.objects.of(import_run.company_id)
        .filter(pk=import_run.pk, status=Import.Status.MAPPING)
        .update(status=Import.Status.QUEUED, started_at=timezone.now())
    )
    if started:
        wake(TASK)
    return bool(started)


def cancel(import_run: Import) -> None:
    """No further chunk; what has been read so far stays."""
    with transaction.atomic():
        rows = Import.objects.of(import_run.company_id).filter(pk=import_run.pk)
        waiting = rows.filter(status__in=[Import.Status.QUEUED, Import.Status.RUNNING])
        if waiting.update(status=Import.Status.CANCELLED, finished_at=timezone.now()):
            storage.drop(import_run)


def unfinished() -> list[Import]:
    """Imports that nobody is working on."""
    abandoned = Q(status=Import.Status.RUNNING) & Q(heartbeat_at__lt=timezone.now() - LEASE)
    rows = Import.objects.across_companies().filter(Q(status=Import.Status.QUEUED) | abandoned)
    return list(rows.select_related("company").order_by("pk"))


def due() -> bool:
    return bool(unfinished())


def run_due(*, seconds: float = 20) -> None:
    """A job's worth of reading; asks for the next job when there is more."""
    until = time.monotonic() + seconds
    for import_run in unfinished():
        with company_scope(import_run.company_id), translation.override(import_run.company.language):
            try:
                finished = run(import_run, until=until)
            except (OperationalError, InterfaceError):
                raise  # the database is away for a while; the sweep tries again
            except Exception as problem:
                # Its name only: the message may hold somebody's number.
                log.error("import %s failed: %s", import_run.pk, type(problem).__name__)
                fail(import_run, problem)
                finished = True
        if not finished:
            wake(TASK)
            return


def run(import_run: Import, *, until: float | None = None, chunks: int | None = None) -> bool:
    """Reads on from where the last chunk ended; False when there is more to do, or somebody else does it."""
    position = import_run.rows_read
    rows = reading.rows_of(import_run, skip=position)
    done = 0
    while True:
        if (until is not None and time.monotonic() >= until) or (chunks is not None and done >= chunks):
            # Given back for the next job, which need not wait for the lease.
            Import.objects.of(import_run.company_id).filter(
                pk=import_run.pk, status=Import.Status.RUNNING, rows_read=position
            ).update(status=Import.Status.QUEUED)
            return False
        chunk = list(islice(rows, CHUNK))
        if not _write(import_run, position, chunk):
            return True
        if not chunk:
            return True
        position += len(chunk)
        done += 1


@transaction.atomic
def _write(import_run: Import, position: int, chunk: list[Row]) -> bool:
    """A chunk and the progress it makes; False when the import is not ours to go on with."""
    waiting = Import.objects.of(import_run.company_id).filter(
        pk=import_run.pk, status__in=[Import.Status.QUEUED, Import.Status.RUNNING], rows_read=position
    )
    progress = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("company").first()
    if progress is None:
        return False
    progress.heartbeat_at = timezone.now()
    progress.status = Import.Status.RUNNING if chunk else Import.Status.DONE
    if chunk:
        progress.rows_read += len(chunk)
        _take_in(progress, chunk)
    else:
        progress.finished_at = timezone.now()
        progress.rows = progress.rows_read
        storage.drop(progress)
    progress.save()
    return True


def _take_in(progress: Import, chunk: list[Row]) -> None:
    good = [row for row in chunk if row.values is not None]
    chosen = Import.groups.through.objects.filter(import_id=progress.pk).values("group_id")
    groups = list(Group.objects.of(progress.company_id).filter(pk__in=chosen))
    results = upsert(
        company=progress.company, rows=[row.values or {} for row in good], known=progress.known, groups=groups
    )
    for row, result in zip(good, results, strict=True):
        row.code, row.reason = result.code, result.detail
    for status in ("created", "updated", "unchanged"):
        setattr(progress, status, getattr(progress, status) + sum(r.status == status for r in results))
    progress.suppressed += _suppressed(progress, results)
    rejected = [row for row in chunk if row.code]
    progress.rejected += len(rejected)
    RejectedRow.objects.bulk_create(
        RejectedRow(
            company_id=progress.company_id,
            import_run=progress,
            line=row.number,
            cells=row.cells,
            code=row.code,
            reason=row.reason[:300],
        )
        for row in rejected
    )


def _suppressed(progress: Import, results: list[Result]) -> int:
    """Rows whose contact is in the address book but has opted out: kept and marked, never written to."""
    known = [r.contact_id for r in results if r.contact_id]
    out = set(
        Contact.objects.of(progress.company_id).filter(pk__in=set(known)).opted_out().values_list("pk", flat=True)
    )
    return sum(pk in out for pk in known)


def fail(import_run: Import, problem: Exception) -> None:
    """Gives up, saying where; what was read until there is in the address book."""
    known = isinstance(problem, FileProblem)
    error = str(problem) if known else _("Something went wrong on our side. Import the file again; nothing is doubled.")
    with transaction.atomic():
        Import.objects.of(import_run.company_id).filter(
            pk=import_run.pk, status__in=[Import.Status.QUEUED, Import.Status.RUNNING]
        ).update(status=Import.Status.FAILED, error=error[:300], finished_at=timezone.now())
        storage.drop(import_run)
