"""STOP webhooks of distinct numbers over gunicorn; floor: a bare view with one INSERT, same server."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from django.utils import timezone

from bench import serving, world
from bench.serving import Ask
from campaigns import audience, dispatch
from campaigns.models import Campaign
from messaging.models import Gateway, Sender
from optout.models import DestinationRule
from optout.quiet_hours import DAYS

PEOPLE = 4_000
GOAL = 2.0
CODE = "2525"


def run() -> list[dict[str, object]]:
    company = world.company()
    # Hours are open, so that the clock of the day does not keep back what is replied to.
    DestinationRule.objects.update(window=dict.fromkeys(DAYS, "00:00-24:00"), holidays=False)
    Sender.objects.create(company=company, value=CODE, kind="short_code", country="NL")
    group = world.real_crowd(company, people=PEOPLE)
    campaign = Campaign.objects.create(company=company, name="Bench", body="Everything is half price.", sender=CODE)
    campaign.groups.set([group])
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=600)
    gateway = Gateway(company=company, kind="cm")
    gateway.settings = {"product_token": "bench"}
    gateway.save()
    world.sql("CREATE TABLE bare (id bigserial PRIMARY KEY, phone text NOT NULL)")
    numbers = [f"+316{10_000_000 + n}" for n in range(PEOPLE)]
    world.settle()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with serving.gunicorn(settings_module="bench.bare_settings"):
        bare = [Ask("POST", "/1", 303, urlencode({"phone": number}).encode(), form) for number in numbers]
        serving.hammer(bare[:200])
        floor = serving.hammer(bare)
    world.settle()
    path = f"/hooks/cm/{gateway.token}/inbound"
    headers = {**serving.APP, "Content-Type": "application/json"}
    asks = [Ask("POST", path, 200, _stop(number), headers) for number in numbers]
    with serving.gunicorn(settings_module="config.settings"):
        serving.hammer([Ask("GET", "/healthz", 200, headers=serving.APP)] * 200)
        ours = serving.hammer(asks)
    out = world.count("SELECT count(*) FROM addressbook_suppression WHERE channel = 'sms'")
    assert out == PEOPLE, out
    attributed = world.count(f"SELECT count(*) FROM addressbook_consentevent WHERE campaign_id = {campaign.pk}")
    assert attributed >= PEOPLE, attributed
    return [
        world.result(
            "replies", seconds=ours, floor_seconds=floor, goal=GOAL, note=f"{PEOPLE / ours:,.0f} replies a second"
        )
    ]


def _stop(number: str) -> bytes:
    said = {
        "from": {"number": "00" + number[1:]},
        "to": {"number": CODE},
        "message": {"text": "STOP"},
        "reference": "",
        "timeUtc": timezone.now().strftime("%Y-%m-%dT%H:%M:%S"),
        "channel": "SMS",
    }
    return json.dumps(said).encode()
