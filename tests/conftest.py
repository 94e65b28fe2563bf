from __future__ import annotations

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management.commands import flush
from django.db import connection
from hypothesis import settings as hypothesis_settings

from tests.world import World

# The same examples in every run, however busy the machine is.
hypothesis_settings.register_profile("stopgate", deadline=None, derandomize=True)
hypothesis_settings.load_profile("stopgate")


@pytest.fixture(autouse=True, scope="session")
def _passwords_in_one_round():
    """The same algorithm with one round instead of a million; other processes can still check what it made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        yield


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
