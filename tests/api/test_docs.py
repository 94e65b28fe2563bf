from __future__ import annotations

import re

import pytest
from django.test import Client

from api.docs import PROBLEMS
from tests.api.calls import CALLS

pytestmark = pytest.mark.django_db


def test_the_description_is_openapi_3_1_and_complete():
    schema = Client().get("/api/v1/openapi.json").json()

    assert schema["openapi"].startswith("3.1")
    for method, path, scope in CALLS:
        name = "/api/v1" + path.replace("/7", "/{" + path.split("/")[1].removesuffix("s") + "_id}")
        call = schema["paths"][name][method.lower()]
        assert call["x-scope"] == scope
        assert call["security"]
        assert "application/problem+json" in call["responses"]["422"]["content"]
        assert min(call["responses"]) < "300"


def test_every_reference_in_the_description_leads_somewhere():
    schema = Client().get("/api/v1/openapi.json")

    names = set(re.findall(r'"#/components/schemas/([^"]+)"', schema.content.decode()))

    assert names <= set(schema.json()["components"]["schemas"])


def test_bodies_say_that_unknown_fields_are_refused():
    schemas = Client().get("/api/v1/openapi.json").json()["components"]["schemas"]

    assert schemas["ContactBody"]["additionalProperties"] is False


def test_the_reference_shows_every_call_without_scripts():
    response = Client().get("/api/v1/docs")
    page = response.content.decode()

    assert response.status_code == 200
    for method, path, _scope in CALLS:
        shown = path.replace("/7", "/{" + path.split("/")[1].removesuffix("s") + "_id}")
        assert f"<code>{method} {shown}</code>" in page
    assert "<script" not in page
    assert "style=" not in page
    assert "default-src 'none'" in response["Content-Security-Policy"]


def test_the_type_of_a_problem_leads_to_its_explanation():
    for kind in PROBLEMS:
        response = Client().get(f"/api/v1/problems/{kind}")

        assert response.status_code == 302
        assert f'id="problem-{kind}"' in Client().get("/api/v1/docs").content.decode()
