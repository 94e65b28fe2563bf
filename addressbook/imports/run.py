"""The import itself: chunk by chunk, each with its progress in one transaction.

A worker may be killed anywhere. What it had committed is counted, what it had not is
read again by the next one (`due`), so nothing is doubled and nothing is lost. Two
workers at once: the row is locked while a chunk is written, and who finds that the
other has moved on leaves.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.scoping import company_scope
from addressbook import many_opt_outs
from addressbook.imports import reading, storage, undo
from addressbook.imports.reader import FileProblem
from addressbook.imports.reading import Row
from addressbook.many_opt_outs import Left
from addressbook.models import Group, Import
from addressbook.models.ledger import Source
from addressbook.prepared import Batch, Result, as_json, escaped, prepare
from addressbook.upsert import upsert
from lib import sql
from lib.wake import wake

TASK = "addressbook.import_contacts"
CHUNK = 5000
#: Fewer: while they are written, other opt-outs of the company wait.
OPT_OUTS_AT_ONCE = 500
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
    storage.forget_drafts()
    return undo.due() or bool(unfinished())


def run_due(*, seconds: float = 20) -> None:
    """A job's worth of reading; asks for the next job when there is more."""
    until = time.monotonic() + seconds
    if undo.run_due(until=until):
        wake(TASK)
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
    """Reads on from where the last chunk ended; False when there is more to do, or somebody else does it.

    While the database writes a chunk, a thread reads the cells of the next one; it asks the database nothing.
    """
    position = import_run.rows_read
    cells = reading.cells_of(import_run, skip=position)
    reader = reading.RowReader(import_run)
    language = translation.get_language()

    def read(cells: list[tuple[int, list[str]]]) -> Chunk:
        with translation.override(language):
            chunk = Chunk([reader.read(number, row) for number, row in cells])
            if not import_run.is_of_opt_outs:
                chunk.batch = prepare(row.values or {} for row in chunk.good())
            return chunk

    size = OPT_OUTS_AT_ONCE if import_run.is_of_opt_outs else CHUNK
    done = 0
    with _for_two_threads(), ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(read, list(islice(cells, size)))
        while True:
            if (until is not None and time.monotonic() >= until) or (chunks is not None and done >= chunks):
                # Given back for the next job, which need not wait for the lease.
                Import.objects.of(import_run.company_id).filter(
                    pk=import_run.pk, status=Import.Status.RUNNING, rows_read=position
                ).update(status=Import.Status.QUEUED)
                return False
            chunk = coming.result()
            if chunk.rows:
                coming = pool.submit(read, list(islice(cells, size)))
            if not _write(import_run, position, chunk) or not chunk.rows:
                return True
            position += len(chunk.rows)
            done += 1


@dataclass(slots=True)
class Chunk:
    rows: list[Row]
    #: The good ones of a file of contacts, as `upsert` takes them.
    batch: Batch = field(default_factory=lambda: Batch(()))

    def good(self) -> list[Row]:
        return [row for row in self.rows if row.values is not None]


@contextmanager
def _for_two_threads() -> Iterator[None]:
    """One waits for the database most of the time, and should not wait for the other as well when that has answered.

    Rows hold no circles; looking for some among them as often as usual takes a fifth of the time.
    """
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(0.0005)
    gc.set_threshold(100_000, *thresholds[1:])
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)


@transaction.atomic
def _write(import_run: Import, position: int, chunk: Chunk) -> bool:
    """A chunk and the progress it makes; False when the import is not ours to go on with."""
    waiting = Import.objects.of(import_run.company_id).filter(
        pk=import_run.pk, status__in=[Import.Status.QUEUED, Import.Status.RUNNING], rows_read=position
    )
    progress = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("company").first()
    if progress is None:
        return False
    progress.heartbeat_at = timezone.now()
    progress.status = Import.Status.RUNNING if chunk.rows else Import.Status.DONE
    if chunk.rows:
        progress.rows_read += len(chunk.rows)
        _take_in(progress, chunk)
    else:
        progress.finished_at = timezone.now()
        progress.rows = progress.rows_read
        storage.drop(progress)
    progress.save()
    return True


