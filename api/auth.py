"""Key → company and scopes, and how often a key may call."""

from __future__ import annotations

import math

from django.http import HttpRequest
from ninja.security import HttpBearer

from accounts import limits
from accounts.models import Company
from api.models import ApiKey
from api.problems import Problem

#: A key may use these up at once; they come back evenly within SECONDS.
CALLS, SECONDS = 6000, 60.0
LONGEST_KEY = 200


class ApiRequest(HttpRequest):
    """What the views get."""

    company: Company
    api_key: ApiKey
    json: object
    #: Fields of the answer that a repeated request is not told again.
    shown_once: tuple[str, ...]


class Key(HttpBearer):
    """The scope that a call needs."""

    openapi_description = "A company's API key, made under Settings → API keys."

    def __init__(self, scope: str) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> ApiKey | None:
        return getattr(request, "api_key", None)  # the door has looked at it already

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        return ApiKey.of_text(token)

    def enter(self, request: HttpRequest) -> ApiKey:
        """The key that was shown; raises 401, 403 or 429."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise _unauthorized("Send the header Authorization: Bearer KEY.", "")
        key = self.authenticate(request, text) if len(text) <= LONGEST_KEY else None
        if key is None:
            raise _unauthorized("This key is not known, or was revoked.", ', error="invalid_token"')
        _count(key)
        if self.scope not in key.scopes:
            raise Problem(403, "missing-scope", f"This call needs a key with the scope “{self.scope}”.")
        return key


def _unauthorized(detail: str, more: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": f'Bearer realm="stopgate"{more}'})


def _count(key: ApiKey) -> None:
    bucket = f"api:{key.pk}"
    if limits.take(bucket, size=CALLS, seconds=SECONDS):
        return
    missing = 1 - limits.left(bucket, size=CALLS, seconds=SECONDS)
    wait = max(1, math.ceil(missing * SECONDS / CALLS))
    detail = f"{CALLS} calls in {SECONDS:.0f} seconds are allowed. Try again in {wait} s."
    raise Problem(429, "too-many-requests", detail, headers={"Retry-After": str(wait)})
