"""A program that calls the API, and what every problem looks like."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client


class Program:
    def __init__(self, key: str) -> None:
        self.key = key
        self.client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.client.get(f"/api/v1{path}", query)

    def post(self, path: str, body: Any = None, *, key: str = "") -> HttpResponse:
        headers = {"Idempotency-Key": key} if key else {}
        return self.send("POST", path, body, headers=headers)

    def patch(self, path: str, body: Any) -> HttpResponse:
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> HttpResponse:
        return self.client.delete(f"/api/v1{path}")

    def send(self, method: str, path: str, body: Any, *, headers: dict[str, str] | None = None) -> HttpResponse:
        content = "" if body is None else body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.client.generic(
            method, f"/api/v1{path}", content, content_type="application/json", headers=headers or {}
        )


def problem(response: HttpResponse, status: int, kind: str = "") -> dict[str, Any]:
    """The problem in `response`, which must have this status and the one shape."""
    assert response.status_code == status, response.content[:500]
    assert response["Content-Type"] == "application/problem+json"
    content = response.json()
    assert set(content) == {"type", "title", "status", "detail", "errors"}
    assert content["status"] == status
    assert content["type"].endswith(f"/{kind}" if kind else "")
    for error in content["errors"]:
        assert set(error) == {"field", "code", "detail"}
    return content


def fields(response: HttpResponse) -> list[str]:
    """The fields that a 422 names."""
    return [error["field"] for error in problem(response, 422)["errors"]]


def codes(response: HttpResponse) -> dict[str, str]:
    return {error["field"]: error["code"] for error in problem(response, 422)["errors"]}
