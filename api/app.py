"""The programs' door: one NinjaAPI, one router per resource."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from ninja import NinjaAPI

from accounts.scoping import company_scope
from api import (
    campaigns,
    contacts,
    docs,
    events,
    gate,
    groups,
    idempotency,
    insights,
    messages,
    problems,
    reading,
    simulator,
    suppressions,
    webhooks,
)
from api.auth import Key

DESCRIPTION = """
The gate in front of your marketing: contacts, the suppression list, campaigns, single messages and their figures.

Errors are RFC 9457 `application/problem+json`. Lists take `limit` (at most 1000) and `cursor`, and answer
`{"items": […], "next": cursor or null}`, newest first. An `Idempotency-Key` on a POST makes it safe to repeat.
""".strip()


class Api(NinjaAPI):
    """Whatever happens below /api/v1/ is answered in the API's own shape."""

    def _get_urls(self) -> list[Any]:
        patterns = [*super()._get_urls(), re_path(r"^(?P<rest>[\s\S]*)\Z", _nothing)]
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = problems.always(pattern.callback)
        return [
            path("docs", docs.page, name="docs", kwargs={"api": self}),
            path("problems/<slug:kind>", docs.problem, name="problem"),
            *patterns,
        ]

    def get_openapi_schema(self, **options: Any) -> Any:
        schema = super().get_openapi_schema(**options)
        operations = [
            operation
            for router in self._get_bound_routers()
            for path_view in router.path_operations.values()
            for operation in path_view.operations
        ]
        docs.complete(schema, scopes={o.view_func.__name__: o.auth_callbacks[0].scope for o in operations})
        return schema

    def get_openapi_operation_id(self, operation: Any) -> str:
        return str(operation.view_func.__name__)


def _nothing(request: HttpRequest, rest: str) -> HttpResponse:
    raise problems.not_found()


_nothing.csrf_exempt = True  # type: ignore[attr-defined]


def door(run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Around every call: the key first, then its company's rows only, then the body, then the effect at most once."""
    operation = run.__self__  # type: ignore[attr-defined]

    @wraps(run)
    def guarded(request: Any, **ids: Any) -> HttpResponse:
        try:
            request.api_key = operation.auth_callbacks[0].enter(request)
            request.company = request.api_key.company
            with company_scope(request.company):
                reading.query(request, known=_known(operation, "query"))
                if request.method == "GET":
                    return run(request, **ids)
                request.json = reading.body(request)
                if request.json and not any(m.__ninja_param_source__ == "body" for m in operation.models):
                    raise problems.invalid("", "unknown_field", "This call takes no body.")
                return idempotency.once(request, lambda: run(request, **ids))
        except Exception as exception:
            return operation.api.on_exception(request, exception)

    return guarded


def _known(operation: Any, source: str) -> set[str]:
    models = [m for m in operation.models if m.__ninja_param_source__ == source]
    return {name for m in models for name in getattr(m, "__ninja_flatten_map__", m.model_fields)}


api = Api(
    title="Stopgate",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,
    parser=reading.ReadBefore(),
    auth=Key("read"),
)
problems.install(api)
api.add_decorator(door, mode="view")
for module in (contacts, groups, suppressions, events, campaigns, messages, gate, insights, webhooks, simulator):
    api.add_router("", module.router)
