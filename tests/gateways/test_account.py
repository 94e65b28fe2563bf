"""What an account at each provider is made of, checked before it is kept."""

from __future__ import annotations

import pytest

from messaging.gateways import ADAPTERS, InvalidSettings

MAIL = {"host": "mail.example", "from_email": "news@acme.example"}
TEXT = {"product_token": "t"}


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("cm", {}, "CM.com needs product_token; add product_token=VALUE"),
        ("twilio", {}, "needs account_sid, auth_token"),
        ("vonage", {"api_key": "k", "api_secret": "s"}, "needs signature_secret"),
        ("smtp", {"host": "h"}, "needs from_email"),
        ("cm", {**TEXT, "colour": "red"}, "no setting “colour”. It takes: product_token, base_url, rate"),
        ("cm", {"product_token": " "}, "product_token=VALUE"),
        ("cm", {"product_token": "a\x00"}, "no plain text"),
        ("cm", {"product_token": "\ud800"}, "no plain text"),
        ("cm", {"product_token": "x" * 9000}, "no plain text"),
        *(("cm", {**TEXT, "base_url": url}, "https://host") for url in ("x", "ftp://x", "http://", "http://[", "//x")),
        *(("cm", {**TEXT, "rate": rate}, "messages per second") for rate in ("0", "-1", "ten", "²", "99999999")),
        *(("smtp", {**MAIL, "port": port}, "port is a number") for port in ("0", "x", "70000", "٣")),
        ("smtp", {**MAIL, "from_email": "news"}, "from_email is no e-mail address"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(kind, settings, words):
    adapter = ADAPTERS[kind]

    with pytest.raises(InvalidSettings) as problem:
        adapter.account.check(settings, label=adapter.label)

    assert words in str(problem.value)


SERVICES = ["mailgun", "sendgrid", "postmark", "brevo", "mailjet", "resend", "sparkpost"]


def test_the_adapters_are_registered_under_their_kinds():
    assert {kind for kind, adapter in ADAPTERS.items() if adapter.is_offered} == {
        "simulator", "cm", "twilio", "vonage", "smtp", *SERVICES,
    }  # fmt: skip
    assert all(ADAPTERS[kind].channels == {"email"} for kind in ("smtp", *SERVICES))
    assert all(ADAPTERS[kind].channels == {"sms"} for kind in ("cm", "twilio", "vonage"))
