from __future__ import annotations

import logging
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from optout import mailbox

log = logging.getLogger("stopgate.mailbox")


class Command(BaseCommand):
    help = "Takes one e-mail from standard input, as a mail server pipes it: an opt-out by List-Unsubscribe's mailto:."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--recipient", action="append", default=[], metavar="ADDRESS", help="of the envelope; may be repeated"
        )

    def handle(self, *args: Any, recipient: list[str], **options: Any) -> None:
        """Ends with 0 when the mail server is to forget the message, with 75 when it is to come again with it.

        What is no opt-out is forgotten as well: to send it back would go to whoever's address was forged.
        """
        data = sys.stdin.buffer.read(mailbox.MOST_BYTES)
        while sys.stdin.buffer.read(64 * 1024):
            pass  # to its end: a mail server takes a closed pipe for a failure
        try:
            taken = mailbox.take(data, recipients=recipient)
        except Exception as problem:
            log.error("an e-mail could not be read: %s", type(problem).__name__)
            sys.exit(os.EX_TEMPFAIL)
        if not taken:
            log.info("an e-mail without a code of ours was dropped")
