"""What every page has around it, and what it may not have in it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string

from accounts.models import Member

OUTSIDE = [
    "/login",
    "/password-reset",
    "/password-reset/sent",
    "/password-reset/done",
    "/password-reset/x/y",
    "/nowhere/x",
]
INSIDE = ["/settings", "/settings/team", "/settings/api-keys", "/settings/senders", "/settings/reasons"]
INLINE = re.compile(r"<style|<script(?![^>]*\ssrc=)(?![^>]*application/json)|\sstyle=|\son[a-z]+\s*=|javascript:", re.I)
VENDOR = Path(settings.BASE_DIR) / "static" / "vendor"


def no_inline(page: str) -> list[str]:
    return INLINE.findall(page)


@pytest.mark.django_db
@pytest.mark.parametrize("path", OUTSIDE)
def test_pages_outside_carry_the_strict_policy_and_nothing_inline(client, path):
    answer = client.get(path)
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert no_inline(answer.content.decode()) == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", INSIDE)
def test_pages_inside_carry_the_strict_policy_and_nothing_inline(client, world, path):
    client.force_login(world.owner.user)
    answer = client.get(path)
    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "no-store"
    assert no_inline(answer.content.decode()) == []


@pytest.mark.django_db
def test_the_switch_shows_the_other_companies(client, world):
    Member.objects.create(company=world.rival, user=world.owner.user, role="viewer")
    client.force_login(world.owner.user)
    page = client.get("/settings").content.decode()
    assert f'name="company" value="{world.rival.slug}"' in page
    assert f'name="company" value="{world.acme.slug}"' not in page


@pytest.mark.django_db
def test_a_company_name_cannot_break_the_page(client, world):
    world.acme.name = '<script>alert("x")</script>'
    world.acme.save()
    client.force_login(world.owner.user)
    assert no_inline(client.get("/settings").content.decode()) == []


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500"])
def test_pages_about_errors_need_no_database(name):
    page = render_to_string(f"{name}.html")
    assert "<h1>" in page
    assert no_inline(page) == []


@pytest.mark.django_db
def test_a_form_that_was_open_too_long_says_what_to_do(world):
    from django.test import Client

    answer = Client(enforce_csrf_checks=True).post("/login", {"username": "a", "password": "b"})
    assert answer.status_code == 403
    assert "reload the page" in answer.content.decode()


def test_vendored_files_are_the_listed_ones():
    listed = {}
    for line in (VENDOR / "VENDORED.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            _name, _version, _licence, digest, path = line.split()
            listed[path] = digest
    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "VENDORED.txt"
    }
    assert found == listed


def test_no_static_file_is_larger_than_600_kb():
    assert [path for path in (VENDOR.parent).rglob("*") if path.is_file() and path.stat().st_size > 600_000] == []
