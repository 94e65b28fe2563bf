"""Hand over 200 k messages through a gateway that does nothing; floor: marking the same rows sent, 1000 at a time."""

from __future__ import annotations

from django.db import connection

from bench import world
from campaigns import audience, dispatch
from campaigns.models import Campaign
from optout.models import DestinationRule
from optout.quiet_hours import DAYS

MESSAGES = 200_000
GOAL = 2.0


def run() -> list[dict[str, object]]:
    company = world.company()
    group = world.crowd(company, people=MESSAGES)
    campaign = Campaign.objects.create(
        company=company, name="Bench", body="Hi {first_name}, everything is half price until Sunday.", sender="Bench"
    )
    campaign.groups.set([group])
    campaign.launch()
    audience.build(campaign)
    world.sql("CREATE TABLE floor (LIKE messaging_message INCLUDING DEFAULTS)")
    world.sql("INSERT INTO floor SELECT * FROM messaging_message ORDER BY id")
    world.sql("ALTER TABLE floor ADD PRIMARY KEY (id)")
    # Each message is judged by its hours; they are open, so that the clock of the day decides nothing.
    always = dict.fromkeys(DAYS, "00:00-24:00")
    DestinationRule.objects.update(window=always, holidays=False)
    world.settle()
    with world.timed() as ours:
        dispatch.run(category="marketing", seconds=600)
    campaign.refresh_from_db()
    assert campaign.counts()["sent"] == MESSAGES, campaign.counts()
    world.settle()
    with world.timed() as floor:
        mark_sent()
    return [
        world.result(
            "dispatch",
            seconds=ours.seconds,
            floor_seconds=floor.seconds,
            goal=GOAL,
            note=f"{MESSAGES / ours.seconds:,.0f} messages a second",
        )
    ]


def mark_sent() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id), max(id) FROM floor")
        first, last = cursor.fetchone()
        for start in range(first, last + 1, 1000):
            cursor.execute(
                "UPDATE floor SET status = 'sent', sent_at = now() WHERE id BETWEEN %s AND %s", (start, start + 999)
            )
