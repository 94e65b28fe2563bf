"""Acts on connections of their own, taken forward statement by statement in an order that a schedule says.

Each actor is a thread with its own connection. It stops before every statement that touches what the acts share, and
before every commit; one goes on at a time. Who waits for another's lock in the database is passed over until it has it.
So a run is a list of choices, and `schedules` tries the lists one after the other.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

#: What the acts share. The rest (settings, wake-ups, savepoints) is nobody else's business.
SHARED = re.compile(
    r"pg_advisory|consent_|batch_|addressbook_(contact|groupcontact|suppression|consentevent)\b"
    r"|messaging_(message|batch|reply|handsetmessage)\b|campaigns_(campaign|slice)\b|optout_reviewitem"
)
#: How long a step may go on before the database is asked whether it waits for somebody.
SOON = 0.002
#: So long nothing at all may come: something is broken.
NEVER = 30.0

_here = threading.local()


@dataclass
class Step:
    """What happened: an actor's statement (or "COMMIT") began, or its act ended."""

    actor: str
    what: str


class _Actor:
    """A thread that plays whatever act it is given; it keeps its connection."""

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self.acts: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.go = threading.Semaphore(0)
        self.name = ""
        self.state = "idle"  # idle, running, paused, done
        self.next = ""
        self.result: object = None
        self.pid = 0
        ready = threading.Event()
        self.thread = threading.Thread(target=self._live, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait(NEVER)

    def _live(self, ready: threading.Event) -> None:
        _here.actor = None
        with connection.cursor() as cursor:
            # Circles are looked for soon: they are what is to be found.
            cursor.execute("SET deadlock_timeout = '20ms'")
            cursor.execute("SELECT pg_backend_pid()")
            (self.pid,) = cursor.fetchone()
        ready.set()
        while act := self.acts.get():
            _here.actor = self
            try:
                self.result = act() or "done"
            except BaseException as problem:
                self.result = problem
            _here.actor = None
            self.stepper.arrived(self, "done")
        connections.close_all()

    def pause(self, what: str) -> None:
        self.next = what
        self.stepper.arrived(self, "paused")
        self.go.acquire()


class Stepper:
    def __init__(self, actors: int) -> None:
        self.changed = threading.Condition()
        self.actors = [_Actor(self) for _ in range(actors)]
        self.pids = [actor.pid for actor in self.actors]

    def close(self) -> None:
        for actor in self.actors:
            actor.acts.put(None)
            actor.thread.join(NEVER)

    def arrived(self, actor: _Actor, state: str) -> None:
        with self.changed:
            actor.state = state
            self.changed.notify()

    def run(self, acts: Mapping[str, Callable[[], object]], choose: Callable[[list[str]], str]) -> Run:
        """Play the acts to their ends; `choose` names who goes on, of those who can."""
        run = Run()
        playing = {}
        for actor, (name, act) in zip(self.actors, acts.items(), strict=False):
            actor.name, actor.state, playing[name] = name, "running", actor
            actor.acts.put(act)
            self._settle([actor])  # as far as its first statement
        while any(actor.state != "done" for actor in playing.values()):
            able = [name for name, actor in playing.items() if actor.state == "paused"]
            if not able:
                # A circle of waiting, which PostgreSQL breaks: somebody's act ends with its error.
                assert self._until(lambda: any(a.state != "running" for a in playing.values()), seconds=NEVER)
                continue
            actor = playing[choose(able)]
            run.steps.append(Step(actor.name, actor.next))
            actor.state = "running"
            actor.go.release()
            waiting = [a for a in playing.values() if a.state == "running"]
            self._settle(waiting)
            for each in waiting:
                if each.state == "done":
                    run.steps.append(Step(each.name, "done"))
        run.results = {name: actor.result for name, actor in playing.items()}
        return run

    def _settle(self, running: list[_Actor]) -> None:
        """Until each of these has stopped, or waits for a lock that another one has."""
        soon = SOON
        while not self._until(lambda: all(a.state != "running" for a in running), seconds=soon):
            soon = min(2 * soon, 0.02)
            still = [a.pid for a in running if a.state == "running"]
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT bool_and(pg_blocking_pids(pid) && %s::int[]) FROM unnest(%s::int[]) pid", [self.pids, still]
                )
                (all_wait,) = cursor.fetchone()
            if all_wait and {a.pid for a in running if a.state == "running"} == set(still):
                return

    def _until(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        with self.changed:
            return self.changed.wait_for(condition, seconds)


@dataclass
class Run:
    steps: list[Step] = field(default_factory=list)
    #: What each act returned or raised.
    results: dict[str, Any] = field(default_factory=dict)

    def place(self, actor: str, what: str) -> int:
        """Where the actor last did something that contains `what`; -1 for never."""
        return max((i for i, s in enumerate(self.steps) if s.actor == actor and what in s.what), default=-1)

    def __str__(self) -> str:
        return "\n".join(f"{s.actor}: {' '.join(s.what.split())[:110]}" for s in self.steps)


def serially(*order: str) -> Callable[[list[str]], str]:
    return lambda able: next(name for name in order if name in able)


def schedules(play: Callable[[Callable[[list[str]], str]], Any], *, switches: int) -> Iterator[Any]:
    """What `play` returns for every schedule in which nobody is interrupted more than `switches` times in all.

    A run is made anew for each, following the choices of an earlier one up to where it differs.
    """
    waiting: list[list[str]] = [[]]
    while waiting:
        prefix = waiting.pop()
        taken: list[str] = []
        spent = [0]

        def choose(
            able: list[str], prefix: list[str] = prefix, taken: list[str] = taken, spent: list[int] = spent
        ) -> str:
            at, last = len(taken), taken[-1] if taken else ""
            if at < len(prefix) and prefix[at] in able:
                chosen = prefix[at]
            else:
                chosen = last if last in able else able[0]
                for other in able:
                    if at >= len(prefix) and other != chosen and spent[0] + (last in able) <= switches:
                        waiting.append([*taken, other])
            spent[0] += last in able and chosen != last
            taken.append(chosen)
            return chosen

        yield play(choose)


@contextmanager
def stepping(actors: int) -> Iterator[Stepper]:
    """While inside, actors stop before statements and commits; everybody else's pass as ever."""

    def stopping(real: Callable[..., Any], what: Callable[[tuple[Any, ...]], str]) -> Callable[..., Any]:
        def stop(self: Any, *args: Any, **kwargs: Any) -> Any:
            actor = getattr(_here, "actor", None)
            if actor is not None and (text := what(args)):
                actor.pause(text)
            return real(self, *args, **kwargs)

        return stop

    def statement(args: tuple[Any, ...]) -> str:
        text = args[0] if isinstance(args[0], str) else str(args[0])
        return text if SHARED.search(text) else ""

    with pytest.MonkeyPatch.context() as patch:
        for name in ("execute", "executemany", "copy"):
            patch.setattr(psycopg.Cursor, name, stopping(getattr(psycopg.Cursor, name), statement))
        patch.setattr(psycopg.Connection, "commit", stopping(psycopg.Connection.commit, lambda _args: "COMMIT"))
        stepper = Stepper(actors)
        try:
            yield stepper
        finally:
            stepper.close()
