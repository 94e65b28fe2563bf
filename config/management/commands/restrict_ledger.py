from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from addressbook import restriction


class Command(BaseCommand):
    help = "Takes a database role's rights to change the ledger; run it as the owner of the tables."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", metavar="ROLE", help="the role that web and worker use")

    def handle(self, *args: Any, role: str, **options: Any) -> None:
        if not role or "\0" in role or '"' in role:
            raise CommandError("Give the name of a database role.")
        try:
            restriction.restrict(role)
        except restriction.Unfit as problem:
            raise CommandError(
                f"The role “{role}” {problem}. Make one with CREATE ROLE … LOGIN that owns nothing."
            ) from problem
        self.stdout.write(f"The role “{role}” can add to the ledger and erase evidence, and nothing else in it.")
