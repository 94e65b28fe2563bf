from __future__ import annotations

import pytest

from tests.api.program import codes
from tests.world import PHONE


def test_the_figures_of_a_company(acme):
    acme.post("/suppressions", {"address": PHONE, "reason": "too_many", "comment": "Enough"})

    figures = acme.get("/insights").json()

    assert figures["opt_outs"] == 1
    assert figures["by_method"]["api"] == 1
    assert figures["by_reason"] == {"too_many": 1}
    assert figures["by_country"] == {"NL": 1}
    assert [c["comment"] for c in figures["comments"]] == ["Enough"]
    assert sum(point["api"] for point in figures["over_time"] if "api" in point) == 1


def test_a_period_has_its_last_day_in_it(acme):
    acme.post("/suppressions", {"address": PHONE, "occurred_at": "2026-02-28T23:00:00Z"})

    assert acme.get("/insights", **{"from": "2026-02-01", "to": "2026-02-28"}).json()["opt_outs"] == 1
    assert acme.get("/insights", **{"from": "2026-02-01", "to": "2026-02-27"}).json()["opt_outs"] == 0
    assert acme.get("/insights", **{"from": "2026-03-01"}).json()["opt_outs"] == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"from": "2026-03-01", "to": "2026-02-01"}, {"from": "not_before_to"}),
        ({"from": "spring"}, {"from": "not_a_time"}),
        ({"to": "9999-12-31"}, {"to": "not_a_time"}),
        ({"form": "2026-03-01"}, {"form": "unknown_field"}),
    ],
)
def test_an_impossible_period_is_refused(acme, query, expected):
    assert codes(acme.get("/insights", **query)) == expected
