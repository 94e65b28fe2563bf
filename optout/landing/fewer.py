"""Fewer messages instead of none: what the quiet second choice on a page does, where the company offers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from babel.dates import format_date

from addressbook import preferences
from addressbook.models import Group
from lib import zones
from messaging.addresses import Address
from optout import reasons
from optout.landing import pages, texts
from optout.landing.forms import Answer
from optout.landing.link import Link, Standing

PAUSES = {f"pause-{days}": days for days in preferences.DAYS}
TOPICS = "topics"
STOP = "out"
UNDO = {"undo-pause": preferences.end_pause, "undo-topics": preferences.come_back}


def is_asked(answer: Answer) -> bool:
    return not answer.one_click and (answer.action == TOPICS or answer.action.startswith("pause-"))


def choose(link: Link, *, address: Address, answer: Answer, language: str, proof: Mapping[str, Any]) -> str:
    """The page that says what was done; empty when nothing was chosen of what the company offers."""
    if answer.action == TOPICS:
        names = {str(pk): name for pk, name in link.brand.topics_in(language) if str(pk) in answer.topics}
        topics = list(Group.objects.of(link.company).topics().filter(pk__in=names)) if names else []
        if not topics:
            return ""
        said = [texts.text("topics", language=language), *(names[str(topic.pk)] for topic in topics)]
        done = preferences.leave(_act(link, address, answer, said=said, proof=proof), topics=topics)
    elif link.brand.offers_pause and answer.action in PAUSES:
        days = PAUSES[answer.action]
        said = [texts.template("pause", language=language).replace("{days}", str(days))]
        done = preferences.pause(_act(link, address, answer, said=said, proof=proof), days=days)
    else:
        return ""
    # Who has opted out already stays out, which is more.
    return (TOPICS if answer.action == TOPICS else "paused") if done else "already"


def undo(link: Link, *, answer: Answer, language: str, proof: Mapping[str, Any]) -> None:
    said = [texts.text("undo", language=language)]
    UNDO[answer.action](_act(link, link.address, answer, said=said, proof=proof))


def page(link: Link, standing: Standing, *, purpose: str, language: str) -> pages.Page | None:
    """What is still in force of the choice; None when nothing is."""
    left = standing.topics_left(language)
    facts = {"language": language, "brand": link.brand, "left": tuple(left)}
    if standing.paused_until:
        return pages.page("fewer", state="paused", date=_day(standing.paused_until, link, language), **facts)
    if left and purpose == TOPICS:
        return pages.page("fewer", state="topics-left", **facts)
    return None


def _act(link: Link, address: Address, answer: Answer, *, said: list[str], proof: Mapping[str, Any]) -> preferences.Act:
    why = reasons.known(link.brand.company_id, answer.reason)
    shown = " / ".join([texts.text("fewer", language=proof["language"]), *said])
    return preferences.Act(
        company=link.company,
        address=address,
        source=link.source,
        campaign_id=link.campaign_id,
        campaign_name=link.campaign_name,
        message_id=link.message_id,
        country=link.country,
        comment=answer.comment,
        evidence={**proof, "text": shown} | ({"reason": why} if why else {}),
    )


def _day(moment: datetime, link: Link, language: str) -> str:
    zone = zones.zone("", country=link.country or link.company.country)
    return str(format_date(moment.astimezone(zone), format="long", locale=language))
