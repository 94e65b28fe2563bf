"""A page that fails says so: with a database that really fails, on both kinds of host, and nothing in the logs."""

from __future__ import annotations

import re
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from django.test.utils import override_settings

from addressbook.models import ConsentEvent, Suppression
from optout.landing import views
from optout.links import codes
from tests.optout import links
from tests.world import PHONE

really = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hosts():
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://short.test", ALLOWED_HOSTS=["*"]):
        yield


def ask(client, method: str, path: str, data=None, **more):
    return getattr(client, method)(path, data or {}, headers={"host": "short.test"} | more)


def state(response) -> str:
    return re.search(r'data-state="([a-z-]+)"', response.content.decode())[1]


@contextmanager
def another_session():
    """A second connection to the same database."""
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        yield other
        other.rollback()


@contextmanager
def failing(sqlstate: str, *, times: int, at: str = ""):
    """The server refuses statements that contain `at`, so often."""
    left = [times]

    def execute(run, sql, params, many, context):
        if left[0] and at in sql:
            left[0] -= 1
            context["cursor"].execute(f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$")
        return run(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield


@really
@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
def test_an_opt_out_that_waits_too_long_was_not_recorded(client, world, setting):
    message = links.message(world.acme, PHONE)
    with another_session() as other:
        other.execute("LOCK TABLE addressbook_consentevent IN ACCESS EXCLUSIVE MODE")
        with connection.cursor() as cursor:
            cursor.execute(f"SET {setting} = '100ms'")
        try:
            response = ask(client, "post", links.path(message), {"phone": PHONE})
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"SET {setting} = 0")

    assert (response.status_code, state(response)) == (503, "unavailable")
    assert "not recorded" in response.content.decode()
    assert response["Retry-After"] == "60"
    assert not Suppression.objects.of(world.acme).exists()
    assert ask(client, "post", links.path(message), {"phone": PHONE}).status_code == 303


@really
@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53300", "57014", "25006"])
@pytest.mark.parametrize("at", ["messaging_message", "consent_leave_v1"])
def test_whatever_the_server_says_nobody_is_told_that_it_was_recorded(client, world, sqlstate, at):
    message = links.message(world.acme, PHONE)

    with failing(sqlstate, times=1, at=at):
        response = ask(client, "post", links.path(message), {"phone": PHONE})

    assert (response.status_code, state(response)) == (503, "unavailable")
    assert not ConsentEvent.objects.across_companies().exists()


@really
@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_what_passes_is_tried_again_and_recorded_once(client, world, sqlstate):
    message = links.message(world.acme, PHONE)

    with failing(sqlstate, times=2, at="consent_leave_v1"):
        assert ask(client, "post", links.path(message), {"phone": PHONE}).status_code == 303
    assert ConsentEvent.objects.of(world.acme).filter(channel="sms").count() == 1


@really
def test_what_does_not_pass_is_given_up(client, world):
    message = links.message(world.acme, PHONE)

    with failing("40001", times=99, at="consent_leave_v1"):
        response = ask(client, "post", links.path(message), {"phone": PHONE})

    assert (response.status_code, state(response)) == (503, "unavailable")


@really
def test_a_lost_connection_is_a_failure_and_then_forgotten(client, world):
    message = links.message(world.acme, PHONE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with another_session() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    assert ask(client, "post", links.path(message), {"phone": PHONE}).status_code == 503
    connection.close()
    assert ask(client, "post", links.path(message), {"phone": PHONE}).status_code == 303


@really
def test_one_click_is_not_acknowledged_either(client, world):
    mail = links.message(world.acme, world.contact.email, subject="Sale")

    with failing("53100", times=1, at="consent_leave_v1"):
        response = ask(client, "post", links.path(mail), {"List-Unsubscribe": "One-Click"})

    assert response.status_code == 503
    assert not ConsentEvent.objects.across_companies().exists()


# Hosts ---------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["short.test", "SHORT.test", "short.test:8000"])
def test_the_short_host_serves_recipients_and_nobody_else(client, world, host):
    path = links.path(links.message(world.acme, PHONE))

    assert state(client.get(path, headers={"host": host})) == "form"
    assert state(client.get("/", headers={"host": host})) == "code"
    for other in ("/login", "/contacts", "/admin/", "/api/v1/contacts", "/static/app.css", "/hooks/cm/1/inbound"):
        response = client.get(other, headers={"host": host})
        assert (response.status_code, state(response)) == (404, "unknown-link")
        assert not response.cookies


@pytest.mark.django_db
def test_the_app_host_opens_no_links(client, world):
    message = links.message(world.acme, PHONE)

    assert client.get(links.path(message), headers={"host": "app.test"}).status_code == 404
    assert client.post(links.path(message), {"phone": PHONE}, headers={"host": "app.test"}).status_code in (403, 404)


@pytest.mark.django_db
def test_one_host_for_everything_serves_both(client, world):
    message = links.message(world.acme, PHONE)
    mail = links.message(world.acme, world.contact.email, subject="Sale")
    with override_settings(SHORT_URL="http://app.test"):
        host = {"host": "app.test"}
        assert state(client.get(links.path(message), headers=host)) == "form"
        assert client.get("/", {"code": codes().encode(message.pk)}, headers=host).status_code == 303
        assert client.get("/login", headers=host).status_code == 200
        assert state(client.get("/ZZZZZZZ", headers=host)) == "unknown-link"
        out = client.post(links.path(message), {"phone": PHONE}, headers=host)
        assert (out.status_code, state(client.get(out["Location"], headers=host))) == (303, "opted-out")
        assert state(client.get(f"{links.path(message)}/", headers=host)) == "form"
        one_click = client.post(links.path(mail), {"List-Unsubscribe": "One-Click"}, headers=host)
        assert (one_click.status_code, len(one_click.cookies)) == (200, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "head", "options", "put"])
def test_every_answer_of_the_short_host_has_the_strict_headers(client, world, method):
    paths = ["/", "/robots.txt", "/nowhere/at/all", links.path(links.message(world.acme, PHONE))]

    for path in paths:
        response = ask(client, method, path)
        assert response["Content-Security-Policy"].startswith("default-src 'none'")
        assert response["Referrer-Policy"] == "no-referrer"
        assert response["X-Robots-Tag"] == "noindex, nofollow"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Cache-Control"] == "no-store"
        assert not response.cookies


@pytest.mark.django_db
def test_neither_code_nor_number_nor_words_are_logged(client, world, caplog):
    message = links.message(world.acme, PHONE)
    typed = {"phone": "0687654321", "comment": "my secret"}

    for method, path, data in (
        ("get", links.path(message), {}),
        ("post", links.path(message), typed),
        ("put", links.path(message), {}),
        ("get", "/ZZZZZZZ", {}),
        ("post", links.path(message), {"phone": PHONE}),
    ):
        ask(client, method, path, data)

    for secret in (links.path(message)[1:], "ZZZZZZZ", "87654321", "12345678", "my secret"):
        assert secret not in caplog.text


@really
def test_a_failure_is_logged_without_the_link(client, world, caplog):
    message = links.message(world.acme, PHONE)

    with failing("53100", times=1, at="consent_leave_v1"):
        ask(client, "post", links.path(message), {"phone": PHONE, "comment": "my secret"})

    assert "53100" in caplog.text
    for secret in (links.path(message)[1:], "12345678", "my secret"):
        assert secret not in caplog.text


@really
def test_a_code_is_right_or_wrong_but_never_a_crash_of_the_database(client, world):
    for number in (2**63 - 1, 32**9 - 1, 0):
        assert views.find(number) is None
