"""Promise 10: whatever happens the chains hold, and whatever is tampered with is found."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Company
from addressbook import consent, erasure, seals
from addressbook.models import ConsentEvent, LedgerHead, LedgerSeal
from config import sweeps
from lib.keys import digest_key
from messaging.addresses import Address
from tests import make
from tests.world import PHONE

ADDRESSES = [Address("sms", f"+316123456{n:02}") for n in range(6)]


def opt_out(company: Company, address: Address = ADDRESSES[0], **more) -> None:
    consent.opt_out(company=company, address=address, source="landing", comment="enough", **more)


def opt_in(company: Company, address: Address = ADDRESSES[0]) -> None:
    consent.opt_in(company=company, address=address, source="reply", evidence={"text": "START"})


def seal(company: Company) -> list[LedgerSeal]:
    return list(seals.seal(company))


def tamper(statement: str) -> int:
    """As a superuser who switches the triggers off first; how many rows it hit."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        found = cursor.rowcount
        cursor.execute("SET LOCAL session_replication_role = origin")
    return found


# Sealing


def test_a_seal_covers_what_is_new_and_the_seal_before(world):
    opt_out(world.acme)
    first = seal(world.acme)
    opt_out(world.acme, ADDRESSES[1])
    second = seal(world.acme)

    assert [one.number for one in first + second] == [1, 2]
    assert second[0].previous_hash == first[0].hash
    assert (sum(first[0].reach), sum(second[0].reach)) == (1, 2)
    assert seals.verify() == []


def test_nothing_new_makes_no_seal(world):
    opt_out(world.acme)
    assert len(seal(world.acme)) == 1
    assert seal(world.acme) == seal(world.rival) == []
    assert seals.verify() == []


def test_a_long_chain_takes_several_seals(world):
    for _ in range(260):
        opt_out(world.acme)
        opt_in(world.acme)

    assert [sum(one.reach) for one in seal(world.acme)] == [500, 520]
    assert seals.verify() == []


def test_the_worker_seals_what_has_waited(world, monkeypatch):
    monkeypatch.setattr(seals._pace, "next_look", 0)
    opt_out(world.acme)
    sweeps.sweep()
    assert LedgerSeal.objects.of(world.acme).count() == 1
    assert not LedgerSeal.objects.of(world.rival).exists()

    opt_out(world.acme, ADDRESSES[1])
    seals.seal_due()
    assert LedgerSeal.objects.of(world.acme).count() == 1, "not every other second"
    seals.seal_due(every=0)
    assert LedgerSeal.objects.of(world.acme).count() == 2


def test_the_sweep_does_not_look_each_time_it_comes_by(world, monkeypatch):
    monkeypatch.setattr(seals._pace, "next_look", 0)
    seals.sweep()
    opt_out(world.acme)
    seals.sweep()

    assert not LedgerSeal.objects.of(world.acme).exists()


def test_every_seal_goes_to_the_log(world, caplog):
    opt_out(world.acme)
    with caplog.at_level(logging.INFO, logger="stopgate.ledger"):
        (made,) = seal(world.acme)
    assert f"company={world.acme.pk} seal={made}" in caplog.text
    assert ADDRESSES[0].value not in caplog.text


# Verifying


@pytest.fixture
def ledger(world) -> Company:
    """Sealed and unsealed lines, addresses in and out, an erased contact, reasons."""
    for address in ADDRESSES:
        opt_out(world.acme, address)
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="reply", campaign_name="Sale")
    seal(world.acme)
    opt_in(world.acme, ADDRESSES[0])
    opt_in(world.acme, ADDRESSES[1])
    opt_out(world.acme, ADDRESSES[1])
    erasure.erase(world.contact, by="somebody")
    seal(world.acme)
    event = ConsentEvent.objects.of(world.acme).earliest("pk")
    consent.give_reason(
        company=world.acme, address=ADDRESSES[0], event_id=event.pk, source="landing", reason="other", comment="so"
    )
    opt_out(world.acme, ADDRESSES[0])
    opt_out(world.rival)
    assert seals.verify() == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # else what waits for the commit is in the way of ALTER TABLE
    return world.acme


