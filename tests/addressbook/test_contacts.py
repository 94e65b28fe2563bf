from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from addressbook import consent, paging
from addressbook.models import Contact, GroupContact, Suppression
from messaging.addresses import parse
from tests import make
from tests.world import CANARY, PHONE

LIST = reverse("addressbook:contacts")
ADD = reverse("addressbook:contact-add")
BULK = reverse("addressbook:contacts-bulk")
FRENCH = "+33612345678"


@pytest.fixture
def client(client, world):
    client.force_login(world.marketer.user)
    return client


@pytest.fixture
def viewer(world):
    client = Client()
    client.force_login(world.viewer.user)
    return client


def _page(world, name="contact"):
    return reverse(f"addressbook:{name}", args=[world.contact.pk])


def _opt_out(world, address=PHONE, **more):
    consent.opt_out(company=world.acme, address=parse(address), source="marketer", **more)


def test_the_list_shows_this_company_only(client):
    page = client.get(LIST).content.decode()
    assert "Sanne" in page
    assert CANARY not in page


def test_an_empty_address_book_leads_to_import_and_add(client, world):
    Contact.objects.of(world.acme).delete()
    page = client.get(LIST).content.decode()
    assert "Nobody is here yet." in page
    assert ADD in page


def test_a_search_that_finds_nobody_says_so(client):
    assert "Nobody matches." in client.get(LIST, {"q": "Zebra"}).content.decode()


def test_filters_narrow_the_list_and_stand_as_chips(client, world):
    make.contact(world.acme, FRENCH, first_name="Lucas", language="fr")
    for query, chip in [({"country": "FR"}, "France"), ({"language": "fr"}, "French"), ({"q": "lucas"}, "“lucas”")]:
        page = client.get(LIST, query).content.decode()
        assert "Lucas" in page
        assert "Sanne" not in page
        assert chip in page


def test_opted_out_and_reachable_are_told_apart(client, world):
    make.contact(world.acme, FRENCH, first_name="Lucas")
    _opt_out(world, FRENCH)
    out = client.get(LIST, {"state": "opted_out"}).content.decode()
    reachable = client.get(LIST, {"state": "reachable"}).content.decode()
    assert "Lucas" in out
    assert "Sanne" not in out
    assert "Sanne" in reachable
    assert "Lucas" not in reachable


def test_the_badge_names_the_channel_that_is_left(client, world):
    _opt_out(world, PHONE, channels=["sms"])
    assert "E-mail only" in client.get(LIST).content.decode()


@pytest.mark.parametrize(
    "query",
    [
        {"q": "a\0b"}, {"q": "x" * 1000}, {"state": "maybe"}, {"country": "XX"}, {"language": "klingon"},
        {"group": "0"}, {"group": "99999999999999999999"}, {"group": "x"}, {"after": "-1"}, {"after": "x"},
        {"after": "99999999999999999999"},
    ],
)  # fmt: skip
def test_a_wrong_filter_is_explained(client, query):
    response = client.get(LIST, query)
    assert response.status_code == 422
    assert "errorlist" in response.content.decode()


def test_a_list_that_is_narrowed_in_place_gets_a_short_address(client):
    response = client.get(LIST, {"q": "", "state": "", "country": "FR"}, headers={"HX-Request": "true"})
    assert response["HX-Push-Url"] == "/contacts/?country=FR"


def test_the_group_of_another_company_is_no_filter(client, world):
    assert client.get(LIST, {"group": world.rivals_customers.pk}).status_code == 422


def test_pages_follow_each_other_without_gap_or_overlap(world):
    for _ in range(5):
        make.contact(world.acme)
    seen, after = [], None
    while True:
        page = paging.page(Contact.objects.of(world.acme), after=after, size=2)
        seen += [c.pk for c in page.items]
        after = page.next
        if after is None:
            break
    assert seen == sorted(Contact.objects.of(world.acme).values_list("pk", flat=True), reverse=True)


def test_the_list_asks_the_database_as_often_for_fifty_as_for_one(client, world, django_assert_max_num_queries):
    def queries():
        with django_assert_max_num_queries(12) as asked:
            client.get(LIST)
        return len(asked.captured_queries)

    one = queries()
    for n in range(50):
        make.contact(world.acme, group=make.group(world.acme, f"Group {n}"))
    assert queries() == one


def test_the_contact_page_asks_a_fixed_number_of_times(client, world, django_assert_max_num_queries):
    for _ in range(10):
        _opt_out(world)
        consent.opt_in(
            company=world.acme, address=parse(PHONE), source="marketer", evidence={"method": "m", "text": "t"}
        )
    with django_assert_max_num_queries(16):
        client.get(_page(world))


