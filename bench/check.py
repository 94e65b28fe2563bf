"""`/suppressions/check` with 10 000 addresses over HTTP; floor: the bare SQL look-up of the same 10 000."""

from __future__ import annotations

import json
import statistics

from django.db import connection

from addressbook import consent
from api.models import ApiKey
from bench import serving, world
from bench.serving import Ask
from lib.keys import digest_key
from messaging.addresses import Address

ADDRESSES = 10_000
ROUNDS = 15
GOAL = 5.0
LOOK_UP = """
SELECT w.n, s.since FROM unnest(%s::bytea[]) WITH ORDINALITY AS w(digest, n)
LEFT JOIN addressbook_suppression s ON s.company_id = %s AND s.channel = 'sms' AND s.digest = w.digest
"""


def run() -> list[dict[str, object]]:
    company = world.company()
    # Four of five are known to the company, as when another system asks about its own customers.
    world.real_crowd(company, people=ADDRESSES * 4 // 5)
    numbers = [f"+316{10_000_000 + n}" for n in range(ADDRESSES)]
    for number in numbers[::10]:
        consent.opt_out(company=company, address=Address("sms", number), source="api")
    _, key = ApiKey.issue(company=company, name="Bench", scopes=["read"])
    world.settle()
    floors = []
    digests = [Address("sms", number).digest(digest_key()) for number in numbers]
    for _ in range(ROUNDS):
        with world.timed() as floor, connection.cursor() as cursor:
            cursor.execute(LOOK_UP, [digests, company.pk])
            assert len(cursor.fetchall()) == ADDRESSES
        floors.append(floor.seconds)
    body = json.dumps({"addresses": numbers}).encode()
    headers = {**serving.APP, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with serving.gunicorn(settings_module="config.settings"):
        ask = Ask("POST", "/api/v1/suppressions/check", 200, body, headers)
        answer = json.loads(serving.one(ask)[1])["results"]
        assert sum(result["status"] == "suppressed" for result in answer) == ADDRESSES // 10
        ours = [serving.one(ask)[0] for _ in range(ROUNDS)]
    return [
        world.result(
            "check",
            seconds=statistics.median(ours),
            floor_seconds=statistics.median(floors),
            goal=GOAL,
            note=f"{ADDRESSES / statistics.median(ours):,.0f} addresses a second, one request at a time",
        )
    ]
