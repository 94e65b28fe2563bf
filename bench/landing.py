"""GET and POST of distinct opt-out links; floor: a bare view with one SELECT (GET) and one INSERT (POST)."""

from __future__ import annotations

from urllib.parse import urlencode

from bench import serving, world
from bench.serving import Ask
from campaigns import audience, dispatch
from campaigns.models import Campaign
from messaging.models import Message
from optout.links import codes

LINKS = 4_000
GOAL = 1.5
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def run() -> list[dict[str, object]]:
    company = world.company()
    group = world.real_crowd(company, people=LINKS)
    campaign = Campaign.objects.create(company=company, name="Bench", body="Everything is half price.", sender="Bench")
    campaign.groups.set([group])
    campaign.launch()
    audience.build(campaign)
    dispatch.run(category="marketing", seconds=600)
    world.sql("CREATE TABLE bare (id bigserial PRIMARY KEY, phone text NOT NULL)")
    messages = list(Message.objects.of(company).order_by("pk").values_list("pk", "address"))
    world.settle()
    with serving.gunicorn(settings_module="bench.bare_settings"):
        serving.hammer(_warm_up(str(messages[0][0])))
        floor = serving.hammer(_asks([(str(pk), address) for pk, address in messages]))
    world.settle()
    with serving.gunicorn(settings_module="config.settings"):
        serving.hammer(_warm_up(codes().encode(messages[0][0])))
        ours = serving.hammer(_asks([(codes().encode(pk), address) for pk, address in messages]))
    out = world.count("SELECT count(*) FROM addressbook_suppression")
    assert out == LINKS, out
    return [
        world.result(
            "landing",
            seconds=ours,
            floor_seconds=floor,
            goal=GOAL,
            note=f"{2 * LINKS / ours:,.0f} requests a second",
        )
    ]


def _warm_up(path: str) -> list[Ask]:
    return [Ask("GET", f"/{path}", 200)] * 200


def _asks(links: list[tuple[str, str]]) -> list[Ask]:
    asks = []
    for path, address in links:
        asks.append(Ask("GET", f"/{path}", 200))
        asks.append(Ask("POST", f"/{path}", 303, urlencode({"phone": address}).encode(), FORM))
    return asks
