"""/healthz and /readyz, and what may not start in production."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from django.test import override_settings

from config import checks, health
from config.models import CheckValue
from tests import processes

GOOD = {
    "SECRET_KEY": "4f9c1e7ab0d2835611c0ffee77aa9913",
    "LINK_KEY": "b7d3f0a1926c4e85d01973ac52e8f644",
    "DIGEST_KEY": "09e2c4b6a8175f3d1b7c9e0a2d4f6839",
}
ANOTHER = "e1d3c5b7a9f8204618365a7c9e0b2d4f"


@pytest.fixture
def production(db):
    with override_settings(DEBUG=False, **GOOD):
        yield


def ids(problems) -> set[str]:
    return {problem.id for problem in problems}


# Health


def test_healthz_says_that_the_process_answers(client):
    assert client.get("/healthz").status_code == 200


def test_healthz_needs_no_database(client, monkeypatch):
    def away(*args):
        raise OperationalError("away")

    monkeypatch.setattr(connection, "ensure_connection", away)

    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_read_only(client, path):
    assert client.post(path).status_code == 405


def test_readyz_is_ok_when_all_is_there(client, db):
    heartbeat()

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "migrations": "ok", "worker": "ok"}


def test_readyz_tells_a_silent_worker(client, db):
    heartbeat(seconds_ago=health.WORKER_SILENT_SECONDS + 1)

    assert client.get("/readyz").json()["worker"] == "silent"


def test_readyz_is_503_when_the_database_is_away(client, db, monkeypatch):
    def away():
        raise OperationalError("away: password=hunter2")

    monkeypatch.setattr(health, "_database", away)

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["database"] == "unreachable"
    assert b"hunter2" not in answer.content


def test_readyz_is_503_when_migrations_are_missing(client, db, monkeypatch):
    monkeypatch.setattr(health, "_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'addressbook'")

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["migrations"]) == (503, "missing")


def test_readyz_is_503_when_an_acknowledged_opt_out_could_be_lost(client, db):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["database"]) == (503, "synchronous_commit off")


def heartbeat(seconds_ago: int = 0) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_workers")
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => %s))",
            [seconds_ago],
        )


# What may not start


def test_production_with_good_secrets_starts(production):
    checks.refuse_to_start()


@pytest.mark.parametrize("name", checks.SECRETS)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "stopgate.E001"),
        ("trial-only-" + "0" * 40, "stopgate.E001"),
        ("secret", "stopgate.E002"),
        ("a" * 64, "stopgate.E002"),
        ("abcabcabc" * 8, "stopgate.E002"),
        (GOOD["LINK_KEY"][:31], "stopgate.E002"),
    ],
)
def test_production_with_a_missing_or_weak_secret_does_not_start(production, name, value, problem):
    # Django itself refuses to hand out an empty SECRET_KEY.
    with override_settings(**{name: value or ("" if name != "SECRET_KEY" else "trial-only-" + "0" * 40)}):
        assert ids(checks.check_secrets(None)) == {problem}
        with pytest.raises(ImproperlyConfigured, match=name):
            checks.refuse_to_start()


@pytest.mark.parametrize("name", checks.SECRETS)
def test_production_with_another_secret_than_before_does_not_start(production, name):
    checks.refuse_to_start()

    with override_settings(**{name: ANOTHER}), pytest.raises(ImproperlyConfigured, match=f"{name} is not the one"):
        checks.refuse_to_start()
    checks.refuse_to_start()


def test_a_check_value_does_not_tell_the_secret(production):
    checks.refuse_to_start()

    kept = b"".join(bytes(row.value) for row in CheckValue.objects.all())
    assert CheckValue.objects.count() == 3
    assert all(secret.encode() not in kept for secret in GOOD.values())


def test_a_trial_s_data_does_not_go_into_production_under_another_key(world):
    """Nobody who opted out during the trial would be known any more."""
    with override_settings(DEBUG=False, **GOOD):
        assert ids(checks.check_database(None)) == {"stopgate.E003"}


@pytest.mark.parametrize("name", health.DURABLE)
def test_production_on_a_database_that_may_forget_does_not_start(production, monkeypatch, name):
    monkeypatch.setattr(checks, "durability_off", lambda: [name])

    with pytest.raises(ImproperlyConfigured, match=f"{name} off"):
        checks.refuse_to_start()


def test_the_database_is_asked_for_what_it_may_forget(production):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")

    assert ids(checks.check_database(None)) == {"stopgate.E004"}


def test_a_trial_starts_with_anything(db):
    trial = checks.settings.TRIAL_SECRET
    with override_settings(DEBUG=True, SECRET_KEY=trial, LINK_KEY=trial, DIGEST_KEY="x"):
        checks.refuse_to_start()


def test_before_the_first_migration_there_is_nothing_to_check(production):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE config_checkvalue RENAME TO moved_away")

    assert checks.check_database(None) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "start", [["manage.py", "verify_ledger"], ["manage.py", "worker", "--drain"], ["-c", "import config.wsgi"]]
)
def test_every_kind_of_production_process_refuses(start):
    for changed, words in [
        ({"LINK_KEY": ""}, b"LINK_KEY is not set"),
        ({"DIGEST_KEY": "short"}, b"DIGEST_KEY is too weak"),
    ]:
        process = subprocess.run(
            [sys.executable, *start],
            cwd=processes.ROOT,
            env=processes.environment(**{**GOOD, "DEBUG": "0", **changed}),
            capture_output=True,
            check=False,
        )
        assert process.returncode != 0
        assert words in process.stderr
