from __future__ import annotations

import email
import email.policy

import pytest

from messaging.gateways import ADAPTERS, Block, Outgoing, Verdict, references, smtp
from messaging.models import Gateway
from tests.gateways import stub
from tests.gateways.mail_server import Script, mail_server

pytestmark = pytest.mark.django_db
LINK = "<https://no-s.ms/e/0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789ABCDEFGHJKMNPQRSTVWXYZ0123456789>"


@pytest.fixture
def adapter(world):
    def make(port: int, **more: str):
        settings = {"host": "127.0.0.1", "port": str(port), "from_email": "Acme <news@acme.example>", **more}
        return ADAPTERS["smtp"](Gateway.objects.create(company=world.acme, kind="smtp", settings=settings))

    return make


def mail(number: int = 7, **fields) -> Outgoing:
    values = {
        "id": number, "channel": "email", "to": "sanne@devries.example", "sender": "", "subject": "Sale",
        "text": "Hello Sanne,\n.dots stay\nhttps://no-s.ms/e/ABC?a=1&b=2", "list_unsubscribe": LINK,
    }  # fmt: skip
    return Outgoing(**(values | fields))


def send(adapter, script: Script, *mails: Outgoing):
    with mail_server(script) as server:
        return adapter(server.port).send(mails or [mail()]), server


def parsed(server, n: int = 0):
    return email.message_from_bytes(server.mails[n].data, policy=email.policy.default)


def test_a_mail_arrives_with_its_headers(adapter):
    (outcome,), server = send(adapter, Script())

    got = parsed(server)
    assert server.mails[0].sender == "news@acme.example"
    assert server.mails[0].to == "sanne@devries.example"
    assert (got["From"], got["To"], got["Subject"]) == ("Acme <news@acme.example>", "sanne@devries.example", "Sale")
    assert got["Message-ID"] == f"<{references.write(7)}@acme.example>"
    assert got["Date"]
    assert (outcome.verdict, outcome.provider_id) == (Verdict.ACCEPTED, got["Message-ID"])


def test_one_click_headers_are_as_rfc_8058_asks(adapter):
    _outcomes, server = send(adapter, Script())

    raw = server.mails[0].data.split(b"\r\n\r\n")[0]
    assert f"List-Unsubscribe: {LINK}\r\n".encode() in raw + b"\r\n", "one line, neither folded nor encoded"
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw + b"\r\n"


def test_a_transactional_mail_has_no_list_headers(adapter):
    _outcomes, server = send(adapter, Script(), mail(list_unsubscribe=""))

    assert parsed(server)["List-Unsubscribe"] is None
    assert parsed(server)["List-Unsubscribe-Post"] is None


def test_the_text_arrives_as_text_and_as_html(adapter):
    text = "Hallo Zoë <b>€5</b>\n.\n..\nhttps://no-s.ms/e/ABC?a=1&b=2"
    _outcomes, server = send(adapter, Script(), mail(text=text))

    plain, html = parsed(server).iter_parts()
    assert parsed(server).get_content_type() == "multipart/alternative"
    assert plain.get_content().splitlines() == text.splitlines()
    assert "&lt;b&gt;€5&lt;/b&gt;<br>" in html.get_content()
    assert 'href="https://no-s.ms/e/ABC?a=1&amp;b=2"' in html.get_content()
    assert all(len(line) <= 998 and line.isascii() for line in server.mails[0].data.split(b"\r\n"))


@pytest.mark.parametrize("subject", ["Sale\r\nBcc: all@example.org", "Sale\nX: y", "é" * 200, "\x00", ""])
def test_a_subject_stays_a_subject(adapter, subject):
    (outcome,), server = send(adapter, Script(), mail(subject=subject))

    assert outcome.verdict is Verdict.ACCEPTED
    assert parsed(server)["Bcc"] is None
    assert parsed(server)["X"] is None


def test_a_sender_may_be_an_address_or_a_name(adapter):
    _outcomes, server = send(adapter, Script(), mail(sender="shop@acme.example"), mail(8, sender="Acme Shop"))

    assert parsed(server)["From"] == "shop@acme.example"
    assert parsed(server, 1)["From"] == "Acme Shop <news@acme.example>"


@pytest.mark.parametrize("to", ["zoë@example.org", "a b@example.org", "x", "a@b\r\nRCPT TO:<c@d>"])
def test_an_address_that_makes_no_mail_is_rejected_and_the_others_go(adapter, to):
    outcomes, server = send(adapter, Script(), mail(1, to=to), mail(2))

    assert [o.verdict for o in outcomes] == [Verdict.REJECTED, Verdict.ACCEPTED]
    assert len(server.mails) == 1


def test_a_connection_is_used_again(adapter):
    with mail_server() as server:
        one = adapter(server.port)
        for number in range(1, 4):
            assert one.send([mail(number), mail(number + 10)])[1].verdict is Verdict.ACCEPTED

    assert (server.connections, len(server.mails)) == (1, 6)


def test_a_connection_that_was_closed_meanwhile_is_made_anew(adapter):
    with mail_server() as server:
        one = adapter(server.port)
        one.send([mail(1)])
        server.script.answers["NOOP"] = "hang up"
        (outcome,) = one.send([mail(2)])

    assert outcome.verdict is Verdict.ACCEPTED
    assert server.connections == 2


