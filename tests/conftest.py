from __future__ import annotations

import os

os.environ.setdefault("SECRET_KEY", "tests-only-secret-key-0123456789abcdefghij")
os.environ.setdefault("LINK_KEY", "tests-only-link-key-0123456789abcdefghijkl")
os.environ.setdefault("DIGEST_KEY", "tests-only-digest-key-0123456789abcdefghij")

import pytest
from django.core.management.commands import flush
from django.db import connection

from tests.world import World


@pytest.fixture
def world(db) -> World:
    return World.make()


def _flush_despite_the_ledger(real):
    """Between transactional tests the tables are emptied, which the ledger's triggers rightly refuse."""

    def handle(self, **options):
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
        try:
            real(self, **options)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = origin")
        from optout import destinations
        from optout.models import DestinationRule, OptOutText

        destinations.load_platform_data(rules=DestinationRule, texts=OptOutText)

    return handle


flush.Command.handle = _flush_despite_the_ledger(flush.Command.handle)
