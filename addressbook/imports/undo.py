"""Taking an import back: the contacts that it created go again.

What it filled in or overwrote in contacts who were known before stays, and so do groups
and opt-outs. Contacts who have been changed since, or written to meanwhile, stay as well.
Done by the worker, a chunk in a transaction; a killed one is followed by the next.
"""

from __future__ import annotations

import time

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.scoping import company_scope
from addressbook.models import Contact, Import, ImportedContacts
from lib.wake import wake
from messaging.models import Message

TASK = "addressbook.import_contacts"
ENDED = (Import.Status.DONE, Import.Status.CANCELLED, Import.Status.FAILED)


class Messaged(ValueError):
    """Somebody has been written to: where the address came from must stay to be seen."""


def possible(import_run: Import) -> bool:
    """Whether there is anything to take back; whether anybody was messaged is asked when it begins."""
    return import_run.status in ENDED and not import_run.is_of_opt_outs and import_run.created > 0


def start(import_run: Import) -> bool:
    """Queues it, once. Raises Messaged."""
    if not possible(import_run):
        return False
    if _messaged(import_run):
        raise Messaged(
            _("Contacts of this import have been written to since, so it can no longer be undone. Nothing was changed.")
        )
    rows = Import.objects.of(import_run.company_id).filter(pk=import_run.pk, status__in=ENDED)
    started = rows.update(status=Import.Status.UNDOING)
    if started:
        wake(TASK)
    return bool(started)


def _messaged(import_run: Import) -> bool:
    chunks = ImportedContacts.objects.of(import_run.company_id).filter(import_run=import_run)
    return any(
        Message.objects.of(import_run.company_id).filter(contact_id__in=chunk.contacts).exists()
        for chunk in chunks.order_by("pk").iterator(chunk_size=10)
    )


def _waiting() -> list[Import]:
    return list(Import.objects.across_companies().filter(status=Import.Status.UNDOING).order_by("pk"))


def due() -> bool:
    return bool(_waiting())


def run_due(*, until: float | None = None) -> bool:
    """Goes on with what has been begun; True when there is more to do."""
    for import_run in _waiting():
        with company_scope(import_run.company_id):
            while _next_chunk(import_run):
                if until is not None and time.monotonic() >= until:
                    return True
    return False


@transaction.atomic
def _next_chunk(import_run: Import) -> bool:
    progress = (
        Import.objects.of(import_run.company_id)
        .filter(pk=import_run.pk, status=Import.Status.UNDOING)
        .select_for_update(skip_locked=True)
        .first()
    )
    if progress is None:
        return False
    chunk = ImportedContacts.objects.of(progress.company_id).filter(import_run=progress).order_by("pk").first()
    if chunk is None:
        progress.status = Import.Status.UNDONE
    else:
        progress.removed += _remove(progress, chunk.contacts)
        chunk.delete()
    progress.save(update_fields=["status", "removed"])
    return chunk is not None


def _remove(progress: Import, ids: list[int]) -> int:
    written_to = Message.objects.of(progress.company_id).filter(contact_id=OuterRef("pk"))
    untouched = Contact.objects.of(progress.company_id).filter(
        ~Exists(written_to), pk__in=ids, updated_at__lte=progress.finished_at or timezone.now()
    )
    return untouched.delete()[1].get("addressbook.Contact", 0)