def test_an_account_logs_in(adapter):
    with mail_server(Script(has_login=True)) as server:
        adapter(server.port, username="u", password="p").send([mail()])

    assert server.logins == [(b"u", b"p")]


def test_a_server_without_log_in_takes_mail_all_the_same(adapter):
    with mail_server() as server:
        (outcome,) = adapter(server.port, username="u", password="p").send([mail()])

    assert outcome.verdict is Verdict.ACCEPTED


def test_no_password_goes_over_an_open_line(adapter, monkeypatch):
    monkeypatch.setattr(smtp, "_is_loopback", lambda host: False)
    with mail_server(Script(has_login=True)) as server:
        (outcome,) = adapter(server.port, username="u", password="p").send([mail()])

    assert (outcome.verdict, server.logins, server.mails) == (Verdict.RETRYABLE, [], [])


def test_a_refused_account_keeps_its_mails(adapter):
    with mail_server(Script(has_login=True, answers={"AUTH": "535 5.7.8 wrong"})) as server:
        outcomes = adapter(server.port, username="u", password="p").send([mail(1), mail(2)])

    assert [o.verdict for o in outcomes] == [Verdict.RETRYABLE] * 2
    assert outcomes[0].retry_after >= 60
    assert server.connections == 1, "one try tells it"


def test_without_a_server_nothing_has_left(adapter):
    port = int(stub.nobody().rpartition(":")[2])

    outcomes = adapter(port).send([mail(1), mail(2)])

    assert [(o.verdict, o.retry_after) for o in outcomes] == [(Verdict.RETRYABLE, None)] * 2


@pytest.mark.parametrize(
    ("answers", "verdict", "block"),
    [
        ({"MAIL": "550 5.7.1 not you"}, Verdict.REJECTED, None),
        ({"MAIL": "451 later"}, Verdict.RETRYABLE, None),
        ({"MAIL": "hang up"}, Verdict.RETRYABLE, None),
        ({"MAIL": "530 5.7.0 log in first"}, Verdict.RETRYABLE, None),
        ({"RCPT": "550 5.1.1 user unknown"}, Verdict.REJECTED, Block.BOUNCED),
        ({"RCPT": "550 user unknown"}, Verdict.REJECTED, None),
        ({"RCPT": "550 5.7.1 blocked, see 5.1.1.9"}, Verdict.REJECTED, None),
        ({"RCPT": "552 5.2.2 mailbox full"}, Verdict.REJECTED, None),
        ({"RCPT": "450 4.2.0 greylisted"}, Verdict.RETRYABLE, None),
        ({"RCPT": "421 closing"}, Verdict.RETRYABLE, None),
        ({"RCPT": "hang up"}, Verdict.RETRYABLE, None),
        ({"DATA": "554 no"}, Verdict.REJECTED, None),
        ({"DATA": "hang up"}, Verdict.RETRYABLE, None),
        ({"END": "554 5.7.1 spam"}, Verdict.REJECTED, None),
        ({"END": "451 4.3.0 try again"}, Verdict.RETRYABLE, None),
        ({"END": "999 what"}, Verdict.UNKNOWN, None),
        ({"END": "hang up"}, Verdict.UNKNOWN, None),
        ({"END": "taken, then hang up"}, Verdict.UNKNOWN, None),
    ],
    ids=str,
)
def test_each_answer_has_its_verdict(adapter, answers, verdict, block):
    (outcome,), _server = send(adapter, Script(answers=answers))

    assert (outcome.verdict, outcome.block) == (verdict, block)


def test_one_refused_recipient_does_not_stop_the_others(adapter):
    refused = {"RCPT TO:<nobody@devries.example>": "550 5.1.1 no such user"}
    outcomes, server = send(adapter, Script(answers=refused), mail(1), mail(2, to="nobody@devries.example"), mail(3))

    assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.ACCEPTED]
    assert server.connections == 1


def test_what_may_have_been_taken_keeps_its_id_for_a_later_report(adapter):
    (outcome,), _server = send(adapter, Script(answers={"END": "hang up"}))

    assert outcome.provider_id == f"<{references.write(7)}@acme.example>"


def test_what_has_not_begun_in_time_is_looked_at_again_first(adapter, monkeypatch):
    monkeypatch.setattr(smtp, "BEGIN_WITHIN_SECONDS", -1)
    outcomes, server = send(adapter, Script(), mail(1), mail(2))

    assert [o.verdict for o in outcomes] == [Verdict.ACCEPTED, Verdict.RETRYABLE]
    assert outcomes[1].retry_after == 0
    assert len(server.mails) == 1


def test_a_letter_of_its_own_goes_beside_the_text(adapter):
    _outcomes, server = send(adapter, Script(), mail(html="<!doctype html><p>Hello <b>Sanne</b></p>"))

    got = parsed(server)
    assert got.get_body(("plain",)).get_content().startswith("Hello Sanne,")
    assert got.get_body(("html",)).get_content().strip() == "<!doctype html><p>Hello <b>Sanne</b></p>"
