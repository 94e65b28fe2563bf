"""Endpoints that are told what happens. The secret is shown once, and only by the call that made it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Query, Router, Status
from pydantic import BaseModel, Field, StringConstraints, field_validator

from api import fields
from api.auth import ApiRequest, Key
from api.paging import Page, Paging, page
from api.problems import Problem, invalid, not_found
from webhooks import guard
from webhooks.models import LONGEST_URL, MOST_ENDPOINTS, Endpoint

router = Router(tags=["webhooks"])
EventName = Literal["suppression.created", "suppression.lifted", "message.updated", "reply.received"]


class WebhookBody(fields.Body):
    url: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)] = Field(description="https://…")
    events: Annotated[list[EventName], Field(min_length=1, max_length=20)]

    @field_validator("events")
    @classmethod
    def _each_once(cls, events: list[str]) -> list[str]:
        return list(dict.fromkeys(events))


class WebhookOut(BaseModel):
    id: int
    url: str
    events: list[str]
    created_at: datetime
    last_success_at: datetime | None
    failing_since: datetime | None = Field(description="Empty when the last attempt was a success.")
    disabled_at: datetime | None = Field(description="Switched off: nothing is told any more.")
    disabled_why: str


class SecretOut(WebhookOut):
    secret: str = Field(description="Shown this once; a repeated answer is without it.")


class TestOut(BaseModel):
    id: str = Field(description="The `webhook-id` of the delivery.")
    type: str


class Which(BaseModel):
    id: int = Field(ge=1, le=2**63 - 1, description="Which webhook.")


@router.post("/webhooks", auth=Key("admin"), response={201: SecretOut})
def create_webhook(request: ApiRequest, body: WebhookBody) -> Status[Any]:
    """Deliveries follow Standard Webhooks. Without https, or in a private network, an address is refused."""
    try:
        url = guard.check(body.url)
    except guard.Refused as problem:
        raise invalid("url", problem.code, str(problem)) from problem
    if Endpoint.objects.of(request.company).count() >= MOST_ENDPOINTS:
        detail = f"A company has at most {MOST_ENDPOINTS} webhooks; delete one first."
        raise Problem(409, "wrong-state", detail)
    endpoint, secret = Endpoint.issue(company=request.company, url=url, events=list(body.events))
    return Status(201, _with_secret(request, endpoint, secret))


@router.get("/webhooks", auth=Key("admin"), response=Page[WebhookOut])
def list_webhooks(request: ApiRequest, paging: Query[Paging]) -> dict[str, Any]:
    return page(Endpoint.objects.all(), request=request, paging=paging, shown=lambda rows: [*map(shown, rows)])


@router.delete("/webhooks", auth=Key("admin"), response={204: None})
def delete_webhook_by_query(request: ApiRequest, which: Query[Which]) -> Status[None]:
    """The same as DELETE /webhooks/{id}."""
    _webhook_or_404(which.id).delete()
    return Status(204, None)


@router.get("/webhooks/{int:webhook_id}", auth=Key("admin"), response=WebhookOut)
def get_webhook(request: ApiRequest, webhook_id: int) -> dict[str, Any]:
    return shown(_webhook_or_404(webhook_id))


@router.delete("/webhooks/{int:webhook_id}", auth=Key("admin"), response={204: None})
def delete_webhook(request: ApiRequest, webhook_id: int) -> Status[None]:
    """What waits to be told is not told any more."""
    _webhook_or_404(webhook_id).delete()
    return Status(204, None)


@router.post("/webhooks/{int:webhook_id}/rotate", auth=Key("admin"), response={200: SecretOut})
def rotate_secret(request: ApiRequest, webhook_id: int) -> dict[str, Any]:
    """A new secret. For 24 hours deliveries are signed with the one before as well."""
    endpoint = _webhook_or_404(webhook_id)
    return _with_secret(request, endpoint, endpoint.rotate())


@router.post("/webhooks/{int:webhook_id}/enable", auth=Key("admin"), response=WebhookOut)
def enable_webhook(request: ApiRequest, webhook_id: int) -> dict[str, Any]:
    """Switch on again what was switched off. What happened meanwhile is not told later; read it from GET /events."""
    endpoint = _webhook_or_404(webhook_id)
    endpoint.switch_on()
    return shown(endpoint)


@router.post("/webhooks/{int:webhook_id}/test", auth=Key("admin"), response={202: TestOut})
def test_webhook(request: ApiRequest, webhook_id: int) -> Status[Any]:
    """Deliver an event of the type `test`."""
    endpoint = _webhook_or_404(webhook_id)
    if endpoint.disabled_at:
        raise Problem(409, "wrong-state", "This webhook is switched off; switch it on first.")
    delivery = endpoint.send_test()
    return Status(202, {"id": delivery.webhook_id, "type": delivery.type})


def _webhook_or_404(webhook_id: int) -> Endpoint:
    endpoint = Endpoint.objects.filter(pk=webhook_id).first()
    if endpoint is None:
        raise not_found()
    return endpoint


def _with_secret(request: ApiRequest, endpoint: Endpoint, secret: str) -> dict[str, Any]:
    request.shown_once = ("secret",)
    return {**shown(endpoint), "secret": secret}


def shown(endpoint: Endpoint) -> dict[str, Any]:
    same = ("url", "events", "created_at", "last_success_at", "failing_since", "disabled_at", "disabled_why")
    return {"id": endpoint.pk, **{name: getattr(endpoint, name) for name in same}}
