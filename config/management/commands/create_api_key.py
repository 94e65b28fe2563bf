from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from api.models import SCOPES, ApiKey
from config.management import arguments


class Command(BaseCommand):
    help = "Issues an API key for a company; it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--scope", required=True, nargs="+", action="extend", choices=SCOPES, dest="scopes", metavar="SCOPE"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _key, text = ApiKey.issue(
            company=arguments.company(options["company"]),
            name=arguments.name(options["name"]),
            scopes=list(dict.fromkeys(options["scopes"])),
        )
        self.stdout.write(json.dumps({"api_key": text}))
