from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import setup_company
from config.management import arguments


class Command(BaseCommand):
    help = (
        "Creates a company with its owner, a simulator gateway, the usual reasons and a first API key. "
        "A known e-mail joins as owner and keeps its password."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        parser.add_argument("--password", help="of the owner; needed for a new e-mail, must be right for a known one")
        parser.add_argument("--country", default="GB", help="two letters, e.g. NL")
        parser.add_argument("--language", default="en", help="e.g. nl")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = setup_company.set_up_company(
                name=arguments.name(options["name"]),
                owner=arguments.email(options["owner"]),
                password=options["password"],
                country=arguments.country(options["country"]),
                language=arguments.language(options["language"]),
            )
        except setup_company.WrongPassword as problem:
            raise CommandError(
                f"{options['owner']} has an account already, with another password. Give that one or leave out "
                "--password; it is not changed here."
            ) from problem
        except setup_company.PasswordNeeded as problem:
            raise CommandError(f"{options['owner']} has no account yet: give a --password.") from problem
        self.stdout.write(
            json.dumps({"company": made.company.slug, "owner": made.owner.email, "api_key": made.api_key})
        )
