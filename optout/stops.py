"""A plain STOP, stored and acted on in one statement (sql/stop.sql): one commit, so nothing of it can be lost alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.db import connection

from lib.wake import wake
from messaging.gateways import ADAPTERS
from optout import answers, destinations

log = logging.getLogger("stopgate.replies")
_TAKE = """
SELECT reply_id, is_answered, problem FROM consent_by_reply_v1(%(company)s, %(gateway)s, %(provider_id)s, %(sender)s,
  %(digest)s, %(country)s, %(to)s, %(text)s, %(provider_meaning)s, %(received_at)s, %(source)s, %(evidence)s,
  %(answer)s)
"""


def take(stored: Mapping[str, Any], *, source: str, evidence: Mapping[str, Any], is_confirmed: bool) -> int | None:
    """The reply's id when all of it is done; None when nothing is, because it is not plain, or known already.

    `stored`: what `replies` stores of a reply.
    """
    answer = _answer(stored["country"]) if is_confirmed else None
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {**stored, "source": source, "evidence": json.dumps(evidence), "answer": answer})
        row = cursor.fetchone()
    reply_id, is_answered, problem = row or (None, False, "")
    if problem:
        log.error("a STOP was not taken in one go: %s", problem)
    if is_answered:
        wake("campaigns.send_transactional")
    return reply_id


def _answer(country: str) -> str | None:
    """What a confirmation is made of there; None: there must be none."""
    rule = destinations.rule(country)
    if rule.confirmation == "none":
        return None
    return _written(rule.languages[0] if country and rule.languages else None)


@cache
def _written(language: str | None) -> str:
    return json.dumps(
        {
            "texts": {spoken: said["opt_out"] for spoken, said in answers.texts().items()},
            "language": language,
            "kinds": sorted(kind for kind, adapter in ADAPTERS.items() if "sms" in adapter.channels),
            "seconds": answers.ONE_PER_SECONDS,
        }
    )
