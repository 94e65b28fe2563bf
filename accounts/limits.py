"""Token buckets in PostgreSQL: one atomic statement, right across any number of processes."""

from __future__ import annotations

from django.db import connection

_TAKE = """
INSERT INTO accounts_bucket AS b (key, tokens, updated_at)
VALUES (%(key)s, %(size)s - 1, clock_timestamp())
ON CONFLICT (key) DO UPDATE SET
  tokens = GREATEST(-1, -1 + LEAST(%(size)s,
    b.tokens + extract(epoch FROM clock_timestamp() - b.updated_at) * %(size)s / %(seconds)s)),
  updated_at = clock_timestamp()
RETURNING tokens
"""
_LOOK = """
SELECT LEAST(%(size)s, tokens + extract(epoch FROM clock_timestamp() - updated_at) * %(size)s / %(seconds)s)
FROM accounts_bucket WHERE key = %(key)s
"""


def take(key: str, *, size: int, seconds: float) -> bool:
    """Take one of `size` tokens that refill within `seconds`; False when none was left."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"key": key[:100], "size": size, "seconds": seconds})
        return cursor.fetchone()[0] >= 0


def left(key: str, *, size: int, seconds: float) -> float:
    """How many tokens are left, taking none."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, {"key": key[:100], "size": size, "seconds": seconds})
        row = cursor.fetchone()
    return float(row[0]) if row else float(size)


def give_back(key: str, *, size: int) -> None:
    """The try was a good one and does not count."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_bucket SET tokens = LEAST(%(size)s, tokens + 1) WHERE key = %(key)s",
            {"key": key[:100], "size": size},
        )