def _take_in(progress: Import, chunk: Chunk) -> None:
    if progress.is_of_opt_outs:
        _opt_out(progress, chunk.good())
    else:
        _upsert(progress, chunk)
    rejected = [row for row in chunk.rows if row.code]
    progress.rejected += len(rejected)
    if rejected:
        whose = f"{progress.company_id}\t{progress.pk}"
        with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(_COPY_REJECTED) as copy:
            copy.write("".join([_rejected(whose, row) for row in rejected]))


_COPY_REJECTED = """
  COPY addressbook_rejectedrow (company_id, import_run_id, line, cells, code, reason) FROM STDIN"""


def _rejected(whose: str, row: Row) -> str:
    return f"{whose}\t{row.number}\t{escaped(as_json(row.cells))}\t{row.code}\t{escaped(row.reason[:300])}\n"


def _upsert(progress: Import, chunk: Chunk) -> None:
    chosen = Import.groups.through.objects.filter(import_id=progress.pk).values("group_id")
    groups = list(Group.objects.of(progress.company_id).filter(pk__in=chosen))
    results = upsert(company=progress.company, rows=chunk.batch, known=progress.known, groups=groups)
    for row, result in zip(chunk.good(), results, strict=True):
        row.code, row.reason = result.code, result.detail
    times = Counter([result.status for result in results])
    progress.created += times["created"]
    progress.updated += times["updated"]
    progress.unchanged += times["unchanged"]
    progress.suppressed += _suppressed(progress, results)
    if times["created"]:
        created = sql.integers(result.contact_id for result in results if result.status == "created")
        with connection.cursor() as cursor:
            cursor.execute(_CREATED, [progress.company_id, progress.pk, created])


_CREATED = """
  INSERT INTO addressbook_importedcontacts (company_id, import_run_id, contacts) VALUES (%s, %s, %s::bigint[])"""


def _opt_out(progress: Import, good: list[Row]) -> None:
    """`created` are those who were not out before, `unchanged` all others."""
    rows = []
    for row in good:
        values = row.values or {}
        evidence = {
            "method": "import of another provider's list",
            "file": progress.file_name,
            "sha256": progress.sha256,
            "row": row.number,
            "from": values.get("origin", ""),
            "when_as_written": values.get("when_as_written", ""),
        }
        addresses = tuple(values[name] for name in ("phone", "email") if name in values)
        kept = {name: value for name, value in evidence.items() if value}
        rows.append(Left(addresses, values.get("when"), values.get("reason", ""), kept))
    changed = many_opt_outs.opt_out(
        company=progress.company, rows=rows, source=Source.IMPORT.value, file=progress.sha256
    )
    progress.created += sum(changed)
    progress.unchanged += len(changed) - sum(changed)


def _suppressed(progress: Import, results: list[Result]) -> int:
    """Rows whose contact is in the address book but has opted out: kept and marked, never written to."""
    digests = {
        channel: sql.in_hex({result.digests[channel] for result in results if channel in result.digests})
        for channel in ("sms", "email")
    }
    with connection.cursor() as cursor:
        cursor.execute(_OPTED_OUT, {"company": progress.company_id, **digests})
        out = {bytes(digest) for (digest,) in cursor.fetchall()}
    return sum(not out.isdisjoint(result.digests.values()) for result in results) if out else 0


_OPTED_OUT = """
  SELECT digest FROM addressbook_suppression WHERE company_id = %(company)s
    AND channel = 'sms' AND digest = ANY(ARRAY(SELECT decode(d, 'hex') FROM unnest(%(sms)s::text[]) d))
  UNION ALL
  SELECT digest FROM addressbook_suppression WHERE company_id = %(company)s
    AND channel = 'email' AND digest = ANY(ARRAY(SELECT decode(d, 'hex') FROM unnest(%(email)s::text[]) d))
"""


def fail(import_run: Import, problem: Exception) -> None:
    """Gives up, saying where; what was read until there is in the address book."""
    known = isinstance(problem, FileProblem)
    error = str(problem) if known else _("Something went wrong on our side. Import the file again; nothing is doubled.")
    with transaction.atomic():
        Import.objects.of(import_run.company_id).filter(
            pk=import_run.pk, status__in=[Import.Status.QUEUED, Import.Status.RUNNING]
        ).update(status=Import.Status.FAILED, error=error[:300], finished_at=timezone.now())
        storage.drop(import_run)
