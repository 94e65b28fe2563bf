from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from config.management import arguments
from messaging.models import Sender


class Command(BaseCommand):
    help = "Registers a sender for one company, or for all (--shared)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("sender")
        parser.add_argument("--kind", required=True, choices=Sender.Kind.values)
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--company", metavar="SLUG")
        whose.add_argument("--shared", action="store_true", help="platform-wide")
        parser.add_argument(
            "--country", nargs="+", action="extend", default=[], dest="countries", help="none: every country"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        company = arguments.company(options["company"]) if options["company"] else None
        value = options["sender"].strip()
        countries = list(dict.fromkeys(map(arguments.country, options["countries"]))) or [""]
        with transaction.atomic():
            for country in countries:
                sender = Sender(company=company, value=value, kind=options["kind"], country=country)
                try:
                    sender.full_clean(validate_constraints=False)
                except ValidationError as problem:
                    raise CommandError(f"{sender}: {' '.join(problem.messages)}") from problem
                if Sender.objects.filter(company=company, value=value, country=country).exists():
                    raise CommandError(f"{sender} is registered already; remove it first to change its kind.")
                sender.save()
        self.stdout.write(
            json.dumps(
                {
                    "sender": value,
                    "kind": options["kind"],
                    "company": company and company.slug,
                    "countries": [country for country in countries if country],
                }
            )
        )
