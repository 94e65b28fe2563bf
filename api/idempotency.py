"""Key, effect and answer in one transaction: a repeated POST has no second effect."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse, JsonResponse
from django.utils import timezone

from api.auth import ApiRequest
from api.models import IdempotencyKey
from api.problems import Problem, invalid

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
_SHAPE = re.compile(r"[\x21-\x7e]{1,200}")


def once(request: ApiRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
    """`act` in a transaction that a refusal rolls back; with a key, at most once per company and key.

    1. Whoever has the same key at the same time waits for the lock, which ends with the transaction.
    2. A known key answers what it answered; with another request it is refused.
    3. Else the effect and its answer are committed together, or neither.

    What is shown once (`request.shown_once`, names of fields) is not kept, and so not in a repeated answer.
    Kept are successes and conflicts. What was refused as invalid may be mended and sent again.
    """
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST":
        return _undone_when_refused(act)
    if not _SHAPE.fullmatch(key):
        raise invalid(HEADER, "not_a_key", "Use 1 to 200 printable ASCII characters without spaces, e.g. a UUID.")
    asked = _hash(request)
    with transaction.atomic():
        _wait_for(f"{request.company.pk}:{key}")
        known = IdempotencyKey.objects.of(request.company).filter(key=key).first()
        if known:
            return _again(known, asked=asked)
        response = _undone_when_refused(act)
        if response.status_code < 400 or response.status_code == 409:
            IdempotencyKey.objects.create(
                company=request.company,
                key=key,
                path=request.path[:200],
                request_hash=asked,
                status=response.status_code,
                body={
                    "content": _kept(response, without=getattr(request, "shown_once", ())),
                    "type": response["Content-Type"],
                },
            )
    return response


def forget_old() -> int:
    """Answers hold people's data, so they are kept no longer than anybody repeats a request."""
    old = IdempotencyKey.objects.across_companies().filter(created_at__lt=timezone.now() - KEPT)
    return old.delete()[0]


def forget_person(*, company_id: int, addresses: list[str], **_signal: Any) -> None:
    """An erased person's addresses are in no kept answer; a repeated request is told only that it was done."""
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE api_idempotencykey SET body = jsonb_set(body, '{content}', 'null')
               WHERE company_id = %s AND EXISTS (
                 SELECT FROM unnest(%s::text[]) a WHERE position(lower(a) IN lower(body::text)) > 0)""",
            [company_id, addresses],
        )


def _undone_when_refused(act: Callable[[], HttpResponse]) -> HttpResponse:
    with transaction.atomic():
        response = act()
        if response.status_code >= 400:
            transaction.set_rollback(True)
    return response


def _kept(response: HttpResponse, *, without: tuple[str, ...]) -> Any:
    if not response.content:
        return None
    content = json.loads(response.content)
    return {name: value for name, value in content.items() if name not in without} if without else content


def _again(known: IdempotencyKey, *, asked: bytes) -> HttpResponse:
    if bytes(known.request_hash) != asked:
        detail = "This key was used for another request. Use a new key for every new request."
        raise Problem(
            422, "idempotency-key-reused", detail, errors=[{"field": HEADER, "code": "reused", "detail": detail}]
        )
    if known.body["content"] is None:
        response = HttpResponse(status=known.status)
    else:
        response = JsonResponse(known.body["content"], safe=False, status=known.status)
    response["Content-Type"] = known.body["type"]
    response["Idempotency-Replayed"] = "true"
    return response


def _hash(request: ApiRequest) -> bytes:
    """Of what was asked, however the JSON was written."""
    content = json.dumps(request.json, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.get_full_path()}\n{content}".encode()).digest()


def _wait_for(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"idempotency:{name}"])
