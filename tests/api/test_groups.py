from tests.api.program import codes


def test_a_group_is_made_once(acme):
    first = acme.post("/groups", {"name": "Shoes"})
    second = acme.post("/groups", {"name": " Shoes "})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == {"id": first.json()["id"], "name": "Shoes", "contacts": 0}


def test_groups_are_listed_with_their_size(acme, world):
    (group,) = acme.get("/groups").json()["items"]

    assert group == {"id": world.customers.pk, "name": "Customers", "contacts": 1}


def test_a_group_needs_a_name(acme):
    assert codes(acme.post("/groups", {})) == {"name": "required"}
    assert codes(acme.post("/groups", {"name": "  "})) == {"name": "too_short"}
    assert codes(acme.post("/groups", {"name": "a\nb"})) == {"name": "control_character"}
