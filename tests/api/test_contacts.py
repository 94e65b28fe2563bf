from __future__ import annotations

from addressbook import consent
from addressbook.models import Contact, Group, Suppression
from messaging.addresses import Address
from tests import make
from tests.api.program import codes, fields, problem
from tests.world import PHONE


def test_a_new_contact_is_answered_with_201_and_all_its_fields(acme):
    response = acme.post(
        "/contacts",
        {
            "phone": "+33 6 12 34 56 78",
            "email": "Zoe@Example.ORG",
            "first_name": "Zoé",
            "language": "FR",
            "groups": ["Customers", "Paris"],
            "attributes": {"shoe_size": 38, "vip": True},
        },
    )

    assert response.status_code == 201
    contact = response.json()
    assert contact | {"id": 0, "created_at": 0, "updated_at": 0} == {
        "id": 0,
        "phone": "+33612345678",
        "email": "zoe@example.org",
        "first_name": "Zoé",
        "last_name": "",
        "language": "fr",
        "country": "FR",
        "groups": ["Customers", "Paris"],
        "attributes": {"shoe_size": 38, "vip": True},
        "suppressed": {"sms": False, "email": False},
        "created_at": 0,
        "updated_at": 0,
    }


def test_a_known_address_updates_its_contact_with_200(acme, world):
    response = acme.post("/contacts", {"phone": PHONE, "last_name": "de Vries"})

    assert response.status_code == 200
    contact = response.json()
    assert (contact["id"], contact["first_name"], contact["last_name"]) == (world.contact.pk, "Sanne", "de Vries")
    assert contact["email"] == "sanne@devries.example"


def test_groups_of_an_upsert_are_added(acme):
    response = acme.post("/contacts", {"email": "sanne@devries.example", "groups": ["Shoes"]})

    assert response.json()["groups"] == ["Customers", "Shoes"]


def test_an_upsert_does_not_lift_a_suppression(acme, world):
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="reply")

    response = acme.post("/contacts", {"phone": PHONE, "first_name": "S."})

    assert response.json()["suppressed"] == {"sms": True, "email": True}


def test_a_national_number_is_read_with_the_contacts_country(acme):
    response = acme.post("/contacts", {"phone": "06 87654321", "country": "nl"})

    assert response.json()["phone"] == "+31687654321"


def test_a_national_number_without_a_country_is_refused_with_the_remedy(acme):
    response = acme.post("/contacts", {"phone": "0612345678"})

    assert codes(response) == {"phone": "no_country"}


def test_a_contact_needs_an_address(acme):
    assert codes(acme.post("/contacts", {"first_name": "Nobody"})) == {"phone": "no_address"}


def test_addresses_of_two_contacts_are_a_conflict(acme, world):
    make.contact(world.acme, email="other@example.org")

    problem(acme.post("/contacts", {"phone": PHONE, "email": "other@example.org"}), 409, "two-contacts")


def test_an_unknown_field_is_named(acme):
    response = acme.post("/contacts", {"phone": PHONE, "fist_name": "Sanne"})

    assert codes(response) == {"fist_name": "unknown_field"}


def test_a_batch_counts_and_says_why_rows_are_rejected(acme):
    response = acme.post(
        "/contacts/batch",
        {
            "contacts": [
                {"phone": "06 11111111"},
                {"phone": PHONE},
                {"phone": PHONE, "last_name": "de Vries"},
                {"phone": "12"},
                {"first_name": "Nobody"},
                {"email": "a@b.example", "language": "klingon"},
            ],
            "default_country": "NL",
        },
    )

    assert response.status_code == 200
    result = response.json()
    assert (result["created"], result["updated"], result["unchanged"]) == (1, 1, 1)
    assert [(r["index"], r["code"]) for r in result["rejected"]] == [
        (3, "too_short"),
        (4, "no_address"),
        (5, "unknown_language"),
    ]
    assert "language" in result["rejected"][2]["detail"]


def test_a_batch_with_a_misspelt_field_is_refused_as_a_whole(acme):
    response = acme.post("/contacts/batch", {"contacts": [{"phone": PHONE}, {"fone": PHONE}]})

    assert fields(response) == ["contacts[1].fone"]


