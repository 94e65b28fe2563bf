from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from addressbook import seals
from config.management import arguments


class Command(BaseCommand):
    help = "Exits 0 if the ledger is intact and the suppressions follow from it, else 1 with what is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        company = arguments.company(options["company"]) if options["company"] else None
        problems = seals.verify(company)
        if problems:
            raise CommandError("The ledger is not intact.\n" + "\n".join(problems))
        self.stdout.write("The ledger is intact, and the suppressions follow from it.")
