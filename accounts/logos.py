"""A company's logo: PNG or JPEG, taken apart and put together again from the parts that make the picture.

Nothing is decoded, so no picture is too much for us; what else a file may carry (where a photograph was taken, a
second file behind the first) is left out.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Company, Logo

MOST_BYTES = 64 * 1024
SMALLEST, LARGEST = 16, 2000  # pixels
MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg"}
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PARTS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"pHYs"}
_JPEG = b"\xff\xd8"
#: Start of a frame of Huffman coding, baseline and progressive: what every browser shows.
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
#: Tables, frames, restart interval, and the two marks that say how colours are meant (JFIF, Adobe).
_JPEG_PARTS = _JPEG_FRAMES | {0xC4, 0xDB, 0xDD, 0xE0, 0xEE}
_STANDALONE = {0x01, *range(0xD0, 0xD8)}


class NoLogo(ValueError):
    """The file cannot be a logo; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Picture:
    kind: str
    width: int
    height: int
    content: bytes


def read(content: bytes) -> Picture:
    """Raises NoLogo."""
    if len(content) > MOST_BYTES:
        raise NoLogo(_("The file is larger than 64 kB. Save it smaller."))
    broken = NoLogo(_("The file is damaged. Save it again as PNG or JPEG."))
    try:
        if content.startswith(_PNG):
            picture = _read_png(content)
        elif content.startswith(_JPEG):
            picture = _read_jpeg(content)
        else:
            raise NoLogo(_("Use a PNG or JPEG file. SVG and other kinds cannot be shown safely."))
    except (struct.error, IndexError) as problem:
        raise broken from problem
    if picture is None:
        raise broken
    if not (SMALLEST <= picture.width <= LARGEST and SMALLEST <= picture.height <= LARGEST):
        raise NoLogo(_("The picture must have between 16 and 2000 pixels in width and height."))
    return picture


def keep(company: Company, content: bytes) -> None:
    """Shown from the next page on. Raises NoLogo."""
    picture = read(content)
    name = f"{hashlib.sha256(picture.content).hexdigest()[:32]}.{picture.kind}"
    with transaction.atomic():
        Logo.objects.of(company).delete()
        Logo.objects.create(company=company, name=name, content=picture.content)
        company.logo = f"{name} {picture.width} {picture.height}"
        company.save(update_fields=["logo"])


def remove(company: Company) -> None:
    with transaction.atomic():
        Logo.objects.of(company).delete()
        company.logo = ""
        company.save(update_fields=["logo"])


def _read_png(content: bytes) -> Picture | None:
    """PNG (ISO/IEC 15948) 5: chunks of length, type, data, CRC."""
    at, kept, size = len(_PNG), [_PNG], None
    while True:
        length, kind = struct.unpack_from(">I4s", content, at)
        chunk = content[at : at + length + 12]
        if len(chunk) != length + 12 or zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            return None
        if (kind == b"IHDR") != (size is None):
            return None
        if kind == b"IHDR":
            size = struct.unpack_from(">II", chunk, 8)
        if kind in _PNG_PARTS:
            kept.append(chunk)
        at += len(chunk)
        if kind == b"IEND":
            return Picture("png", *size, b"".join(kept)) if size else None


def _read_jpeg(content: bytes) -> Picture | None:
    """JPEG (ITU-T T.81) annex B: segments by marker, then the scans up to the end mark."""
    at, kept, size = len(_JPEG), [_JPEG], None
    while True:
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:  # filling
            at += 1
            continue
        if marker == 0xD9:
            return Picture("jpg", *size, b"".join([*kept, b"\xff\xd9"])) if size and len(kept) > 1 else None
        if marker in _STANDALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        segment = content[at : at + 2 + length]
        if length < 2 or len(segment) != length + 2:
            return None
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", segment, 5)
            size = (width, height)
        at += len(segment)
        if marker == 0xDA:  # a scan: its data run to the next mark that is neither stuffing nor a restart
            if size is None:
                return None
            end = _end_of_scan(content, at)
            kept += [segment, content[at:end]]
            at = end
        elif marker in _JPEG_PARTS:
            kept.append(segment)
        elif marker not in range(0xE1, 0xF0) and marker != 0xFE:  # neither meta data nor a comment
            return None


def _end_of_scan(content: bytes, at: int) -> int:
    while True:
        at = content.find(b"\xff", at)
        if at < 0:
            raise IndexError
        if content[at + 1] != 0 and not 0xD0 <= content[at + 1] <= 0xD7:
            return at
        at += 2
