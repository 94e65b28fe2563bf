"""A whole e-mail campaign, from its launch to a mail server (aiosmtpd) or a service, and one click back."""

from __future__ import annotations

import email
import email.policy
import json
import re
from email.message import EmailMessage
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.test import Client

from addressbook.models import Suppression
from campaigns import audience, dispatch
from messaging.models import Message
from tests import make
from tests.gateways.mail_server import mail_server
from tests.gateways.stub import Request, provider, said

pytestmark = pytest.mark.django_db


def add_gateway(kind: str, *settings: str) -> dict:
    out = StringIO()
    call_command(*["add_gateway", "--company", "acme", "--kind", kind, "--default", "--set", *settings], stdout=out)
    return json.loads(out.getvalue())


def campaign(world):
    made = make.campaign(world.acme, world.customers, channel="email", sender="", subject="Winter sale – 20 %")
    made.launch()
    audience.build(made)
    dispatch.run(category="marketing", seconds=5)
    return made


def parsed(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert found.defects == []
    assert all(header.defects == () or not header.defects for header in map(found.__getitem__, found.keys()))
    return found


def list_uris(header: str) -> list[str]:
    """RFC 2369 2: addresses in angle brackets, between commas; white space around them says nothing."""
    parts = [part.strip() for part in header.split(",")]
    assert all(re.fullmatch(r"<[^<>\s]+>", part) for part in parts), header
    return [part[1:-1] for part in parts]


@pytest.fixture
def people(world):
    for n in range(30):
        make.contact(world.acme, email=f"person{n}@devries.example", group=world.customers)
    return ["sanne@devries.example", *(f"person{n}@devries.example" for n in range(30))]


def test_every_person_of_a_campaign_gets_one_mail_of_their_own(world, people):
    with mail_server() as server:
        add_gateway("smtp", "host=127.0.0.1", f"port={server.port}", "from_email=Acme <news@acme.example>")
        made = campaign(world)

    assert sorted(mail.to for mail in server.mails) == sorted(people)
    links = set()
    for mail in server.mails:
        got = parsed(mail.data)
        assert (mail.sender, got["From"], got["To"]) == ("news@acme.example", "Acme <news@acme.example>", mail.to)
        assert got["Subject"] == "Winter sale – 20 %"
        assert got.get_content_type() == "multipart/alternative"
        links.add(got["List-Unsubscribe"])
    assert len(links) == len(people), "everybody's link is their own"
    assert set(Message.objects.of(world.acme).filter(campaign=made).values_list("status", flat=True)) == {"sent"}


def test_its_headers_are_as_rfc_2369_and_rfc_8058_ask(world):
    with mail_server() as server:
        add_gateway("smtp", "host=127.0.0.1", f"port={server.port}", "from_email=news@acme.example")
        campaign(world)

    (mail,) = server.mails
    got = parsed(mail.data)
    for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "From", "To", "Subject", "Date", "Message-ID"):
        assert len(got.get_all(name)) == 1, name
    # RFC 8058 3.1: one pair, and nothing else; the address needs no cookie, log-in or page in between.
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    web = [uri for uri in list_uris(got["List-Unsubscribe"]) if urlsplit(uri).scheme in {"http", "https"}]
    assert len(web) == 1
    raw = mail.data.split(b"\r\n\r\n")[0] + b"\r\n"
    assert f"List-Unsubscribe: <{web[0]}>\r\n".encode() in raw, "on one line, neither folded nor encoded"
    assert all(len(line) <= 998 for line in mail.data.split(b"\r\n")), "RFC 5322 2.1.1"

    parts = urlsplit(web[0])
    name, _, value = got["List-Unsubscribe-Post"].partition("=")
    answer = Client(headers={"host": parts.netloc}).post(
        parts.path, f"{name}={value}", "application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.cookies.output()) == (200, "")
    assert Suppression.objects.of(world.acme).get(channel="email").source == "one_click"


def test_who_has_left_gets_none_and_who_does_not_exist_is_out(world):
    make.contact(world.acme, email="jan@devries.example", group=world.customers)
    with mail_server() as server:
        server.script.answers["RCPT TO:<jan@devries.example>"] = "550 5.1.1 no such user"
        add_gateway("smtp", "host=127.0.0.1", f"port={server.port}", "from_email=news@acme.example")
        campaign(world)
        assert [mail.to for mail in server.mails] == ["sanne@devries.example"]
        bounced = Suppression.objects.of(world.acme).get(address="jan@devries.example")
        assert (bounced.channel, bounced.source) == ("email", "complaint")

        campaign(world)

    assert [mail.to for mail in server.mails] == ["sanne@devries.example"] * 2


def test_through_a_service_a_campaign_is_sent_reported_and_ended_by_its_webhook(world):
    def taken(request: Request):
        return said(200, {"ErrorCode": 0, "Message": "OK", "To": request.json()["To"], "MessageID": "m-1"})

    with provider(taken) as postmark:
        hooks = add_gateway(
            "postmark", "server_token=t", "webhook_secret=hook:secret", "from_email=news@acme.example",
            f"base_url={postmark.base_url}",
        )  # fmt: skip
        made = campaign(world)

        (request,) = postmark.requests
        headers = {h["Name"]: h["Value"] for h in request.json()["Headers"]}
        assert len(list_uris(headers["List-Unsubscribe"])) == 1
        assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        message = Message.objects.of(world.acme).get(campaign=made)
        assert (message.status, message.provider_id) == ("sent", "m-1")

        complaint = {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "ID": 42, "MessageID": "m-1",
                     "Email": message.address, "Metadata": request.json()["Metadata"]}  # fmt: skip
        answer = Client().post(
            hooks["status"], json.dumps(complaint), "application/json", headers={"Authorization": BASIC}
        )
        assert answer.status_code == 200
        assert Message.objects.of(world.acme).get(campaign=made).status == "delivered"
        assert Suppression.objects.of(world.acme).get(channel="email").source == "complaint"

        campaign(world)
        assert len(postmark.requests) == 1, "who complained gets no more"


BASIC = "Basic aG9vazpzZWNyZXQ="
