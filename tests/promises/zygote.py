"""A process with the project loaded and no connection, which forks workers on command: one is there in milliseconds.

Reads `fork` and `kill PID` from its input and answers each with a line. Run by tests/processes.py.
"""

from __future__ import annotations

import os
import signal
import sys

import django


def work() -> None:
    """As a worker's job does it, for ever."""
    from campaigns import dispatch

    while True:
        dispatch.send_due(category="marketing")


def main() -> None:
    django.setup()
    from django.db import connection

    from campaigns import audience
    from messaging.gateways import ADAPTERS

    connection.settings_dict["OPTIONS"]["application_name"] = "doomed"
    # Small pieces, so that those who live briefly finish some and are killed in the middle of many.
    audience.SLICE = 1000
    ADAPTERS["simulator"].batch_size = 50
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, pid = line.strip().partition(" ")
        if command == "fork":
            child = os.fork()
            if not child:
                try:
                    work()
                finally:
                    os._exit(1)
            print(child, flush=True)
        else:
            os.kill(int(pid), signal.SIGKILL)
            _, status = os.waitpid(int(pid), 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
