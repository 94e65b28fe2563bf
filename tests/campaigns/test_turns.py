"""Companies take turns: one company's million does not keep another's hundred waiting."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import audience, dispatch
from messaging.models import Batch, Gateway
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def first_turn(monkeypatch):
    monkeypatch.setattr(dispatch, "_turns", {})


def batches(company, n: int, *, category: str = "marketing", age: timedelta = timedelta(hours=1), **fields) -> None:
    gateway = Gateway.objects.of(company).get()
    due_at = timezone.now() - age
    Batch.objects.bulk_create(
        Batch(company=company, gateway=gateway, category=category, due_at=due_at, **fields) for _ in range(n)
    )


def claimed(n: int, category: str = "marketing") -> list[int]:
    found = [dispatch.claim(worker=uuid.uuid4(), category=category) for _ in range(n)]
    return [batch.company_id for batch in found if batch]


@pytest.mark.parametrize("turn", ["acme", "rival", "nobody"])
def test_who_comes_later_is_served_within_two_claims(world, turn):
    dispatch._turns["marketing"] = getattr(world, turn).pk if turn != "nobody" else 0
    batches(world.acme, 100)
    batches(world.rival, 1, age=timedelta(0))

    assert world.rival.pk in claimed(2)


def test_companies_alternate_and_then_the_larger_one_has_all_turns(world):
    batches(world.acme, 5)
    batches(world.rival, 2)

    first, second = sorted([world.acme.pk, world.rival.pk])
    assert claimed(9)[:4] == [first, second, first, second]
    assert Batch.objects.across_companies().filter(status="queued").count() == 0


def test_within_a_company_whoever_is_due_first_leaves_first(world):
    batches(world.acme, 1, age=timedelta(hours=1))
    batches(world.acme, 1, age=timedelta(hours=2))

    assert claimed(2) == [world.acme.pk] * 2
    dues = Batch.objects.of(world.acme).order_by("claimed_at").values_list("due_at", flat=True)
    assert list(dues) == sorted(dues)


def test_a_company_whose_batches_are_not_due_has_no_turn(world):
    """As when its gateway asked for a pause, or its people sleep."""
    batches(world.rival, 3, age=-timedelta(minutes=1))
    batches(world.acme, 2)

    assert claimed(3) == [world.acme.pk] * 2


def test_a_category_has_turns_of_its_own(world):
    batches(world.acme, 2)
    batches(world.rival, 1, category="transactional")

    assert claimed(3) == [world.acme.pk] * 2
    assert claimed(2, "transactional") == [world.rival.pk]


def test_with_a_thousand_companies_a_claim_reads_a_handful_of_pages(world):
    """However many wait: 1,000 companies, 20 batches each."""
    gateway = Gateway.objects.of(world.acme).get()
    with connection.cursor() as cursor:
        # Companies that nobody looks up; a foreign key would ask for each.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "INSERT INTO messaging_batch (company_id, gateway_id, category, status, due_at)"
            " SELECT 1000000 + n %% 1000, %s, 'marketing', 'queued', now() - n * interval '1 second'"
            " FROM generate_series(1, 20000) n",
            [gateway.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("ANALYZE messaging_batch")
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
            " SELECT * FROM batch_claim_v1(gen_random_uuid(), 'marketing', 1000500)"
        )
        ((plan,),) = cursor.fetchall()
        cursor.execute("DELETE FROM messaging_batch")
    assert plan[0]["Plan"]["Actual Rows"] == 1
    assert plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"] < 200


def test_the_outcome_and_the_next_claim_are_one_transaction_and_the_look_comes_after(world, monkeypatch):
    for _ in range(2):
        campaign = make.campaign(world.acme, world.customers)
        campaign.launch()
        audience.build(campaign)
    monkeypatch.setattr(dispatch, "MAX_GAP_SECONDS", 60)  # a slow machine would look again
    seen = []
    depth = len(connection.savepoint_ids)
    for name in ("claim", "_store", "_look", "_send"):
        real = getattr(dispatch, name)

        def note(*args, name=name, real=real, **how):
            seen.append((name, len(connection.savepoint_ids) > depth))
            return real(*args, **how)

        monkeypatch.setattr(dispatch, name, note)

    dispatch.run(category="marketing")

    one = [("_look", False), ("_send", False), ("_store", True), ("claim", True)]
    assert seen == [("claim", False), *one, *one]


def test_what_was_rendered_too_slowly_is_kept_for_the_next_look(world, monkeypatch):
    campaign = make.campaign(world.acme, world.customers, body="Hi {first_name}")
    campaign.launch()
    audience.build(campaign)
    rendered, clock = [], [0.0]
    real = dispatch._outgoing

    def slow(row, *, composer):
        rendered.append(row)
        clock[0] += 1
        return real(row, composer=composer)

    monkeypatch.setattr(dispatch, "_outgoing", slow)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    batch = dispatch.claim(worker=(worker := uuid.uuid4()), category="marketing")

    dispatch.hand_over(batch, worker=worker)

    assert len(rendered) == 1
    assert Batch.objects.of(world.acme).get(pk=batch.pk).look_to_send_ms < 250


def test_administrators_see_how_old_the_last_looks_were(world, admin_client):
    for gap in (10, 20, 30):
        batches(world.acme, 1, status="done", look_to_send_ms=gap)

    page = admin_client.get("/admin/messaging/batch/").content.decode()

    assert "99 % within 29 ms, the longest 30 ms" in page
