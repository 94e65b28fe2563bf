from __future__ import annotations

import threading

import pytest
from django.db import connection, connections, transaction

from accounts.models import Company
from accounts.scoping import company_scope
from addressbook import consent
from addressbook.models import ConsentEvent, Contact, Group, Suppression
from addressbook.upsert import upsert
from lib.keys import digest_key
from messaging.addresses import Address
from tests import make
from tests.world import PHONE


def phone(value: str) -> Address:
    return Address("sms", value)


def email(value: str) -> Address:
    return Address("email", value)


NEW, OTHER = phone("+31687654321"), phone("+33612345678")
KNOWN = phone(PHONE)


def statuses(results) -> list[str]:
    return [r.status for r in results]


def contacts(company):
    return Contact.objects.of(company)


def members(group) -> list[Contact]:
    return list(contacts(group.company).filter(memberships__group=group))


def suppressed(company, address: Address) -> bool:
    return Suppression.objects.of(company).filter(digest=address.digest(digest_key())).exists()


def test_a_new_row_is_a_new_contact_with_the_country_of_its_number(world):
    row = {"phone": OTHER, "first_name": "Lucas", "country": "NL", "attributes": {"size": "M"}}
    [result] = upsert(company=world.acme, rows=[row])
    made = contacts(world.acme).get(pk=result.contact_id)
    assert (result.status, made.phone, made.first_name, made.country, made.attributes) == (
        "created",
        OTHER.value,
        "Lucas",
        "FR",
        {"size": "M"},
    )


def test_a_landline_is_known_as_one_until_the_number_changes(world):
    row = {"phone": phone("+31201234567"), "email": email("lena@mail.example")}
    upsert(company=world.acme, rows=[row])
    lena = contacts(world.acme).get(email="lena@mail.example")
    assert lena.landline

    upsert(company=world.acme, rows=[{**row, "phone": NEW}])

    lena.refresh_from_db()
    assert (lena.phone, lena.landline) == (NEW.value, False)
    upsert(company=world.acme, rows=[row])
    lena.refresh_from_db()
    assert lena.landline
    lena.set_address("sms", NEW)
    lena.save()
    assert not lena.landline


def test_absent_and_none_leave_things_as_they_are(world):
    [result] = upsert(company=world.acme, rows=[{"phone": KNOWN, "email": None, "first_name": None}])
    world.contact.refresh_from_db()
    assert (result.status, result.contact_id) == ("unchanged", world.contact.pk)
    assert (world.contact.first_name, world.contact.email) == ("Sanne", "sanne@devries.example")


def test_overwrite_takes_the_new_values(world):
    [result] = upsert(company=world.acme, rows=[{"phone": KNOWN, "first_name": "Anna", "attributes": {"a": 1}}])
    world.contact.refresh_from_db()
    assert (result.status, world.contact.first_name, world.contact.attributes) == ("updated", "Anna", {"a": 1})


def test_fill_takes_only_what_was_empty(world):
    rows = [{"phone": KNOWN, "first_name": "Anna", "last_name": "de Vries", "email": email("new@acme.example")}]
    [result] = upsert(company=world.acme, rows=rows, known="fill")
    world.contact.refresh_from_db()
    assert result.status == "updated"
    assert (world.contact.first_name, world.contact.last_name) == ("Sanne", "de Vries")
    assert world.contact.email == "sanne@devries.example"


def test_skip_leaves_a_known_contact_but_lets_it_join_the_group(world):
    november = make.group(world.acme, "November")
    rows = [{"phone": KNOWN, "first_name": "Anna"}]
    assert statuses(upsert(company=world.acme, rows=rows, known="skip")) == ["unchanged"]
    assert statuses(upsert(company=world.acme, rows=rows, known="skip", groups=[november])) == ["updated"]
    world.contact.refresh_from_db()
    assert world.contact.first_name == "Sanne"
    assert members(november) == [world.contact]


def test_attributes_are_merged(world):
    upsert(company=world.acme, rows=[{"phone": KNOWN, "attributes": {"a": "1", "b": "2"}}])
    upsert(company=world.acme, rows=[{"phone": KNOWN, "attributes": {"b": "3", "c": None}}])
    world.contact.refresh_from_db()
    assert world.contact.attributes == {"a": "1", "b": "3"}


def test_groups_are_made_when_missing_and_never_those_of_another_company(world):
    rows = [{"phone": KNOWN, "groups": ["Gold", world.rivals_customers.name]}, {"phone": NEW, "groups": ["Gold"]}]
    assert statuses(upsert(company=world.acme, rows=rows)) == ["updated", "created"]
    assert len(members(Group.objects.of(world.acme).get(name="Gold"))) == 2
    assert members(world.rivals_customers) == [world.rivals_contact]


