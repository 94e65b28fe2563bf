"""List-Unsubscribe by e-mail: what a mail server pipes to us."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError

from addressbook import consent
from addressbook.models import ConsentEvent, Evidence, Suppression
from campaigns import audience, dispatch
from config.checks import check_mailbox
from messaging.models import Message
from optout import links, mailbox
from tests import make

BOX = "unsubscribe@no-s.ms"


@pytest.fixture(autouse=True)
def box(settings):
    settings.UNSUBSCRIBE_EMAIL = BOX


@pytest.fixture
def mail(world):
    """One marketing e-mail that was sent."""
    made = make.campaign(world.acme, world.customers, channel="email", sender="", subject="Sale")
    made.launch()
    audience.build(made)
    dispatch.run(category="marketing")
    return Message.objects.of(world.acme).get(channel="email")


@pytest.fixture
def code(mail):
    return links.codes().encode_tagged(mail.pk)


def written(*headers: str, body: str = "") -> bytes:
    return "\r\n".join([*headers, "", body]).encode()


def to(code: str) -> str:
    return f"unsubscribe+{code}@no-s.ms"


def out(world) -> bool:
    return Suppression.objects.of(world.acme).filter(channel="email").exists()


def test_the_header_names_link_and_mailbox(mail, code):
    header = links.unsubscribe_header(mail.pk)

    assert header == (
        f"<{links.link(mail.pk, 'email')}>, <mailto:unsubscribe+{code}@no-s.ms?subject=unsubscribe%20{code}>"
    )
    assert len(f"unsubscribe+{code}") <= 64


def test_without_a_mailbox_it_names_the_link_alone(mail, settings):
    settings.UNSUBSCRIBE_EMAIL = ""

    assert links.unsubscribe_header(mail.pk) == f"<{links.link(mail.pk, 'email')}>"


def test_what_a_mail_program_sends_opts_out(world, mail, code):
    assert mailbox.take(written("From: sanne@devries.example", f"To: {to(code)}", "Subject: unsubscribe"))

    event = ConsentEvent.objects.of(world.acme).get(type="opt_out", channel="email")
    assert (event.source, event.message_id, event.campaign_id) == ("one_click", mail.pk, mail.campaign_id)
    assert Evidence.objects.of(world.acme).get(pk=event.pk).details["method"] == "List-Unsubscribe, by e-mail"
    assert out(world)


@pytest.mark.parametrize(
    "headers",
    [
        ["Delivered-To: {to}"],
        ["X-Original-To: {to}", "To: somebody@else.example"],
        ["Envelope-To: {to}"],
        ['To: "Stop" <{to}>'],
        ["To: {to_lower}"],
        ["To: a@b.example,\r\n {to}"],
        ["Cc: {to}"],
        ["To: unsubscribe@no-s.ms", "Subject: unsubscribe {code}"],
        ["To: unsubscribe@no-s.ms", "Subject: =?utf-8?q?unsubscribe=20{code}?="],
        ["To: unsubscribe@no-s.ms", "Subject: Re: unsubscribe\r\n {code}"],
        ["Subject: {code_lower}"],
    ],
)
def test_the_code_is_found_wherever_mail_servers_leave_it(world, code, headers):
    places = {"to": to(code), "to_lower": to(code).lower(), "code": code, "code_lower": code.lower()}

    assert mailbox.take(written(*[header.format(**places) for header in headers]))

    assert out(world)


def test_the_envelopes_recipient_is_enough(world, code):
    assert mailbox.take(b"", recipients=[to(code)])

    assert out(world)


def test_whoever_it_is_from_and_whatever_it_says(world, code):
    assert mailbox.take(written("From: stranger@elsewhere.example", f"To: {to(code)}", body="do not unsubscribe"))

    assert out(world)


def test_twice_is_friendly_and_one_line(world, code):
    assert mailbox.take(b"", recipients=[to(code)])
    assert mailbox.take(b"", recipients=[to(code)])

    assert ConsentEvent.objects.of(world.acme).filter(channel="email", type="opt_out").count() == 1


def test_it_covers_what_the_company_says(world, code):
    mailbox.take(b"", recipients=[to(code)])

    assert set(Suppression.objects.of(world.acme).values_list("channel", flat=True)) == {"sms", "email"}
    assert not Suppression.objects.of(world.rival).exists()


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1] + ("0" if c[-1] != "0" else "1"), lambda c: c[:7], lambda c: c[1:]]
)
def test_a_code_that_is_not_whole_opts_nobody_out(world, code, change):
    assert not mailbox.take(written(f"To: {to(change(code))}", f"Subject: {change(code)}"))

    assert not out(world)


def test_the_code_of_an_sms_opts_nobody_out_by_mail(world, mail):
    make.campaign(world.acme, world.customers)
    sms = links.codes().encode(mail.pk)

    assert not mailbox.take(written(f"To: {to(sms)}"))


@pytest.mark.parametrize("automatic", ["Auto-Submitted: auto-replied", "Return-Path: <>", "Auto-Submitted: AUTO-made"])
def test_an_automatic_answer_that_only_quotes_a_code_opts_nobody_out(world, code, automatic):
    assert not mailbox.take(written(automatic, "To: unsubscribe@no-s.ms", f"Subject: Re: unsubscribe {code}"))
    assert not out(world)


@pytest.mark.parametrize("automatic", ["Auto-Submitted: auto-generated", "Return-Path: <>", "Auto-Submitted: no"])
def test_an_automatic_message_to_the_code_itself_is_the_mail_program_s(world, code, automatic):
    assert mailbox.take(written(automatic, f"Delivered-To: {to(code)}"))
    assert out(world)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\0",
        b"\xff" * 1000,
        b"To: " + b"a" * 100_000,
        b"To: " + b"unsubscribe+" + b"A" * 33 + b"@no-s.ms," * 5000,
        b"Subject: =?utf-8?b?////?= =?x?q?" + b"=" * 1000 + b"?=",
        b"Subject: =?no-such-charset?q?abc?=",
        b"To: \xed\xa0\x80+0123456789012345678901234567890123@\r\nSubject: \r\n\r\n",
        b"no header at all\n\n" * 1000,
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n--",
    ],
)
def test_junk_is_forgotten(world, mail, junk):
    assert mailbox.take(junk) is False
    assert not out(world)


def piped(monkeypatch, data: bytes, *arguments: str) -> int:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    try:
        call_command("receive_mail", *arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_command_takes_one_message(world, code, monkeypatch):
    assert piped(monkeypatch, written("Subject: unsubscribe"), "--recipient", to(code)) == 0

    assert out(world)


def test_the_command_forgets_junk(world, monkeypatch):
    assert piped(monkeypatch, b"\xff" * 1_000_000) == 0


def test_the_command_reads_a_large_message_to_its_end(world, code, monkeypatch):
    data = io.BytesIO(written(f"To: {to(code)}", body="x" * 1_000_000))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=data))

    call_command("receive_mail")

    assert data.read() == b""
    assert out(world)


def test_a_database_that_is_away_makes_the_mail_server_come_again(world, code, monkeypatch):
    def away(**_kwargs):
        raise OperationalError

    monkeypatch.setattr(consent, "opt_out", away)

    assert piped(monkeypatch, b"", "--recipient", to(code)) == 75


def test_no_address_is_in_the_logs(world, code, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    piped(monkeypatch, written(f"To: {to(code)}", "From: sanne@devries.example"), "--recipient", to(code))
    piped(monkeypatch, written("To: sanne@devries.example"))

    told = "".join(record.getMessage() for record in caplog.records if record.name.startswith("stopgate"))
    assert "@" not in told
    assert code not in told
    assert "unsubscribed by e-mail" in told


@pytest.mark.parametrize("value", ["unsubscribe", "a b@no-s.ms", "@no-s.ms", "x" * 25 + "@no-s.ms", "a+b@no-s.ms"])
def test_a_mailbox_that_takes_no_codes_may_not_start(settings, value):
    settings.UNSUBSCRIBE_EMAIL = value

    assert [problem.id for problem in check_mailbox(None)] == ["stopgate.E005"]


@pytest.mark.parametrize("value", ["", BOX, "out.box-1@mail.no-s.ms"])
def test_a_mailbox_that_takes_codes_may(settings, value):
    settings.UNSUBSCRIBE_EMAIL = value

    assert check_mailbox(None) == []