def test_the_contact_page_tells_why_nobody_may_write(client, world):
    _opt_out(world, campaign_id=1, campaign_name="Black Week", reason="too_many", comment="Enough now")
    page = client.get(_page(world)).content.decode()
    assert "No marketing by SMS" in page
    assert "No marketing by e-mail" in page
    assert "Black Week" in page
    assert "Enough now" in page


@pytest.mark.parametrize("name", ["contact", "contact-edit", "contact-opt-out", "contact-opt-in", "contact-erase"])
def test_the_contact_of_another_company_is_not_there(client, world, name):
    for pk in (world.rivals_contact.pk, 99999999999999999999):
        assert client.get(reverse(f"addressbook:{name}", args=[pk])).status_code == 404


@pytest.mark.parametrize("before", ["x", "2025-13-01T00:00:00Z", "0001-01-01T00:00:00+00:00", "\0", "2025-01-01"])
def test_a_wrong_moment_of_the_history_is_not_there(client, world, before):
    assert client.get(_page(world), {"before": before}).status_code == 404


def test_a_contact_is_added_with_its_number_read_as_the_countrys(client, world):
    response = client.post(ADD, {"phone": "06 12 34 56 78", "country": "FR", "first_name": "Lucas"})
    added = Contact.objects.of(world.acme).get(first_name="Lucas")
    assert response.url == added.get_absolute_url()
    assert (added.phone, added.country) == (FRENCH, "FR")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "12"), ("phone", "hello"), ("phone", "+31612345678x"), ("phone", "+31\0612345678"),
        ("phone", "9" * 70), ("phone", "+99912345678"),
        ("email", "nobody"), ("email", "a@b"), ("email", "a@" + "b" * 300 + ".example"),
        ("country", "XX"), ("country", "nl "), ("language", "xx"), ("language", "klingon!"), ("first_name", "a" * 101),
        ("first_name", "a\0"), ("last_name", "two\nlines"), ("attributes", "no colon"),
        ("attributes", "a: " + "b" * 501), ("attributes", "x" * 1_000_000),
    ],
)  # fmt: skip
def test_bad_input_is_refused_beside_its_field(client, world, field, value):
    data = {"phone": FRENCH, "email": "lucas@mail.example"} | {field: value}
    response = client.post(ADD, data)
    assert response.status_code == 422
    assert response.context["form"].errors.get(field)
    assert Contact.objects.of(world.acme).count() == 1


def test_a_contact_needs_an_address(client):
    response = client.post(ADD, {"first_name": "Nobody"})
    assert response.status_code == 422
    assert response.context["form"].errors["phone"]


def test_a_known_number_leads_to_its_contact(client, world):
    response = client.post(ADD, {"phone": "06 12345678", "country": "NL"})
    assert response.status_code == 422
    assert world.contact.get_absolute_url() in response.content.decode()


def test_a_name_cannot_smuggle_markup_into_the_message(client, world):
    Contact.objects.of(world.acme).update(first_name="<script>")
    page = client.post(ADD, {"phone": PHONE}).content.decode()
    assert "<script>S" not in page
    assert "&lt;script&gt;" in page


def test_the_number_of_another_companys_contact_is_new(client, world):
    make.contact(world.rival, FRENCH)
    assert client.post(ADD, {"phone": FRENCH}).status_code == 302


def test_adding_a_suppressed_number_tells_so_and_lifts_nothing(client, world):
    _opt_out(world, FRENCH)
    page = client.post(ADD, {"phone": FRENCH}, follow=True).content.decode()
    assert "suppression list" in page
    assert Suppression.objects.of(world.acme).count() == 1


def test_the_standing_of_a_number_is_told_while_it_is_typed(client, world):
    _opt_out(world, FRENCH)
    url = reverse("addressbook:contact-standing")
    assert "suppression list" in client.post(url, {"phone": "06 12 34 56 78", "country": "FR"}).content.decode()
    assert "in the address book already" in client.post(url, {"phone": PHONE}).content.decode()
    assert "not opted out" in client.post(url, {"phone": "+33612345699"}).content.decode()
    for odd in ("\0", "x" * 100_000, "+", "@"):
        assert client.post(url, {"phone": odd, "email": odd, "country": odd}).status_code == 200


def test_a_contact_is_edited_and_keeps_what_a_form_cannot_show(client, world):
    Contact.objects.of(world.acme).update(attributes={"sizes": [1, 2], "city": "Utrecht"})
    contact = Contact.objects.of(world.acme).get()
    form = client.get(_page(world, "contact-edit")).context["form"]
    data = {name: form[name].value() for name in form.fields}
    assert client.post(_page(world, "contact-edit"), data | {"last_name": "de Vries"}).status_code == 302
    contact.refresh_from_db()
    assert contact.last_name == "de Vries"
    assert contact.attributes == {"sizes": [1, 2], "city": "Utrecht"}


