"""Background work: sending, imports, replies. Any number of workers may run."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

from asgiref.sync import sync_to_async
from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections
from procrastinate.contrib.django import app as django_app
from procrastinate.contrib.django.django_connector import DjangoConnector

from config import sweeps

#: Sending in two lanes at least, so that a one-time code never waits behind a campaign.
CONCURRENCY = 4
SWEEP_SECONDS = 2


class Command(BaseCommand):
    help = "Runs background work; --drain does all that is due now, then exits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--drain", action="store_true", help="do all that is due now, then exit 0")

    def handle(self, *args: Any, drain: bool, **options: Any) -> None:
        if drain:
            more = True
            while more:
                sweeps.sweep()
                asyncio.run(_work(wait=False))
                more = sweeps.sweep()
            return
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_work_for_good())


async def _work(*, wait: bool) -> None:
    connector = django_app.connector
    assert isinstance(connector, DjangoConnector)
    with django_app.replace_connector(connector.get_worker_connector()) as app:
        async with app.open_async():
            await app.run_worker_async(
                wait=wait,
                concurrency=CONCURRENCY,
                install_signal_handlers=False,
                delete_jobs="always",
                listen_notify=wait,
                fetch_job_polling_interval=1,
                shutdown_graceful_timeout=20,
            )


async def _work_for_good() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    worker = asyncio.create_task(_work(wait=True))
    sweeper = asyncio.create_task(_sweep_until(stop))
    await asyncio.wait({worker, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    await sweeper
    worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await worker


async def _sweep_until(stop: asyncio.Event) -> None:
    while not stop.is_set():
        await sync_to_async(_sweep_once)()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), SWEEP_SECONDS)


def _sweep_once() -> None:
    close_old_connections()
    sweeps.sweep_quietly()
