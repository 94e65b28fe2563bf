"""A company's own look on its opt-out page: logo and words; and nothing a page could be harmed by."""

from __future__ import annotations

import struct
import zlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.utils import override_settings

from accounts import logos
from accounts.models import Company, Logo
from tests.optout import links
from tests.optout.test_landing import state
from tests.world import PHONE

pytestmark = pytest.mark.django_db
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 32, height: int = 32, *more: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _n in range(min(height, 4000))))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int = 40, height: int = 20, *more: bytes) -> bytes:
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\x00\x00\x3f\x00" + b"\x12\xff\x00\x34\xff\xd0\x56"
    return b"\xff\xd8" + b"".join(more) + frame + scan + b"\xff\xd9"


def comment(marker: int, text: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(text) + 2) + text


@pytest.fixture
def owner(client, world):
    client.force_login(world.owner.user)
    return client


def upload(client, content: bytes, name: str = "logo.png"):
    return client.post("/settings/landing/logo", {"file": SimpleUploadedFile(name, content)})


def recipient(client, path: str):
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://short.test", ALLOWED_HOSTS=["*"]):
        return client.get(path, headers={"host": "short.test"})


# The picture ---------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "kind", "size"), [(png(), "png", (32, 32)), (jpeg(), "jpg", (40, 20))])
def test_a_picture_is_known_by_what_it_is(content, kind, size):
    picture = logos.read(content)

    assert (picture.kind, (picture.width, picture.height), picture.content) == (kind, size, content)


@pytest.mark.parametrize(
    "content",
    [
        png(32, 32, chunk(b"tEXt", b"Comment\0secret place"), chunk(b"eXIf", b"secret place")) + b"secret place",
        jpeg(40, 20, comment(0xE1, b"Exif\0\0secret place"), comment(0xFE, b"secret place")) + b"secret place",
    ],
)
def test_what_else_a_file_carries_is_left_out(content):
    assert b"secret place" not in logos.read(content).content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + b"\0" * 50,
        SVG,
        b"<?xml version='1.0'?>" + SVG,
        b"<html>",
        png()[:40],
        png()[:-12],
        b"\x89PNG\r\n\x1a\n" + SVG,
        png().replace(b"IHDR", b"IHDX"),
        png()[:45] + bytes([png()[45] ^ 1]) + png()[46:],
        png(1, 1),
        png(15, 100),
        png(5000, 20),
        jpeg()[:-2],
        jpeg()[:10],
        jpeg(0, 0),
        jpeg(3000, 20),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + SVG,
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xda\x00\x02" + b"\xff\x00" * 1000,
        b"\xff\xd8" + b"\xff\xe0\x00\x00" * 10,
        png() + b"\0" * logos.MOST_BYTES,
    ],
)
def test_everything_else_is_refused_with_a_remedy(owner, world, content):
    answer = upload(owner, content)

    assert answer.status_code == 422
    assert not Logo.objects.of(world.acme).exists()


def test_the_logo_is_on_the_page_and_served_for_ever(owner, world, client):
    assert upload(owner, png(64, 48)).status_code == 302

    page = recipient(client, links.path(links.message(world.acme, PHONE)))
    url = page.content.decode().partition('<img src="')[2].partition('"')[0]
    picture = recipient(client, url)

    assert 'width="64" height="48" alt=""' in page.content.decode()
    assert "img-src 'self'" in page["Content-Security-Policy"]
    assert (picture.status_code, picture.content, picture["Content-Type"]) == (200, png(64, 48), "image/png")
    assert picture["X-Content-Type-Options"] == "nosniff"
    assert picture["Cache-Control"] == "public, max-age=31536000, immutable"
    assert picture["Content-Security-Policy"].startswith("default-src 'none'")
    assert not picture.cookies


def test_without_a_logo_a_page_may_load_nothing(world, client):
    page = recipient(client, links.path(links.message(world.acme, PHONE)))

    assert "img-src" not in page["Content-Security-Policy"]
    assert b"<img" not in page.content


def test_another_picture_has_another_address(owner, world, client):
    upload(owner, png())
    first = Company.objects.get(pk=world.acme.pk).logo.split()[0]
    upload(owner, jpeg(), "logo.jpg")
    second = Company.objects.get(pk=world.acme.pk).logo.split()[0]

    assert second.endswith(".jpg")
    assert recipient(client, f"/c/acme/logo/{first}").status_code == 404
    assert recipient(client, f"/c/acme/logo/{second}")["Content-Type"] == "image/jpeg"
    assert recipient(client, f"/c/rival/logo/{second}").status_code == 404


