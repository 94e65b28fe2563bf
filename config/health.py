"""/healthz: the process answers. /readyz: it can do its work."""

from __future__ import annotations

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

#: A living worker says so every ten seconds.
WORKER_SILENT_SECONDS = 60
#: With one of these off, an acknowledged opt-out can be lost in a crash.
DURABLE = ("synchronous_commit", "fsync", "full_page_writes")

_migrated = False


@require_safe
def process(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """503 when an opt-out could not be taken and kept. A missing worker is told, but links still work."""
    try:
        checks = {"database": _database(), "migrations": _migrations()}
        worker = _worker()
    except Error:
        checks, worker = {"database": "unreachable"}, "unknown"
    healthy = all(found == "ok" for found in checks.values())
    return JsonResponse(
        {"status": "ok" if healthy else "unavailable", **checks, "worker": worker}, status=200 if healthy else 503
    )


def durability_off() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name = ANY(%s) AND setting = 'off'", [list(DURABLE)])
        return sorted(row[0] for row in cursor.fetchall())


def _database() -> str:
    off = durability_off()
    return f"{', '.join(off)} off" if off else "ok"


def _migrations() -> str:
    """Looked at until all are applied; a process does not outlive its own migrations."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "ok" if _migrated else "missing"


def _worker() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM procrastinate_workers"
            " WHERE last_heartbeat > now() - make_interval(secs => %s))",
            [WORKER_SILENT_SECONDS],
        )
        (alive,) = cursor.fetchone()
    return "ok" if alive else "silent"