def test_duplicates_within_the_rows_are_one_contact_and_the_later_row_wins(world):
    rows = [
        {"phone": NEW, "first_name": "A"},
        {"phone": NEW, "email": email("b@c.example"), "first_name": "B"},
        {"email": email("b@c.example"), "last_name": "C"},
        {"phone": NEW},
    ]
    results = upsert(company=world.acme, rows=rows)
    assert statuses(results) == ["created", "updated", "updated", "unchanged"]
    made = contacts(world.acme).exclude(pk=world.contact.pk).get()
    assert {r.contact_id for r in results} == {made.pk}
    assert (made.first_name, made.last_name, made.email) == ("B", "C", "b@c.example")


def test_two_writings_of_one_number_are_one_contact(world):
    rows = [{"phone": phone("+5215512345678")}, {"phone": phone("+525512345678")}]
    assert statuses(upsert(company=world.acme, rows=rows)) == ["created", "unchanged"]


def test_phone_and_email_of_two_contacts_are_refused(world):
    make.contact(world.acme, None, "jonas@post.example")
    [result] = upsert(company=world.acme, rows=[{"phone": KNOWN, "email": email("jonas@post.example")}])
    assert (result.status, result.code, result.contact_id) == ("rejected", "two_contacts", None)


def test_a_row_without_an_address_is_refused(world):
    [result] = upsert(company=world.acme, rows=[{"first_name": "Nobody", "groups": ["Ghosts"]}])
    assert (result.status, result.code) == ("rejected", "no_address")
    assert not Group.objects.of(world.acme).filter(name="Ghosts").exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"first_name": "x" * 101},
        {"last_name": "a\0b"},
        {"first_name": "\ud800"},
        {"attributes": {"a": "\0"}},
        {"attributes": {"\udfff": 1}},
        {"groups": ["x" * 101]},
        {"groups": [""]},
        {"groups": ["a\0"]},
        {"country": "Nederland"},
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_other_rows_go_in(world, bad):
    results = upsert(company=world.acme, rows=[{"phone": NEW, **bad}, {"phone": OTHER}])
    assert statuses(results) == ["rejected", "created"]


@pytest.mark.parametrize(
    "text", ["a\\b", "\\N", "\\.", "a\tb", "a\nb\r", 'a"b', "a'b", "é\u2028👩\u200d👧", "{}", "\x01"]
)
def test_any_text_is_stored_as_it_is(world, text):
    row = {"phone": OTHER, "first_name": text, "attributes": {text: text, "n": 1, "l": [text]}}
    plain = {"phone": NEW, "last_name": text, "attributes": {"a": text}}
    upsert(company=world.acme, rows=[row, plain])
    made = contacts(world.acme).get(phone=OTHER.value)
    assert (made.first_name, made.attributes) == (text, {text: text, "n": 1, "l": [text]})
    made = contacts(world.acme).get(phone=NEW.value)
    assert (made.last_name, made.attributes) == (text, {"a": text})
    upsert(company=world.acme, rows=[{"phone": NEW, "first_name": text, "attributes": {"b": text}}])
    made.refresh_from_db()
    assert (made.first_name, made.attributes) == (text, {"a": text, "b": text})


def test_an_address_may_pass_from_one_contact_to_another_within_one_call(world):
    rows = [
        {"email": email("sanne@devries.example"), "phone": NEW},
        {"phone": KNOWN, "first_name": "Heir"},
        {"email": email("heir@acme.example"), "phone": KNOWN},
    ]
    assert statuses(upsert(company=world.acme, rows=rows)) == ["updated", "created", "updated"]
    world.contact.refresh_from_db()
    heir = contacts(world.acme).exclude(pk=world.contact.pk).get()
    assert (world.contact.phone, heir.phone, heir.email) == (NEW.value, PHONE, "heir@acme.example")


def test_the_other_company_keeps_its_contact(world):
    upsert(company=world.acme, rows=[{"phone": KNOWN, "first_name": "Anna"}])
    world.rivals_contact.refresh_from_db()
    assert world.rivals_contact.first_name != "Anna"


def test_the_number_of_statements_does_not_grow_with_the_rows(world, django_assert_max_num_queries):
    rows = [{"phone": phone(f"+316{10000000 + n}"), "groups": ["Big"]} for n in range(2000)]
    with django_assert_max_num_queries(20):
        assert set(statuses(upsert(company=world.acme, rows=rows))) == {"created"}
    with django_assert_max_num_queries(20):
        assert set(statuses(upsert(company=world.acme, rows=rows))) == {"unchanged"}


# Opt-outs -----------------------------------------------------------------------


