from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from config.management import arguments
from messaging.gateways import ADAPTERS, InvalidSettings
from messaging.models import Gateway


class Command(BaseCommand):
    help = "Registers a company's account at a provider and prints where its webhooks go."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--company", required=True, metavar="SLUG")
        parser.add_argument("--kind", required=True)
        # Not `settings`, which is Django's own option.
        parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="pairs")
        parser.add_argument("--default", action="store_true", help="new messages go through this one")

    def handle(self, *args: Any, **options: Any) -> None:
        kind, company = options["kind"], arguments.company(options["company"])
        offered = {name: adapter for name, adapter in ADAPTERS.items() if adapter.is_offered}
        if kind not in offered:
            raise CommandError(f"There is no gateway “{kind}”. Available: {', '.join(sorted(offered))}.")
        values = _pairs(options["pairs"])
        try:
            offered[kind].account.check(values, label=offered[kind].label)
        except InvalidSettings as problem:
            raise CommandError(f"--set: {problem}") from problem
        with transaction.atomic():
            of_company = Gateway.objects.of(company).select_for_update()
            default = options["default"] or not of_company.filter(is_default=True).exists()
            if default:
                of_company.update(is_default=False)
            gateway = Gateway.objects.create(company=company, kind=kind, is_default=default, settings=values)
        # The id is the unguessable one of the webhook addresses, not the row's.
        hooks = {hook: gateway.hook_url(hook) for hook in ("inbound", "status")}
        self.stdout.write(json.dumps({"id": str(gateway.token), **hooks}))


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"--set {name}: write it as KEY=VALUE.")
        if name in pairs:
            raise CommandError(f"--set {name} is given twice; leave one out.")
        pairs[name] = value
    return pairs
