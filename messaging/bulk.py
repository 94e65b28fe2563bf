"""What is written a million at a time keeps counts and walls itself, once per statement (sql/messages_v2.sql)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def bulk() -> Iterator[None]:
    """Inside, no row trigger counts or checks a message. Only for statements that do both themselves."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('stopgate.bulk', 'on', true)")
        yield
        cursor.execute("SELECT set_config('stopgate.bulk', '', true)")