def test_no_suppression_is_lifted(world):
    consent.opt_out(company=world.acme, address=KNOWN, source="reply")
    upsert(company=world.acme, rows=[{"phone": KNOWN, "first_name": "Anna"}])
    assert suppressed(world.acme, KNOWN)


def test_a_new_second_address_of_an_opted_out_contact_is_out_too(world):
    bram = make.contact(world.acme, NEW.value)
    out = consent.opt_out(company=world.acme, address=NEW, source="reply")
    upsert(company=world.acme, rows=[{"phone": NEW, "email": email("bram@acme.example")}])
    assert suppressed(world.acme, email("bram@acme.example"))
    event = ConsentEvent.objects.of(world.acme).latest("id")
    assert (event.channel, event.cause_id, event.source) == ("email", out.event_id, "reply")
    with company_scope(world.acme):
        assert not Contact.objects.reachable().filter(pk=bram.pk).exists()


def test_an_opted_out_number_that_is_added_anew_takes_its_email_along(world):
    consent.opt_out(company=world.acme, address=NEW, source="landing")
    upsert(company=world.acme, rows=[{"phone": NEW, "email": email("bram@acme.example")}])
    assert suppressed(world.acme, email("bram@acme.example"))


def test_a_replaced_address_leaves_its_opt_out_to_the_new_one(world):
    consent.opt_out(company=world.acme, address=KNOWN, source="landing")
    upsert(company=world.acme, rows=[{"email": email("sanne@devries.example"), "phone": OTHER}])
    assert suppressed(world.acme, OTHER)
    assert suppressed(world.acme, KNOWN)


def test_a_company_that_narrows_opt_outs_to_the_channel_may_reach_the_new_address(world):
    world.acme.opt_out_scope = Company.Scope.CHANNEL
    world.acme.save()
    consent.opt_out(company=world.acme, address=NEW, source="landing")
    upsert(company=world.acme, rows=[{"phone": NEW, "email": email("bram@acme.example")}])
    assert not suppressed(world.acme, email("bram@acme.example"))


def test_an_address_that_opted_in_after_the_opt_out_stays_in(world):
    mail = email("bram@acme.example")
    consent.opt_out(company=world.acme, address=NEW, source="landing")
    consent.opt_in(company=world.acme, address=mail, source="api", evidence={"how": "form"})
    upsert(company=world.acme, rows=[{"phone": NEW, "email": mail}])
    assert not suppressed(world.acme, mail)


# Races --------------------------------------------------------------------------


def together(*jobs) -> list[BaseException]:
    """Each job in a thread of its own, all let go at once; what they raised."""
    barrier, raised = threading.Barrier(len(jobs)), []

    def go(job):
        try:
            barrier.wait(timeout=30)
            job()
        except BaseException as problem:
            raised.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return raised


@pytest.mark.django_db(transaction=True)
def test_the_same_numbers_from_many_sides_at_once_are_one_contact_each(transactional_db):
    acme = make.company()
    numbers = [phone(f"+316{10000000 + n}") for n in range(50)]

    def add(order):
        for _ in range(3):
            upsert(company=acme, rows=[{"phone": n, "groups": ["Race"]} for n in order])

    raised = together(*[lambda o=order: add(o) for order in (numbers, numbers[::-1], numbers[25:] + numbers[:25])])
    assert raised == []
    assert contacts(acme).count() == 50


@pytest.mark.django_db(transaction=True)
def test_an_upsert_meets_a_form_that_saves_the_same_number(transactional_db):
    """The form does not take the lock: the upsert waits for it at the unique constraint and begins again."""
    acme = make.company()
    begun, results = threading.Event(), []

    def form():
        with transaction.atomic():
            make.contact(acme, NEW.value, first_name="Form")
            begun.set()
            with connection.cursor() as cursor:  # until the upsert waits for this transaction
                for _ in range(10_000):
                    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
                    if cursor.fetchone()[0]:
                        break

    def add():
        begun.wait(timeout=30)
        results.extend(upsert(company=acme, rows=[{"phone": NEW, "last_name": "Upsert"}]))

    assert together(form, add) == []
    assert statuses(results) == ["updated"]
    assert str(contacts(acme).get()) == "Form Upsert"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round", range(8))
def test_an_opt_out_beside_an_upsert_that_adds_an_address_covers_it(transactional_db, round):
    acme = make.company()
    make.contact(acme, NEW.value)
    mail = email("bram@acme.example")
    raised = together(
        lambda: consent.opt_out(company=acme, address=NEW, source="landing"),
        lambda: upsert(company=acme, rows=[{"phone": NEW, "email": mail}]),
    )
    assert raised == []
    assert suppressed(acme, NEW)
    assert suppressed(acme, mail)
