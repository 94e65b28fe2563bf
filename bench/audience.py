"""Build the messages of a campaign for 1 M contacts, 10 % suppressed; floor: the same rows, primary key only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from bench import world
from campaigns import audience
from campaigns.models import Campaign

#: As many as one worker on this machine puts to it (campaigns/tasks.py).
BUILDERS = 2
PEOPLE = 1_000_000
GOAL = 2.0


def run() -> list[dict[str, object]]:
    company = world.company()
    group = world.crowd(company, people=PEOPLE, suppressed_percent=10)
    campaign = Campaign.objects.create(company=company, name="Bench", body="Hi {first_name}, sale", sender="Bench")
    campaign.groups.set([group])
    world.settle()
    campaign.launch()
    with world.timed() as ours, ThreadPoolExecutor(BUILDERS) as builders:
        written = sum(builders.map(_build, [campaign.pk] * BUILDERS))
    world.sql("CREATE TABLE floor (LIKE messaging_message INCLUDING DEFAULTS)")
    world.sql("ALTER TABLE floor ADD PRIMARY KEY (id)")
    world.settle()
    with world.timed() as floor:
        world.sql("INSERT INTO floor SELECT * FROM messaging_message")
    return [
        world.result(
            "audience", seconds=ours.seconds, floor_seconds=floor.seconds, goal=GOAL, note=f"{written:,} messages"
        )
    ]


def _build(campaign_id: int) -> int:
    try:
        return audience.build(Campaign.objects.across_companies().get(pk=campaign_id))
    finally:
        connection.close()
