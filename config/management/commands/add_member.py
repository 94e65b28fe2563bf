from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import team
from accounts.models import Member
from config import setup_company
from config.management import arguments


class Command(BaseCommand):
    help = "Adds a person to a company, or changes their role. A known e-mail keeps its password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--company", required=True, metavar="SLUG")
        parser.add_argument("--role", required=True, choices=Member.Role.values)
        parser.add_argument("--password", help="needed for a new e-mail, must be right for a known one")

    def handle(self, *args: Any, **options: Any) -> None:
        company, role = arguments.company(options["company"]), options["role"]
        email = arguments.email(options["email"])
        try:
            with transaction.atomic():
                user = setup_company.person(email=email, password=options["password"])
                member, made = Member.objects.get_or_create(company=company, user=user, defaults={"role": role})
                if not made:
                    team.change_role(member=member, role=role)
        except setup_company.WrongPassword as problem:
            raise CommandError(
                f"{email} has an account already, with another password. Give that one or leave out --password."
            ) from problem
        except setup_company.PasswordNeeded as problem:
            raise CommandError(f"{email} has no account yet: give a --password.") from problem
        except team.LastOwner as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(json.dumps({"company": company.slug, "member": email, "role": role}))