def test_a_logo_can_be_taken_away(owner, world, client):
    upload(owner, png())

    assert owner.post("/settings/landing/logo/remove").status_code == 302

    assert not Logo.objects.of(world.acme).exists()
    assert b"<img" not in recipient(client, links.path(links.message(world.acme, PHONE))).content


def test_the_page_is_still_one_look_up(owner, world, client, django_assert_num_queries):
    upload(owner, png())
    path = links.path(links.message(world.acme, PHONE))
    recipient(client, path)

    with django_assert_num_queries(1):
        recipient(client, path)


# The words -----------------------------------------------------------------------------


def test_own_words_are_shown_in_their_language_only(owner, world, client):
    words = {"language": "nl", "heading": "Tot ziens bij {company}", "sentence": "Jammer dat u gaat."}
    assert owner.post("/settings/landing", words).status_code == 302
    path = links.path(links.message(world.acme, PHONE))

    dutch = recipient(client, f"{path}?lang=nl").content.decode()
    german = recipient(client, f"{path}?lang=de").content.decode()

    assert "<h1>Tot ziens bij <bdi>Acme</bdi></h1>" in dutch
    assert "<title>Tot ziens bij Acme</title>" in dutch
    assert "Jammer dat u gaat." in dutch
    assert "Vul het telefoonnummer in dat het bericht kreeg." in dutch  # what to do is always said
    assert "Keine Werbung mehr von" in german
    assert "Jammer" not in german


def test_own_words_are_only_ever_text(owner, world, client):
    evil = "<script>alert(1)</script> & '\""
    owner.post("/settings/landing", {"language": "en", "heading": evil, "sentence": evil})

    page = recipient(client, links.path(links.message(world.acme, PHONE)) + "?lang=en")

    assert b"<script" not in page.content
    assert state(page) == "form"


def test_empty_words_bring_ours_back(owner, world):
    owner.post("/settings/landing", {"language": "nl", "heading": "x"})
    owner.post("/settings/landing", {"language": "nl", "heading": "", "sentence": ""})

    assert Company.objects.get(pk=world.acme.pk).landing_texts == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"language": "xx"},
        {"language": ""},
        {"heading": "{code}"},
        {"heading": "{{ x }}"},
        {"heading": "x" * 101},
        {"sentence": "x" * 301},
        {"sentence": "a\nb"},
        {"sentence": "a\x00b"},
    ],
)
def test_wrong_words_are_told(owner, world, wrong):
    answer = owner.post("/settings/landing", {"language": "nl", "heading": "x", **wrong})

    assert answer.status_code == 422
    assert Company.objects.get(pk=world.acme.pk).landing_texts == {}


def test_what_is_being_written_is_shown_before_it_is_saved(owner, world):
    shown = owner.post("/settings/landing/preview", {"language": "ar", "heading": "A<b> {company}"}).content.decode()

    assert "A&lt;b&gt; Acme" in shown
    assert 'dir="rtl"' in shown
    assert Company.objects.get(pk=world.acme.pk).landing_texts == {}
    assert owner.post("/settings/landing/preview", {"language": "?", "heading": "x" * 5000}).status_code == 200


def test_the_settings_page_shows_how_it_stands(owner, world):
    upload(owner, png())
    owner.post("/settings/landing", {"language": "nl", "heading": "Tot ziens"})

    page = owner.get("/settings/landing?language=nl").content.decode()

    assert 'value="Tot ziens"' in page
    assert "/c/acme" in page
    assert owner.get("/settings/landing/logo/shown").content == png()


@pytest.mark.parametrize("role", ["viewer", "marketer"])
def test_only_an_owner_changes_the_look(client, world, role):
    client.force_login(getattr(world, role).user)

    assert client.get("/settings/landing").status_code == 200
    assert client.post("/settings/landing", {"language": "nl", "heading": "x"}).status_code == 403
    assert upload(client, png()).status_code == 403
    assert client.post("/settings/landing/logo/remove").status_code == 403


def test_the_words_said_are_part_of_the_proof(owner, world, client):
    from addressbook.models import Evidence

    owner.post("/settings/landing", {"language": "en", "heading": "Leave {company}", "sentence": "So long."})
    path = links.path(links.message(world.acme, PHONE))
    with override_settings(APP_URL="http://app.test", SHORT_URL="http://short.test", ALLOWED_HOSTS=["*"]):
        client.post(f"{path}?lang=en", {"phone": PHONE}, headers={"host": "short.test"})

    said = Evidence.objects.of(world.acme).first().details["text"]
    assert said.startswith("Leave Acme / So long. / Enter the phone number")
    assert said.endswith("Stop these messages")
