"""A real worker, killed in the middle of a real import."""

from __future__ import annotations

from datetime import timedelta

import pytest

from addressbook.imports import run, storage
from addressbook.models import Contact, GroupContact, Import, ImportedContacts, RejectedRow
from tests import make
from tests.processes import manage, until

ROWS = 30_000

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting() -> Import:
    """Every tenth row is bad, and every number of the second half stands in the file twice."""
    numbers = [f"+316{10_000_000 + n}" if n % 10 else "061" for n in range(ROWS * 2 // 3)]
    numbers += numbers[ROWS // 3 :]
    acme = make.company()
    found = Import.objects.create(
        company=acme,
        file_name="x.csv",
        columns=["phone", "first name"],
        mapping={"phone": 0, "first_name": 1},
        default_country="NL",
        rows=ROWS,
    )
    found.groups.set([make.group(acme)])
    storage.store(found, [b"phone,first name\n", *(f"{number},Ann\n".encode() for number in numbers)])
    run.start(found)
    return found


def test_a_worker_killed_in_the_middle_is_followed_by_one_that_loses_and_doubles_nothing(waiting):
    killed = []
    for share in (1, ROWS // 3):
        worker = manage("worker")
        try:
            until(lambda share=share: _read(waiting) >= share)
        finally:
            worker.kill()
            worker.communicate()
        killed.append(_read(waiting))
        # As half a minute later, when the dead worker's lease is over.
        Import.objects.of(waiting.company_id).update(heartbeat_at=waiting.started_at - timedelta(minutes=1))
    assert 0 < killed[0] < ROWS
    worker = manage("worker", "--drain")
    said, _ = worker.communicate(timeout=120)
    assert worker.returncode == 0, said.decode()
    waiting.refresh_from_db()
    people = ROWS * 2 // 3 * 9 // 10
    assert waiting.status == "done"
    assert (waiting.created, waiting.unchanged, waiting.rejected) == (people, ROWS * 9 // 10 - people, ROWS // 10)
    contacts = Contact.objects.of(waiting.company_id)
    assert contacts.count() == people
    assert GroupContact.objects.of(waiting.company_id).count() == people
    listed = [pk for chunk in ImportedContacts.objects.of(waiting.company_id) for pk in chunk.contacts]
    assert sorted(listed) == sorted(contacts.values_list("pk", flat=True))
    assert RejectedRow.objects.of(waiting.company_id).count() == ROWS // 10


def _read(found: Import) -> int:
    found.refresh_from_db()
    return found.rows_read
