"""Getting in, staying out, and getting a new password."""

from __future__ import annotations

import re

import pytest
from django.core import mail

from accounts import password_mail
from accounts.models import User
from tests import make

pytestmark = pytest.mark.django_db

SECRET = "a much better pass phrase"


def log_in(client, email, password=make.PASSWORD, **more):
    return client.post("/login", {"username": email, "password": password, **more})


def whose(client):
    return client.session.get("_auth_user_id")


def link_in_mail(email):
    password_mail.send(email)
    return re.search(r"https?://[^/]+(/\S+)", mail.outbox[-1].body).group(1)


# --- log-in


def test_the_right_password_leads_to_the_dashboard(client, world):
    answer = log_in(client, "owner@acme.example")
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert whose(client) == str(world.owner.user_id)


def test_the_case_of_the_address_does_not_matter(client, world):
    log_in(client, " Owner@ACME.example ")
    assert whose(client) == str(world.owner.user_id)


def test_a_wrong_password_is_refused_beside_the_field(client, world):
    answer = log_in(client, "owner@acme.example", "wrong")
    assert answer.status_code == 422
    assert "password" in answer.context["form"].errors
    assert whose(client) is None


def test_nobody_learns_whether_an_address_is_known(client, world):
    known, unknown = log_in(client, "owner@acme.example", "wrong"), log_in(client, "nobody@acme.example", "wrong")
    assert known.context["form"].errors == unknown.context["form"].errors
    assert known.status_code == unknown.status_code


def test_a_closed_account_does_not_open(client, world):
    User.objects.update(is_active=False)
    assert log_in(client, "owner@acme.example").status_code == 422


@pytest.mark.parametrize(
    "typed",
    [
        {},
        {"username": "", "password": ""},
        {"username": "owner@acme.example\x00", "password": "x"},
        {"username": "owner@acme.example", "password": "\x00"},
        {"username": "x" * 1_000_000, "password": "x" * 1_000_000},
        {"username": "\ud800".encode("utf-8", "surrogatepass"), "password": "x"},
    ],
    ids=["nothing", "empty", "nul in address", "nul in password", "megabytes", "half a character"],
)
def test_odd_input_is_answered_with_an_error(client, world, typed):
    assert client.post("/login", typed).status_code == 422


@pytest.mark.parametrize("wanted", ["/campaigns", "/settings?tab=1"])
def test_a_person_arrives_where_they_were_going(client, world, wanted):
    assert log_in(client, "owner@acme.example", next=wanted)["Location"] == wanted


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "\x00/", "/" + "x" * 5000],
)
def test_nobody_is_sent_elsewhere_after_the_log_in(client, world, elsewhere):
    assert log_in(client, "owner@acme.example", next=elsewhere)["Location"] == "/"


def test_after_ten_wrong_passwords_even_the_right_one_waits(client, world):
    for _ in range(10):
        assert log_in(client, "owner@acme.example", "wrong").status_code == 422
    answer = log_in(client, "owner@acme.example")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert whose(client) is None


def test_tries_from_elsewhere_do_not_lock_the_owner_out(client, world):
    for _ in range(11):
        client.post("/login", {"username": "owner@acme.example", "password": "wrong"}, REMOTE_ADDR="203.0.113.9")
    log_in(client, "owner@acme.example")
    assert whose(client) == str(world.owner.user_id)


def test_right_passwords_do_not_count_as_tries(client, world):
    for _ in range(12):
        assert log_in(client, "owner@acme.example").status_code == 302


def test_many_accounts_cannot_be_tried_from_one_network(client, world):
    statuses = [log_in(client, f"person{n}@acme.example", "wrong").status_code for n in range(61)]
    assert statuses == [422] * 60 + [429]


def test_a_session_gets_a_new_key_at_log_in(client, world):
    log_in(client, "viewer@acme.example")
    before = client.session.session_key
    log_in(client, "owner@acme.example")
    assert client.session.session_key != before


