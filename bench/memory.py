"""Peak memory of every process while the other benchmarks run, beside the same kind of process when idle.

Sampled from /proc. What PostgreSQL's processes share is its buffer pool, configured and not used by one of them:
for these only memory of their own counts. Clients that play the outside world do not count.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from django.db import connection

EVERY_SECONDS = 0.1
GOAL_MIB = 150.0
CLIENTS = b"multiprocessing"


class Watch:
    def __init__(self) -> None:
        self.idle: dict[str, int] = {}
        self.peak: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._postmaster = 0

    def start(self) -> None:
        """Now, while nothing has been done yet."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend = cursor.fetchone()[0]
        self._postmaster = _parents()[backend]
        self.idle = {"python": _own("python", os.getpid()), "postgres": _own("postgres", backend)}
        self.peak = dict(self.idle)
        self._thread.start()

    def stop(self) -> dict[str, object]:
        self._stop.set()
        self._thread.join()
        kind = max(self.peak, key=lambda kind: self.peak[kind] - self.idle[kind])
        grown = (self.peak[kind] - self.idle[kind]) / 2**20
        return {
            "name": "memory",
            "kind": kind,
            "mib": round(self.peak[kind] / 2**20, 1),
            "floor_mib": round(self.idle[kind] / 2**20, 1),
            "grown_mib": round(grown, 1),
            "goal_mib": GOAL_MIB,
            "all_mib": {kind: round(self.peak[kind] / 2**20, 1) for kind in self.peak},
        }

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            for kind, pid in self._processes():
                self.peak[kind] = max(self.peak[kind], _own(kind, pid))

    def _processes(self) -> list[tuple[str, int]]:
        parents = _parents()
        found = []
        for pid in parents:
            above, at = {pid}, pid
            while (at := parents.get(at, 0)) > 1:
                above.add(at)
            if self._postmaster in above and pid != self._postmaster:
                found.append(("postgres", pid))
            elif os.getpid() in above and self._postmaster not in above and CLIENTS not in _read(pid, "cmdline"):
                found.append(("python", pid))
        return found


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # ended meanwhile
        return b""


def _parents() -> dict[int, int]:
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (stat := _read(int(entry.name), "stat")):
            found[int(entry.name)] = int(stat.rpartition(b") ")[2].split()[1])
    return found


def _own(kind: str, pid: int) -> int:
    """Resident bytes; of PostgreSQL's processes those that are not shared with the others."""
    wanted = (b"RssAnon:",) if kind == "postgres" else (b"VmRSS:",)
    lines = _read(pid, "status").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))