OWN = "company_id = (SELECT id FROM accounts_company WHERE slug = 'acme')"
#: Per table what there is to change in a row, and how. The id of a suppression, head or seal is no fact.
COLUMNS = {
    "consentevent": {
        "id": "-id",
        "company_id": "(SELECT id FROM accounts_company WHERE slug = 'rival')",
        "type": "CASE type WHEN 'opt_out' THEN 'opt_in' ELSE 'opt_out' END",
        "source": "'portal'",
        "channel": "'fax'",
        "digest": "sha256(digest)",
        "cause_id": "coalesce(cause_id, 0) + 1",
        "campaign_id": "coalesce(campaign_id, 0) + 1",
        "campaign_name": "campaign_name || 'x'",
        "message_id": "coalesce(message_id, 0) + 1",
        "country": "'XX'",
        "reason": "reason || 'x'",
        "occurred_at": "occurred_at - interval '1 microsecond'",
        "recorded_at": "recorded_at + interval '1 microsecond'",
        "evidence_hash": "sha256(evidence_hash)",
        "shard": "(shard + 1) % 64",
        "position": "position + 1000",
        "previous_hash": "sha256(previous_hash)",
        "hash": "sha256(hash)",
    },
    "evidence": {
        "event_id": "-event_id",
        "company_id": "(SELECT id FROM accounts_company WHERE slug = 'rival')",
        "address": "address || '0'",
        "comment": "comment || '!'",
        "details": 'details || \'{"text": "something else"}\'',
        "erased_at": "CASE WHEN erased_at IS NULL THEN now() END",
    },
    "suppression": {
        "company_id": "(SELECT id FROM accounts_company WHERE slug = 'rival')",
        "channel": "'none'",
        "digest": "sha256(digest)",
        "address": "address || '0'",
        "event_id": "event_id + 1",
        "source": "'portal'",
        "since": "since + interval '1 microsecond'",
    },
    "ledgerhead": {
        "company_id": "-company_id",
        "shard": "shard + 100",
        "position": "position + 1",
        "hash": "sha256(hash)",
    },
    "ledgerseal": {
        "company_id": "-company_id",
        "number": "number + 10",
        "sealed_at": "sealed_at + interval '1 microsecond'",
        "reach": "reach[2:64] || reach[1]",
        "previous_hash": "sha256(previous_hash)",
        "hash": "sha256(hash)",
    },
}
CHANGES = [
    (table, f"UPDATE addressbook_{table} SET {c} = {v}") for table, values in COLUMNS.items() for c, v in values.items()
]
CHANGES += [(table, f"DELETE FROM addressbook_{table}") for table in COLUMNS]


def test_every_column_is_tampered_with():
    for model in (ConsentEvent, LedgerHead, LedgerSeal):
        columns = {field.column for field in model._meta.concrete_fields}
        assert columns - {"id"} == COLUMNS[model.__name__.lower()].keys() - {"id"}


@pytest.mark.parametrize(("table", "change"), CHANGES, ids=[change for _table, change in CHANGES])
def test_every_change_of_every_single_row_is_found(ledger, table, change):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ctid FROM addressbook_{table} WHERE {OWN}")
        rows = [row[0] for row in cursor.fetchall()]
    assert rows
    for row in rows:
        with transaction.atomic():
            try:
                with transaction.atomic():
                    assert tamper(f"{change} WHERE ctid = '{row}'") == 1
            except IntegrityError:
                continue  # unique, whoever does it
            assert seals.verify(), row
            transaction.set_rollback(True)
    assert seals.verify() == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_two_lines_that_change_places_are_found(ledger, data):
    ids = list(ConsentEvent.objects.of(ledger).order_by("pk").values_list("pk", flat=True))
    one, other = data.draw(st.lists(st.sampled_from(ids), min_size=2, max_size=2, unique=True))
    columns = data.draw(
        st.sampled_from(["id", "shard, position", "shard, position, previous_hash", "type, occurred_at"])
    )
    with transaction.atomic():
        tamper("ALTER TABLE addressbook_consentevent DROP CONSTRAINT one_line_per_position")
        tamper("ALTER TABLE addressbook_consentevent DROP CONSTRAINT addressbook_consentevent_pkey")
        tamper(
            f"UPDATE addressbook_consentevent a SET ({columns}) = (SELECT {columns} FROM addressbook_consentevent b "
            f"WHERE b.id = {one} + {other} - a.id) WHERE a.id IN ({one}, {other})"
        )
        assert seals.verify(ledger)
        transaction.set_rollback(True)


