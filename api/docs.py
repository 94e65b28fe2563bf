"""The reference as a page: made from the same description as openapi.json, without scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

#: `kind` of a problem → status and what it says; part of the contract, so kinds are added and never renamed.
PROBLEMS = {
    "malformed": (400, "The body is not JSON in UTF-8, or names a field twice."),
    "unauthorized": (401, "No key, or one that is unknown or revoked."),
    "missing-scope": (403, "The key lacks the scope that the call needs; `detail` names it."),
    "not-found": (404, "There is no such thing in this company."),
    "method-not-allowed": (405, "The header Allow says what is possible."),
    "suppressed": (409, "The person has opted out of marketing, or paused it. Nothing was sent."),
    "no-way-out": (409, "No lawful way to opt out exists at this destination with this sender. Nothing was sent."),
    "already-sent": (409, "The campaign has sent to this address already."),
    "two-contacts": (409, "The phone number and the e-mail address belong to two contacts."),
    "wrong-state": (409, "The state of the campaign or webhook does not allow this; `detail` says why."),
    "busy": (409, "A message to the contact is being handed over; try again after Retry-After."),
    "no-gateway": (409, "The company has no gateway to send through."),
    "no-simulator": (409, "The company does not send through the simulator."),
    "too-large": (413, "The body is too large; send it in several requests."),
    "unsupported-media-type": (415, "Bodies are application/json."),
    "invalid": (422, "`errors` names each field that is wrong, with a code and what to do."),
    "template-required": (
        422,
        "An administrator lets this company send transactional messages from templates only. Send `template` and "
        "`values`, or a `body` that equals a template with its placeholders filled. Nothing was sent.",
    ),
    "idempotency-key-reused": (422, "The Idempotency-Key was used for another request."),
    "too-many-requests": (429, "Wait as many seconds as the header Retry-After says."),
    "internal-error": (500, "Our mistake; nothing was done."),
    "unavailable": (503, "The database did not answer; nothing was done. Try again after Retry-After."),
}
PROBLEM_SCHEMA = {
    "title": "Problem",
    "description": "RFC 9457. `type` ends with a kind that never changes.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("field", "code", "detail")},
            },
        },
    },
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "description": "Makes the call safe to repeat: same key and body, same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}


@dataclass
class Field:
    name: str
    kind: str
    required: bool
    description: str


@dataclass
class Call:
    method: str
    path: str
    anchor: str
    scope: str
    summary: str
    description: str
    statuses: str
    parameters: list[Field] = field(default_factory=list)
    body: list[Field] = field(default_factory=list)
    answer: list[Field] = field(default_factory=list)


def complete(schema: dict[str, Any], *, scopes: dict[str, str]) -> None:
    """What every call has in common: its scope, the key that makes it safe to repeat, and the shape of problems."""
    schema["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    problem = {
        "description": "Problem",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            call["x-scope"] = scopes[call["operationId"]]
            call["responses"] = {str(status): found for status, found in call["responses"].items()}
            possible = [401, 403, 422, 429]
            if "{" in path:
                possible.append(404)
            if "requestBody" in call:
                possible += [400, 413, 415]
            if method in ("post", "patch"):
                possible.append(409)
            for status in sorted(possible):
                call["responses"].setdefault(str(status), problem)
            if method == "post":
                call["parameters"] = [*call.get("parameters", []), IDEMPOTENCY_KEY]


@require_safe
def page(request: HttpRequest, api: NinjaAPI) -> HttpResponse:
    schema = api.get_openapi_schema()
    sections: dict[str, list[Call]] = {}
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            sections.setdefault(call["tags"][0], []).append(_call(method, path, call, schema["components"]["schemas"]))
    context = {
        "sections": sections,
        "problems": [(kind, status, text) for kind, (status, text) in PROBLEMS.items()],
        "base": f"{settings.APP_URL}/api/v1",
    }
    return render(request, "api/docs.html", context)


def problem(request: HttpRequest, kind: str) -> HttpResponse:
    """Where the `type` of a problem leads."""
    return redirect(f"../docs#problem-{kind}")


def _call(method: str, path: str, call: dict[str, Any], schemas: dict[str, Any]) -> Call:
    successes = {status: found for status, found in call["responses"].items() if status < "300"}
    contents = [found["content"] for found in successes.values() if found.get("content")]
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return Call(
        method=method.upper(),
        path=path.removeprefix("/api/v1"),
        anchor=call["operationId"],
        scope=call["x-scope"],
        summary=call["summary"],
        description=call.get("description", ""),
        statuses=", ".join(successes),
        parameters=[
            Field(p["name"], _kind(p["schema"], schemas), p.get("required", False), _description(p))
            for p in call.get("parameters", [])
        ],
        body=_fields(body, schemas) if body else [],
        answer=_fields(contents[0]["application/json"]["schema"], schemas) if contents else [],
    )


def _description(found: dict[str, Any]) -> str:
    return str(found.get("description") or found.get("schema", {}).get("description") or "")


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[Field]:
    schema = _resolved(schema, schemas)
    required = set(schema.get("required", ()))
    return [
        Field(name, _kind(found, schemas), name in required, str(found.get("description", "")))
        for name, found in schema.get("properties", {}).items()
    ]


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return dict(schemas[schema["$ref"].rpartition("/")[2]])
    if len(schema.get("allOf", ())) == 1:
        return _resolved(schema["allOf"][0], schemas)
    return schema


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """A type in a few words: `list of text`, `sms or email`, `text or null`."""
    schema = _resolved(schema, schemas)
    if "anyOf" in schema:
        return " or ".join(_kind(one, schemas) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    match schema.get("type"):
        case "array":
            items = schema.get("items", {})
            most = f" (at most {schema['maxItems']})" if "maxItems" in schema else ""
            return f"list of {_kind(items, schemas)}{most}"
        case "string":
            if schema.get("format") == "date-time":
                return "time"
            return f"text (at most {schema['maxLength']})" if "maxLength" in schema else "text"
        case "object":
            names = ", ".join(schema.get("properties", ()))
            return f"{{{names}}}" if names else "object"
        case "boolean":
            return "true or false"
        case kind:
            return str(kind or "any")
