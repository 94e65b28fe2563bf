from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from addressbook import seals
from config.management import arguments


class Command(BaseCommand):
    help = "Exits 0 if the ledger is intact and the suppressions follow from it, else 1 with what is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", metavar="SLUG")
        parser.add_argument(
            "--seal", metavar="NUMBER:HASH", help="from a certificate or the logs: it must still stand; with --company"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        company = arguments.company(options["company"]) if options["company"] else None
        problems = seals.verify(company, given_out=_given_out(options))
        if problems:
            raise CommandError("The ledger is not intact.\n" + "\n".join(problems))
        self.stdout.write("The ledger is intact, and the suppressions follow from it.")
        if company and (latest := seals.latest(company)):
            self.stdout.write(f"Its latest seal is {latest}.")


def _given_out(options: dict[str, Any]) -> seals.GivenOut | None:
    if not options["seal"]:
        return None
    if not options["company"]:
        raise CommandError("--seal: name the company that it belongs to with --company.")
    try:
        return seals.GivenOut.parse(options["seal"])
    except ValueError as problem:
        raise CommandError("--seal: give a number and 64 hexadecimal digits, as in 12:0a1b…") from problem
