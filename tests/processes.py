"""Real processes of the project against the test's database, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    p = connection.get_connection_params()
    query = urlencode({"host": p["host"]}) if p.get("host") else ""
    return f"postgresql://{quote(p['user'])}:{quote(p.get('password') or '')}@/{p['dbname']}?{query}"


def environment(**extra: str) -> dict[str, str]:
    ours = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "config.settings", "QUIET_HOURS": "off"}
    return {**os.environ, **ours, **extra}


def manage(*arguments: str, **extra: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(**extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


class Workers:
    """Workers that are forked from a process which has loaded the project, to be killed by the dozen."""

    def __init__(self, **extra: str) -> None:
        self.zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.promises.zygote"],
            cwd=ROOT,
            env=environment(**extra),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.alive: list[str] = []
        assert self._answer() == "ready"

    def start(self) -> None:
        self.alive.append(self._ask("fork"))

    def kill(self, which: int) -> None:
        assert self._ask(f"kill {self.alive.pop(which)}") == str(-signal.SIGKILL), "it had ended by itself"

    def close(self) -> None:
        while self.alive:
            self.kill(0)
        self.zygote.communicate(timeout=60)

    def are_gone(self) -> bool:
        """The database too has noticed that they are dead."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'doomed')")
            return bool(cursor.fetchone()[0])

    def _ask(self, command: str) -> str:
        assert self.zygote.stdin
        self.zygote.stdin.write(f"{command}\n")
        self.zygote.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self.zygote.stdout
        return self.zygote.stdout.readline().strip()


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something another process does; fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
