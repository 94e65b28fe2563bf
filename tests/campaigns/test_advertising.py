"""Transactional texts that read like advertising."""

from __future__ import annotations

import logging

import pytest

from api.models import ApiKey
from campaigns import advertising
from messaging.models import Message
from tests.world import PHONE


@pytest.mark.parametrize(
    "text",
    [
        "SALE! Everything must go",
        "Nur heute: 20 % Rabatt",
        "Profitez des SOLDES",
        "Profitez de la réduction",
        "Korting alleen vandaag",
        "Rebajas en tu tienda",
        "-30% this week: https://bit.ly/3abc",
    ],
)
def test_advertising_is_recognised(text):
    assert advertising.signs(text)


@pytest.mark.parametrize(
    "text",
    [
        "Your code is 123456. Do not share it.",
        "Ihr Code lautet 4711.",
        "Your parcel 3SABCD arrives today between 14:00 and 16:00. Track: https://bit.ly/3abc",
        "Uw bestelling van € 49,95 (21% btw) is verzonden.",
        "Votre rendez-vous est le 12 mars à 9 h.",
        "The battery is at 15%.",
        "Your invoice for the salesman is ready.",
        "",
        "\x00" * 1000,
    ],
)
def test_codes_orders_and_dates_are_not(text):
    assert advertising.signs(text) == []


def send(client, world, body, category="transactional"):
    _key, text = ApiKey.issue(company=world.acme, name="Shop", scopes=["send"])
    return client.post(
        "/api/v1/messages",
        {"to": PHONE, "body": body, "category": category},
        content_type="application/json",
        headers={"Authorization": f"Bearer {text}"},
    )


def test_such_a_text_is_sent_all_the_same_with_a_warning_and_a_line_in_the_log(client, world, caplog):
    with caplog.at_level(logging.WARNING, logger="stopgate.messages"):
        answer = send(client, world, "Black Friday: 50% discount")
    assert answer.status_code == 202
    assert "reads like marketing" in answer.json()["warning"]
    assert Message.objects.of(world.acme).get().category == "transactional"
    (line,) = [record.getMessage() for record in caplog.records if record.name == "stopgate.messages"]
    assert "discount" not in line
    assert PHONE not in line


def test_other_texts_have_no_warning(client, world):
    assert send(client, world, "Your code is 123456").json()["warning"] is None
    assert send(client, world, "Sale today", "marketing").json()["warning"] is None