def test_a_forged_suppression_is_found(ledger):
    tamper(
        "INSERT INTO addressbook_suppression (company_id, channel, digest, address, event_id, source, since) SELECT "
        "company_id, channel, sha256('x'), '', event_id, source, since FROM addressbook_suppression "
        f"WHERE {OWN} LIMIT 1"
    )
    assert "does not follow" in seals.verify(ledger)[0]


def test_a_suppression_after_the_opt_in_is_found(ledger):
    opt_in(ledger, ADDRESSES[3])
    tamper(
        "INSERT INTO addressbook_suppression (company_id, channel, digest, address, event_id, source, since) SELECT "
        "company_id, channel, digest, '', id, source, occurred_at FROM addressbook_consentevent "
        "WHERE type = 'opt_out' AND digest = (SELECT digest FROM addressbook_consentevent ORDER BY id DESC LIMIT 1)"
    )
    assert "still in force after a newer opt-in" in seals.verify(ledger)[0]


def test_erasing_evidence_behind_the_ledger_s_back_is_found(ledger):
    """The triggers let it pass, because erasure does it; but no line says so."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE addressbook_evidence SET address = '', comment = '', details = '{}', erased_at = now() "
            f"WHERE event_id = (SELECT max(id) FROM addressbook_consentevent WHERE {OWN})"
        )
    assert any("was erased, but no line says so" in problem for problem in seals.verify(ledger))


def cut_tail(address: Address) -> None:
    """The last line of a chain goes, with its evidence and suppression, and the head moves back."""
    last = (
        ConsentEvent.objects.of(Company.objects.get(slug="acme"))
        .filter(digest=address.digest(digest_key()))
        .latest("pk")
    )
    tamper(f"DELETE FROM addressbook_suppression WHERE event_id = {last.pk}")
    tamper(f"DELETE FROM addressbook_evidence WHERE event_id = {last.pk}")
    tamper(f"DELETE FROM addressbook_consentevent WHERE id = {last.pk}")
    tamper(
        f"UPDATE addressbook_ledgerhead SET position = position - 1, hash = '\\x{bytes(last.previous_hash).hex()}' "
        f"WHERE company_id = {last.company_id} AND shard = {last.shard}"
    )


def test_a_sealed_tail_that_is_cut_off_with_everything_that_hangs_on_it_is_found(ledger):
    opt_out(ledger, Address("sms", "+31699999999"))
    seal(ledger)
    cut_tail(Address("sms", "+31699999999"))

    (problem,) = seals.verify(ledger)
    assert "does not fit its lines" in problem


def test_history_that_was_rewritten_with_all_its_seals_is_found_by_a_seal_that_left_the_machine(ledger):
    given_out = str(seal(ledger)[-1])
    number = given_out.partition(":")[0]
    call_command("verify_ledger", company="acme", seal=given_out, stdout=StringIO())
    for statement in (
        f"DELETE FROM addressbook_ledgerseal WHERE {OWN}",
        f"DELETE FROM addressbook_ledgerhead WHERE {OWN} AND shard = 64",
        f"UPDATE addressbook_consentevent SET reason = 'x', hash = '' WHERE {OWN}",
    ):
        tamper(statement)
    rehash(ledger)
    while LedgerSeal.objects.of(ledger).count() < int(number):
        if not seal(ledger):
            opt_out(ledger, Address("sms", f"+316777777{LedgerSeal.objects.of(ledger).count():02}"))

    assert seals.verify(ledger) == [], "nothing in the database shows it"
    with pytest.raises(CommandError, match=f"seal {number} is not the one that was given out"):
        call_command("verify_ledger", company="acme", seal=given_out)


def rehash(company: Company) -> None:
    """Every chain anew, as somebody with every right could."""
    for chain in ConsentEvent.objects.of(company).values_list("shard", flat=True).distinct():
        for event in ConsentEvent.objects.of(company).filter(shard=chain).order_by("position"):
            tamper(
                "UPDATE addressbook_consentevent e SET previous_hash = coalesce((SELECT hash FROM "
                "addressbook_consentevent p WHERE p.company_id = e.company_id AND p.shard = e.shard "
                f"AND p.position = e.position - 1), '') WHERE id = {event.pk}"
            )
            tamper(
                f"UPDATE addressbook_consentevent e SET hash = sha256(ledger_line_v1(e)) WHERE id = {event.pk};"
                "UPDATE addressbook_ledgerhead h SET hash = e.hash FROM addressbook_consentevent e "
                f"WHERE h.company_id = e.company_id AND h.shard = e.shard AND e.id = {event.pk}"
            )


@pytest.mark.parametrize("text", ["", ":", "1", "1:zz", "x:" + "00" * 32, "0:" + "00" * 32, "9" * 30 + ":" + "00" * 32])
def test_what_is_no_seal_is_refused(world, text):
    with pytest.raises(ValueError):
        seals.GivenOut.parse(text)
    if text:
        with pytest.raises(CommandError, match="--seal"):
            call_command("verify_ledger", company="acme", seal=text)


def test_a_seal_belongs_to_a_company(world):
    with pytest.raises(CommandError, match="--company"):
        call_command("verify_ledger", seal="1:" + "00" * 32)


def test_an_intact_ledger_s_latest_seal_is_told(ledger):
    call_command("verify_ledger", company="acme", stdout=(out := StringIO()))
    assert str(seals.latest(ledger)) in out.getvalue()


# Several at a time


ACTS: dict[str, Callable[[Company, Address], object]] = {
    "out": opt_out,
    "in": opt_in,
    "late": lambda company, address: opt_out(
        company, address, occurred_at=datetime.now(UTC) - timedelta(days=1), channels=["sms"]
    ),
    "rolled back": lambda company, address: rolled_back(company, address),
    "seal": lambda company, _address: seal(company),
}


def rolled_back(company: Company, address: Address) -> None:
    with transaction.atomic():
        opt_out(company, address)
        opt_in(company, address)
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
class TestSeveralAtATime:
    @settings(max_examples=25)
    @given(
        plans=st.lists(
            st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from(ADDRESSES)), min_size=1, max_size=12),
            min_size=3,
            max_size=3,
        )
    )
    def test_whatever_they_do_the_ledger_is_intact_and_wholly_sealed(self, plans):
        company = make.company("Walk")
        start = threading.Barrier(len(plans))

        def walk(plan):
            start.wait()
            try:
                for act, address in plan:
                    ACTS[act](company, address)
            finally:
                connection.close()

        with ThreadPoolExecutor(len(plans)) as pool:
            list(pool.map(walk, plans))
        seal(company)

        assert seals.verify(company) == []
        lines = ConsentEvent.objects.of(company).count()
        last = seals.latest(company)
        assert (sum(last.reach) if last else 0) == lines

    def test_a_line_that_commits_after_the_seal_was_made_is_in_the_next(self, transactional_db):
        company = make.company("Late")
        written, may_commit = threading.Event(), threading.Event()

        def slow():
            try:
                with transaction.atomic():
                    opt_out(company, ADDRESSES[0])  # has the lowest id
                    written.set()
                    may_commit.wait(30)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            slowly = pool.submit(slow)
            try:
                assert written.wait(30)
                first_chain, *others = [a.digest(digest_key())[0] & 63 for a in ADDRESSES]
                other = next(a for a, chain in zip(ADDRESSES[1:], others, strict=True) if chain != first_chain)
                opt_out(company, other)
                (first,) = seal(company)
                assert sum(first.reach) == 1
            finally:
                may_commit.set()
            slowly.result()
        (second,) = seal(company)

        assert sum(second.reach) == 2
        assert seals.verify(company) == []

    def test_sealers_take_turns(self, transactional_db):
        company = make.company("Turns")
        for address in ADDRESSES:
            opt_out(company, address)

        def one(_n):
            try:
                return len(seal(company))
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(one, range(4))) == 1
        assert seals.verify(company) == []