def test_a_batch_has_at_most_a_thousand_contacts(acme):
    response = acme.post("/contacts/batch", {"contacts": [{"email": f"a{n}@b.example"} for n in range(1001)]})

    assert codes(response) == {"contacts": "too_many"}


def test_contacts_are_found_by_phone_however_it_is_written(acme, world):
    for written in (PHONE, "+31 6 12345678", "0031612345678"):
        assert [c["id"] for c in acme.get("/contacts", phone=written).json()["items"]] == [world.contact.pk]


def test_an_unescaped_plus_is_understood(acme, world):
    response = acme.client.get(f"/api/v1/contacts?phone={PHONE}")

    assert [c["id"] for c in response.json()["items"]] == [world.contact.pk]


def test_contacts_are_filtered_by_group_email_and_suppression(acme, world):
    other = make.contact(world.acme, email="other@example.org", group=make.group(world.acme, "Others"))
    consent.opt_out(company=world.acme, address=Address("email", "other@example.org"), source="api")

    def found(**query):
        return [c["id"] for c in acme.get("/contacts", **query).json()["items"]]

    assert found(group="Others") == [other.pk]
    assert found(group="Nothing") == []
    assert found(email="OTHER@example.org") == [other.pk]
    assert found(suppressed="true") == [other.pk]
    assert found(suppressed="false") == [world.contact.pk]
    assert found() == [other.pk, world.contact.pk]


def test_a_patch_replaces_groups_and_leaves_what_is_absent(acme, world):
    response = acme.patch(f"/contacts/{world.contact.pk}", {"groups": ["Shoes"], "last_name": "de Vries"})

    contact = response.json()
    assert response.status_code == 200
    assert contact["groups"] == ["Shoes"]
    assert (contact["first_name"], contact["last_name"], contact["phone"]) == ("Sanne", "de Vries", PHONE)


def test_a_patch_moves_a_contact_to_a_new_number(acme, world):
    response = acme.patch(f"/contacts/{world.contact.pk}", {"phone": "+33612345678"})

    assert (response.json()["phone"], response.json()["country"]) == ("+33612345678", "FR")


def test_null_empties_a_field_but_never_both_addresses(acme, world):
    path = f"/contacts/{world.contact.pk}"

    assert acme.patch(path, {"email": None, "first_name": None}).json()["email"] is None
    assert codes(acme.patch(path, {"phone": None})) == {"phone": "no_address"}
    assert Contact.objects.of(world.acme).get().phone == PHONE


def test_a_patch_to_another_contacts_number_is_a_conflict(acme, world):
    other = make.contact(world.acme, email="other@example.org")

    problem(acme.patch(f"/contacts/{other.pk}", {"phone": PHONE}), 409, "two-contacts")


def test_a_new_address_of_somebody_who_opted_out_is_out_too(acme, world):
    consent.opt_out(company=world.acme, address=Address("sms", PHONE), source="reply")

    response = acme.patch(f"/contacts/{world.contact.pk}", {"email": "new@devries.example"})

    assert response.json()["suppressed"] == {"sms": True, "email": True}


def test_an_erased_contact_is_gone_and_still_left_alone(acme, world):
    acme.post("/suppressions", {"address": PHONE})

    assert acme.delete(f"/contacts/{world.contact.pk}").status_code == 204

    problem(acme.get(f"/contacts/{world.contact.pk}"), 404)
    (checked,) = acme.post("/suppressions/check", {"addresses": [PHONE]}).json()["results"]
    assert checked["status"] == "suppressed"
    assert not Suppression.objects.of(world.acme).exclude(address="").exists()


def test_the_events_of_a_contact_are_those_of_its_addresses(acme, world):
    acme.post("/suppressions", {"address": PHONE, "reason": "too_many"})
    acme.post("/suppressions", {"address": "+33612345678"})

    items = acme.get(f"/contacts/{world.contact.pk}/events").json()["items"]

    assert {item["address"] for item in items} == {PHONE, "sanne@devries.example"}
    assert {(item["type"], item["source"], item["reason"]) for item in items} == {("opt_out", "api", "too_many")}


def test_groups_are_made_when_missing(acme, world):
    acme.post("/contacts", {"phone": PHONE, "groups": ["Brand new"]})

    assert Group.objects.of(world.acme).filter(name="Brand new").exists()