def test_an_address_can_be_taken_away(client, world):
    client.post(_page(world, "contact-edit"), {"phone": PHONE, "email": ""})
    world.contact.refresh_from_db()
    assert (world.contact.email, world.contact.email_digest) == (None, None)


def test_a_changed_number_of_somebody_who_opted_out_stays_opted_out(client, world):
    _opt_out(world)
    client.post(_page(world, "contact-edit"), {"phone": FRENCH, "email": "sanne@devries.example"})
    assert not Contact.objects.of(world.acme).reachable().exists()


def test_a_bulk_act_adds_to_a_group_and_takes_out(client, world):
    vip = make.group(world.acme, "VIP")
    data = {"group": vip.pk, "contact": [world.contact.pk], "next": "/contacts/?state=reachable"}
    assert client.post(BULK, data | {"act": "add"}).url == "/contacts/?state=reachable"
    client.post(BULK, data | {"act": "add"})
    assert GroupContact.objects.of(world.acme).filter(group=vip).count() == 1
    client.post(BULK, data | {"act": "remove"})
    assert GroupContact.objects.of(world.acme).filter(group=vip).count() == 0


def test_a_bulk_act_never_leaves_the_house(client, world):
    data = {"group": world.customers.pk, "contact": [world.contact.pk], "act": "add"}
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:1", "/\\evil.example", "\n/x"):
        assert client.post(BULK, data | {"next": elsewhere}).url == LIST


def test_a_bulk_act_on_another_companys_rows_does_nothing(client, world):
    stranger = {"group": world.customers.pk, "contact": [world.rivals_contact.pk], "act": "add"}
    assert client.post(BULK, stranger).status_code == 404
    group = {"group": world.rivals_customers.pk, "contact": [world.contact.pk], "act": "add"}
    assert client.post(BULK, group).status_code == 422
    assert not GroupContact.objects.across_companies().filter(contact=world.contact, group=world.rivals_customers)


@pytest.mark.parametrize(
    "change",
    [{"act": "burn"}, {"group": "x"}, {"group": ""}, {"contact": []}, {"contact": ["x"]}, {"contact": ["9" * 20]},
     {"contact": ["9" * 5000]}, {"contact": ["٣"]}, {"contact": [str(n) for n in range(201)]}],
)  # fmt: skip
def test_a_wrong_bulk_act_is_refused(client, world, change):
    data = {"act": "add", "group": world.customers.pk, "contact": [world.contact.pk]} | change
    assert client.post(BULK, data).status_code == 422


def test_a_contact_is_put_into_a_group_on_its_page(client, world):
    vip = make.group(world.acme, "VIP")
    client.post(_page(world, "contact-groups"), {"act": "add", "group": vip.pk})
    assert set(world.contact.groups.of(world.acme)) == {vip, world.customers}


def test_all_about_one_contact_is_exported(client, world):
    _opt_out(world, comment="Enough now")
    response = client.get(_page(world, "contact-export"))
    kept = json.loads(response.content)
    assert kept["contact"]["phone"] == PHONE
    assert kept["consent_events"][0]["comment"] == "Enough now"
    assert "attachment" in response["Content-Disposition"]


def test_the_list_is_exported_as_it_is_filtered(client, world):
    make.contact(world.acme, FRENCH, first_name="=cmd()")
    text = b"".join(client.get(reverse("addressbook:contacts-export"), {"country": "FR"})).decode()
    assert "'=cmd()" in text
    assert "'+33612345678" in text
    assert "Sanne" not in text
    assert CANARY not in text


def test_a_viewer_reads_and_changes_nothing(viewer, world):
    assert viewer.get(LIST).status_code == 200
    assert ADD not in viewer.get(LIST).content.decode()
    assert viewer.get(_page(world)).status_code == 200
    for url in (
        ADD,
        BULK,
        *(_page(world, f"contact-{act}") for act in ("edit", "opt-out", "opt-in", "erase", "groups")),
    ):
        assert viewer.post(url).status_code == 403
    assert viewer.get(_page(world, "contact-edit")).status_code == 403


def test_a_stranger_is_led_to_the_log_in(world):
    assert Client().get(LIST).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_two_members_who_add_one_number_at_once_both_get_an_answer(world):
    barrier = Barrier(2)
    clients = [Client(), Client()]
    for client in clients:
        client.force_login(world.marketer.user)

    def add(client):
        try:
            barrier.wait(10)
            return client.post(ADD, {"phone": FRENCH}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(add, clients))
    assert answers == [302, 422]
    assert Contact.objects.of(world.acme).filter(phone=FRENCH).count() == 1