def test_logging_out_takes_a_post(client, world):
    client.force_login(world.owner.user)
    assert client.get("/logout").status_code == 405
    client.post("/logout")
    assert whose(client) is None


def test_who_is_not_logged_in_is_asked_to(client, world):
    assert client.get("/settings/team")["Location"] == "/login?next=/settings/team"


def test_a_part_of_a_page_sends_the_whole_page_to_the_log_in(client, world):
    answer = client.get(
        "/settings/team", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/settings"}
    )
    assert answer["HX-Redirect"] == "/login?next=/settings"


# --- new password


def test_a_new_password_works_and_the_old_one_does_not(client, world):
    form = client.get(link_in_mail("owner@acme.example"), follow=True)
    assert form.context["validlink"]
    done = client.post(form.request["PATH_INFO"], {"new_password1": SECRET, "new_password2": SECRET})
    assert done["Location"] == "/password-reset/done"
    assert log_in(client, "owner@acme.example").status_code == 422
    assert log_in(client, "owner@acme.example", SECRET).status_code == 302


def test_the_link_works_once(client, world):
    link = link_in_mail("owner@acme.example")
    form = client.get(link, follow=True)
    client.post(form.request["PATH_INFO"], {"new_password1": SECRET, "new_password2": SECRET})
    again = client.get(link, follow=True)
    assert not again.context["validlink"]
    assert "This link no longer works" in again.content.decode()


@pytest.mark.parametrize("link", ["/password-reset/x/y", "/password-reset/OTk5OTk5OTk5OTk5OTk5OTk5OTk5/abc-def"])
def test_an_invented_link_says_what_to_do(client, world, link):
    answer = client.get(link)
    assert answer.status_code == 200
    assert "/password-reset" in answer.content.decode()


@pytest.mark.parametrize(
    ("one", "two"), [("short", "short"), ("password123456", "password1234567"), ("\x00" * 12, "\x00" * 12), ("", "")]
)
def test_a_bad_new_password_is_told_beside_its_field(client, world, one, two):
    form = client.get(link_in_mail("owner@acme.example"), follow=True)
    answer = client.post(form.request["PATH_INFO"], {"new_password1": one, "new_password2": two})
    assert answer.context["form"].errors
    assert answer.status_code == 422


def test_other_sessions_end_with_the_old_password(client, world):
    client.force_login(world.owner.user)
    user = User.objects.get(pk=world.owner.user_id)
    user.set_password(SECRET)
    user.save()
    assert client.get("/settings").status_code == 302


def test_known_and_unknown_addresses_get_the_same_answer(client, world):
    known = client.post("/password-reset", {"email": "owner@acme.example"})
    unknown = client.post("/password-reset", {"email": "nobody@acme.example"})
    assert known.status_code == unknown.status_code == 302
    assert known["Location"] == unknown["Location"] == "/password-reset/sent"


def test_an_unknown_address_gets_no_mail(world):
    password_mail.send("nobody@acme.example")
    assert mail.outbox == []


def test_a_forged_host_does_not_reach_the_mail(world, settings):
    settings.APP_URL = "https://app.example"
    password_mail.send("owner@acme.example")
    assert "://app.example/password-reset/" in mail.outbox[0].body


def test_the_mail_speaks_the_language_of_the_company(world):
    world.acme.language = "xx"
    world.acme.save()
    password_mail.send("owner@acme.example")
    assert mail.outbox[0].subject


def test_mails_for_one_account_are_limited(client, world):
    answers = [client.post("/password-reset", {"email": "owner@acme.example"}).status_code for _ in range(6)]
    assert answers == [302] * 5 + [429]


@pytest.mark.parametrize("email", ["", "no address", "a@b.example\x00", "x" * 100_000 + "@b.example"])
def test_a_bad_address_is_told(client, world, email):
    assert client.post("/password-reset", {"email": email}).status_code == 422
