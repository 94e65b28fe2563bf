"""Who may come in, how often, and what a refusal looks like."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.test import Client

from api import auth
from api.models import SCOPES, ApiKey
from tests.api.calls import CALLS
from tests.api.conftest import program_of
from tests.api.program import Program, problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer  ", "Basic YTpi", "Bearer nonsense", "Bearer sg_" + "é"]
)
def test_without_a_good_key_every_call_is_401(header):
    headers = {} if header is None else {"Authorization": header}

    for method, path, _scope in CALLS:
        response = Client().generic(method, f"/api/v1{path}", "{}", content_type="application/json", headers=headers)

        problem(response, 401, "unauthorized")
        assert response["WWW-Authenticate"].startswith('Bearer realm="stopgate"')


def test_a_very_long_key_is_refused():
    problem(Program("sg_" + "a" * 5000).get("/contacts"), 401)


def test_a_revoked_key_is_refused_at_once(acme, world):
    assert acme.get("/contacts").status_code == 200

    ApiKey.objects.of(world.acme).get().revoke()

    problem(acme.get("/contacts"), 401)


def test_the_scheme_is_read_in_any_case(acme):
    response = acme.client.get("/api/v1/groups", headers={"Authorization": f"bearer {acme.key}"})

    assert response.status_code == 200


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_a_key_needs_the_scope_of_the_call(world, method, path, scope):
    others = [one for one in SCOPES if one != scope]

    refused = program_of(world.acme, *others).send(method, path, {})
    allowed = program_of(world.acme, scope).send(method, path, {})

    assert f"“{scope}”" in problem(refused, 403, "missing-scope")["detail"]
    assert allowed.status_code not in {401, 403}


def test_every_call_of_the_api_is_in_the_table(acme):
    paths = acme.get("/openapi.json").json()["paths"]
    found = {(method.upper(), path.removeprefix("/api/v1")) for path, methods in paths.items() for method in methods}

    assert found == {
        (method, path.replace("/7", "/{" + path.split("/")[1].removesuffix("s") + "_id}")) for method, path, _ in CALLS
    }


def test_a_session_is_no_key(world):
    browser = Client()
    browser.force_login(world.owner.user)

    problem(browser.get("/api/v1/contacts"), 401)


def test_a_session_of_rivals_beside_our_key_shows_nothing_of_rivals(acme, world):
    acme.client.force_login(world.stranger.user)

    assert [c["id"] for c in acme.get("/contacts").json()["items"]] == [world.contact.pk]


def test_too_many_calls_are_told_when_to_come_back(acme, rival, monkeypatch):
    monkeypatch.setattr(auth, "CALLS", 2)

    responses = [acme.get("/groups") for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    problem(responses[2], 429, "too-many-requests")
    assert 1 <= int(responses[2]["Retry-After"]) <= 60
    assert rival.get("/groups").status_code == 200


def test_what_is_not_there_is_a_404_problem(acme):
    for path in ("/nothing", "/", "/contacts/abc", "/contacts/7/", "/contacts/-1", "/contacts//events"):
        problem(acme.get(path), 404, "not-found")


def test_a_wrong_method_is_a_405_problem_that_names_the_right_ones(acme):
    response = acme.send("PUT", "/contacts", {})

    problem(response, 405, "method-not-allowed")
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}


def test_malformed_json_is_a_400_problem(acme):
    for body in ("{", "", "[1,", "{'a': 1}", b"\xff\xfe", '{"name": NaN}', '{"name": 1e999}', "{" * 200_000):
        response = acme.send("POST", "/groups", body)

        problem(response, 422 if body == "" else 400, "invalid" if body == "" else "malformed")


def test_a_name_given_twice_is_malformed(acme):
    problem(acme.send("POST", "/groups", '{"name": "a", "name": "b"}'), 400, "malformed")


def test_a_body_that_is_no_object_is_refused(acme):
    for body in ([], [{}], "text", 7, True, None):
        problem(acme.send("POST", "/groups", "null" if body is None else body if body != "text" else '"text"'), 422)


def test_another_content_type_is_a_415_problem(acme):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = acme.client.generic("POST", "/api/v1/groups", '{"name": "a"}', content_type=kind)

        problem(response, 415, "unsupported-media-type")


def test_too_large_a_body_is_a_413_problem(acme):
    problem(acme.post("/groups", {"name": "a" * 6_000_000}), 413, "too-large")


def test_a_fault_of_ours_is_a_500_problem_without_words_of_the_database(acme, monkeypatch, caplog):
    def fail(*arguments, **options):
        raise RuntimeError("secret +31612345678")

    monkeypatch.setattr("api.groups.shown", fail)

    response = acme.post("/groups", {"name": "Shoes"})

    assert "secret" not in str(problem(response, 500, "internal-error"))
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_a_call_that_fails_has_no_effect(acme, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("api.groups.shown", fail)
        problem(acme.post("/groups", {"name": "Shoes"}), 500)

    assert acme.get("/groups", name="Shoes").json()["items"] == []


def test_a_misspelt_filter_is_refused_rather_than_ignored(acme):
    problem(acme.get("/contacts", supressed="true"), 422)


def test_an_action_takes_no_body(acme, world):
    problem(acme.post("/campaigns/7/launch", {"when": "now"}), 422)


def test_a_key_made_on_the_command_line_works(world, capsys):
    call_command("create_api_key", "--company", world.acme.slug, "--name", "shop", "--scope", "read")
    text = capsys.readouterr().out.split('"')[3]

    assert Program(text).get("/contacts").status_code == 200


def test_answers_are_not_kept_by_anybody(acme):
    assert acme.get("/contacts")["Cache-Control"] == "no-store"
