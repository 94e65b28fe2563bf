"""How often somebody may be wrong. Being right is never counted and never refused."""

from __future__ import annotations

import logging

from accounts import limits

log = logging.getLogger("stopgate.landing")

HOUR, DAY = 3600, 86_400
#: Wrong numbers on one link.
PER_NETWORK_AND_HOUR = 10
PER_DAY = 60
AFTER_THAT_SECONDS = 900
#: Codes that lead nowhere. People mistype; whoever tries more is looking for codes.
MISSES_PER_NETWORK, MISSES_SECONDS = 120, 600
MISSES_IN_ALL = 20_000


def may_be_wrong_again(*, message_id: int, network: str) -> bool:
    """Counts one wrong number on a link."""
    if not limits.take(f"wrong:{message_id}:{network}", size=PER_NETWORK_AND_HOUR, seconds=HOUR):
        return False
    if limits.take(f"wrong:{message_id}", size=PER_DAY, seconds=DAY):
        return True
    return limits.take(f"wrong-slow:{message_id}:{network}", size=1, seconds=AFTER_THAT_SECONDS)


def may_miss_again(*, network: str) -> bool:
    """Counts one code that leads nowhere."""
    if not limits.take(f"miss:{network}", size=MISSES_PER_NETWORK, seconds=MISSES_SECONDS):
        return False
    if limits.take("miss", size=MISSES_IN_ALL, seconds=HOUR):
        return True
    log.warning("somebody is guessing codes from many networks")
    return False
